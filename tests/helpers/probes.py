"""Computes the digest of a program as a worker does."""

from __future__ import annotations

from primeval.dna.cost import Scale
from primeval.dna.graph import build_graph
from primeval.dna.parsing import parse

SCALE = Scale(layers=1, vocabulary=256, length=32, window=(60_000, 80_000))


def digest(text: str) -> str | None:
    from primeval.evaluators.training.probe import digest

    return digest(build_graph(parse(text)), SCALE)
