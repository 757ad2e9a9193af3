"""Where things lie in the checkout."""

from __future__ import annotations

from pathlib import Path

HELPERS = Path(__file__).parent
ROOT = HELPERS.parent.parent
BENCHMARKS = ROOT / "benchmarks"
DOCS = ROOT / "docs"
HOSTILE = HELPERS / "hostile.py"
