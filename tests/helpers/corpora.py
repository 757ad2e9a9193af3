"""Small corpora, and what is kept of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from primeval.evaluators.data.corpus import Corpus, load_corpus
from primeval.evaluators.data_settings import DataSettings

PROSE = b"It is a truth universally acknowledged, that a paragraph must be in want.\n\n" * 40


def load_files(*patterns: Path | str) -> Corpus:
    return load_corpus(DataSettings(files=tuple(map(str, patterns))))


def text_of(tokens: np.ndarray) -> bytes:
    """The text of tokens that are bytes."""
    return tokens.astype(np.uint8).tobytes()


def entries(cache: Path) -> list[str]:
    """Names of what is in the token cache, without the locks."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def run_python(code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> str:
    """What a fresh interpreter prints when it runs some code."""
    command = [*prefix, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr
