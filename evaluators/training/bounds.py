"""Limits between which each value of a graph lies, for any input and any weights.

This is interval arithmetic over the primitives. Limits are never wrong, but may be wider than
necessary where that is simpler. `probe.py` uses them to find out whether an operation with two
sides (`ABS`, `MAX`) can ever meet both.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.dna.resolve import MERGE_OP

Bounds = tuple[float, float]
INFINITY = math.inf
ANYTHING = (-INFINITY, INFINITY)


def bounds_of(graph: Graph) -> list[Bounds]:
    """The smallest and the largest possible value of every node, in the graph's order."""
    found: list[Bounds] = []
    for node in graph.nodes:
        found.append(_bounds(node, [found[read] for read in node.inputs]))
    return found


def _bounds(node: Node, operands: list[Bounds]) -> Bounds:
    if node.constant is not None and node.op in _WITH_CONSTANT:
        low, high = _WITH_CONSTANT[node.op](*operands[0], node.constant)
    elif node.op == "MULTIPLY" and node.inputs[0] == node.inputs[1]:
        low, high = _square(*operands[0])
    elif node.op in _UNARY and len(operands) == 1:
        low, high = _UNARY[node.op](*operands[0])
    elif node.op in _BINARY and len(operands) == 2:
        low, high = _BINARY[node.op](operands[0], operands[1])
    else:
        return ANYTHING
    # after infinity minus infinity, or overflow, nothing is known
    return (low, high) if low <= high and low < INFINITY and high > -INFINITY else ANYTHING


def _same(low: float, high: float) -> Bounds:
    return low, high


def _side(low: float, high: float) -> Bounds:
    """Zero as a limit on each side that the value does not cross; its size is forgotten."""
    return (0.0 if low >= 0 else -INFINITY), (0.0 if high <= 0 else INFINITY)


def _not_below_zero(low: float, high: float) -> Bounds:
    return (0.0 if low >= 0 else -INFINITY), INFINITY


def _absolute(low: float, high: float) -> Bounds:
    least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return least, max(abs(low), abs(high))


def _square(low: float, high: float) -> Bounds:
    least, most = _absolute(low, high)
    return least * least, most * most


def _root(low: float, high: float) -> Bounds:
    least, most = _absolute(low, high)
    return math.sqrt(least), math.sqrt(most)


def _sign(low: float, high: float) -> Bounds:
    return float((low > 0) - (low < 0)), float((high > 0) - (high < 0))


def _with_zero(low: float, high: float) -> Bounds:
    return min(low, 0.0), max(high, 0.0)


def _times(one: float, other: float) -> float:
    return 0.0 if one == 0 or other == 0 else one * other  # zero times infinity too


def _product(first: Bounds, second: Bounds) -> Bounds:
    ends = [_times(one, other) for one in first for other in second]
    return min(ends), max(ends)


def _quotient(first: Bounds, second: Bounds) -> Bounds:
    return _product(_side(*first), _side(*second))


_UNARY: dict[str, Callable[[float, float], Bounds]] = {
    MERGE_OP: _same,
    "RED_MEAN": _same,
    "RED_MAX": _same,
    "RED_MIN": _same,
    "MASK": _with_zero,
    "RED_SUM": _side,
    "CUM_SUM": _side,
    "RECIP": _side,
    "RED_PROD": _not_below_zero,
    "CUM_PROD": _not_below_zero,
    "ABS": _absolute,
    "SQUARE": _square,
    "ABS_ROOT": _root,
    "SIGN": _sign,
    "EXP": lambda low, high: (0.0, INFINITY),
    "COS": lambda low, high: (-1.0, 1.0),
    "SIN": lambda low, high: (-1.0, 1.0),
    "TANH": lambda low, high: _side(low, high) if low >= 0 or high <= 0 else (-1.0, 1.0),
    "SIGMOID": lambda low, high: (0.0, 1.0),
}

_WITH_CONSTANT: dict[str, Callable[[float, float, float], Bounds]] = {
    "C_MUL": lambda low, high, c: _product((low, high), (c, c)),
    "MAX": lambda low, high, c: (max(low, c), max(high, c)),
    "MIN": lambda low, high, c: (min(low, c), min(high, c)),
}

_BINARY: dict[str, Callable[[Bounds, Bounds], Bounds]] = {
    "ADD": lambda x, y: (x[0] + y[0], x[1] + y[1]),
    "DIFFERENCE": lambda x, y: (x[0] - y[1], x[1] - y[0]),
    "MULTIPLY": _product,
    "DIVIDE": _quotient,
    "MAT_MUL": lambda x, y: _product(_side(*x), _side(*y)),
    "T_MAT_MUL": lambda x, y: _product(_side(*x), _side(*y)),
}
