"""Programs to print as source: one with every kind of line, and mutants."""

from __future__ import annotations

import random
from collections.abc import Iterator

from helpers.strategies import meaning, mutated
from primeval.dna.cost import Scale, measure
from primeval.dna.graph import Graph
from primeval.dna.writing.keras_module import format_source
from primeval.primitives.widths import Rejection

EVERY_ROW = """
width 4
constants -0.5 2
dims 4 2

S0 main(a, b):
  c = ABS_ROOT a
  d = LOG c
  e = RECIP d
  f = SIN e
  g = COS f
  h = SIGN g
  i = ADD h a
  j = MIN i const1
  k = S1 j j branch=2
  l = CONV_3X1 k dim1 branch=4
  m = DCONV_7X1 l
  n = CUM_SUM m
  o = MASK n
  p = RED_MAX a
  q = RED_MIN o
  r = ADD p q
  s = MULTIPLY r a
  t = CONV_15X1 s dim0
  u = SIGMOID t
  v = S2 u a
  w = ADD v u

S1 heads(a, b):
  c = CONV_1X1 a dim1
  d = T_MAT_MUL c c
  e = TANH d
  f = RED_MEAN e
  g = RED_PROD e
  h = RED_MAX e
  i = ADD f g
  j = ADD i h
  k = MAT_MUL e c
  l = MULTIPLY k j

S2 scores(a, b):
  c = T_MAT_MUL a b
  d = TANH c
  e = CUM_PROD d
  f = DCONV_3X1 e
  g = SHIFT f
  h = SCALE g
  i = MAT_MUL h d
  j = CONV_31X1 i dim0
  k = RED_MIN d
  l = DIFFERENCE j k
"""


LENGTH = 6


SMALL = Scale(1, 16, LENGTH, (1_000, 40_000))


def source_of(graph: Graph, scale: Scale = SMALL, name: str = "program") -> str:
    return format_source(measure(graph, scale), scale, name)


def mutants(count: int, start: int = 0) -> Iterator[tuple[int, Graph]]:
    """Yield numbers and graphs of mutants that fit the small scale."""
    made = 0
    for number in range(start, start + 1000):
        rng = random.Random(number)
        graph = meaning(mutated(rng, rng.randrange(1, 30)))
        try:
            if graph is None or len(graph.lines) > 150:
                continue
            measure(graph, SMALL)
        except Rejection:
            continue
        yield number, graph
        made += 1
        if made == count:
            return
