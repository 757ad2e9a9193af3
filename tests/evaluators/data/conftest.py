"""Every test of data has a token cache of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty token cache for the test; the folder is made when tokens are."""
    monkeypatch.setenv("PRIMEVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokens"
