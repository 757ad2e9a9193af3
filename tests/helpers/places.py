"""Paths of the checkout that tests use."""

from __future__ import annotations

from pathlib import Path

HELPERS = Path(__file__).parent
ROOT = HELPERS.parent.parent
BENCHMARKS = ROOT / "benchmarks"
DOCS = ROOT / "docs"
HOSTILE = HELPERS / "hostile.py"
