"""Limits between which each value of a graph lies, for any input and any weights.

This is interval arithmetic over the primitives. Limits are never wrong, but may be wider than
necessary where that is simpler. `probe.py` uses them to find out whether an operation with two
sides (`ABS`, `MAX`) can ever meet both.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, sqrt

from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.dna.resolve import MERGE_OP

Bounds = tuple[float, float]
ANYTHING = (-inf, inf)


def bounds_of(graph: Graph) -> list[Bounds]:
    """The smallest and the largest possible value of every node, in the graph's order."""
    found: list[Bounds] = []
    for node in graph.nodes:
        found.append(_bounds(node, [found[read] for read in node.inputs]))
    return found


def _bounds(node: Node, operands: list[Bounds]) -> Bounds:
    rule = _RULES.get(node.op)
    if node.constant is not None:
        operands = [*operands, (node.constant, node.constant)]
    elif node.op == "MULTIPLY" and node.inputs[0] == node.inputs[1]:
        rule, operands = _square, operands[:1]
    low, high = rule(*operands) if rule else ANYTHING
    # after infinity minus infinity, or overflow, nothing is known
    return (low, high) if low <= high and low < inf and high > -inf else ANYTHING


def _same(x: Bounds) -> Bounds:
    return x


def _side(x: Bounds) -> Bounds:
    """Zero as a limit on each side that the value does not cross; its size is forgotten."""
    return (0.0 if x[0] >= 0 else -inf), (0.0 if x[1] <= 0 else inf)


def _not_below_zero(x: Bounds) -> Bounds:
    return (0.0 if x[0] >= 0 else -inf), inf


def _absolute(x: Bounds) -> Bounds:
    least, most = sorted((abs(x[0]), abs(x[1])))
    return (0.0 if x[0] <= 0 <= x[1] else least), most


def _square(x: Bounds) -> Bounds:
    least, most = _absolute(x)
    return least * least, most * most


def _root(x: Bounds) -> Bounds:
    least, most = _absolute(x)
    return sqrt(least), sqrt(most)


def _sign(x: Bounds) -> Bounds:
    return float((x[0] > 0) - (x[0] < 0)), float((x[1] > 0) - (x[1] < 0))


def _times(one: float, other: float) -> float:
    return 0.0 if one == 0 or other == 0 else one * other  # zero times infinity too


def _product(x: Bounds, y: Bounds) -> Bounds:
    ends = [_times(one, other) for one in x for other in y]
    return min(ends), max(ends)


def _product_of_sides(x: Bounds, y: Bounds) -> Bounds:
    return _product(_side(x), _side(y))


# From the limits of an operation's inputs to those of its value. A constant is an input whose
# two limits are equal.
_RULES: dict[str, Callable[..., Bounds]] = {
    MERGE_OP: _same,
    "RED_MEAN": _same,
    "RED_MAX": _same,
    "RED_MIN": _same,
    "MASK": lambda x: (min(x[0], 0.0), max(x[1], 0.0)),
    "RED_SUM": _side,
    "CUM_SUM": _side,
    "RECIP": _side,
    "RED_PROD": _not_below_zero,
    "CUM_PROD": _not_below_zero,
    "ABS": _absolute,
    "SQUARE": _square,
    "ABS_ROOT": _root,
    "SIGN": _sign,
    "EXP": lambda x: (0.0, inf),
    "COS": lambda x: (-1.0, 1.0),
    "SIN": lambda x: (-1.0, 1.0),
    "TANH": lambda x: _side(x) if x[0] >= 0 or x[1] <= 0 else (-1.0, 1.0),
    "SIGMOID": lambda x: (0.0, 1.0),
    "MAX": lambda x, c: (max(x[0], c[0]), max(x[1], c[1])),
    "MIN": lambda x, c: (min(x[0], c[0]), min(x[1], c[1])),
    "C_MUL": _product,
    "MULTIPLY": _product,
    "ADD": lambda x, y: (x[0] + y[0], x[1] + y[1]),
    "DIFFERENCE": lambda x, y: (x[0] - y[1], x[1] - y[0]),
    "DIVIDE": _product_of_sides,
    "MAT_MUL": _product_of_sides,
    "T_MAT_MUL": _product_of_sides,
}
