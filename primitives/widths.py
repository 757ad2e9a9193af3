"""Widths: how many channels each value has, solved by unification.

A width is a whole multiple of an unknown, so merging n branches of width w gives n*w and
knowing one fixes the other. Two unknowns that must agree are joined. Joined unknowns get
their size from an absolute number (a reduction leaves 1 channel); without one, from the
model's width; without that, from a proposal by an operation that owns a weight matrix. This
file knows nothing about primitives; `rules.py` says which widths must agree.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import NamedTuple

ONE = Fraction(1)


class Rejection(Exception):  # noqa: N818, an outcome rather than an error
    """A program that cannot be given a meaning; the message is the reason."""


class Width(NamedTuple):
    """`ratio` times the unknown `var`: 0 is the number 1, 1 is the model's width."""

    var: int
    ratio: Fraction = ONE


ONE_CHANNEL = Width(0)
MODEL = Width(1)


class Solved(NamedTuple):
    """A width in numbers: `size` channels if `absolute`, else `size` times the unit."""

    size: Fraction
    absolute: bool

    def channels(self, unit: Fraction) -> int:
        """Channels at this unit. Raises Rejection if they are not a whole number."""
        above, below = self.size.as_integer_ratio()
        if not self.absolute:
            factor, divisor = unit.as_integer_ratio()
            above, below = above * factor, below * divisor
        number, rest = divmod(above, below)
        if rest or number < 1:
            raise Rejection(
                f"a width of {Fraction(above, below)} channels is not a whole number"
            )
        return number

    def __str__(self) -> str:
        return f"{self.size}" if self.absolute else f"{self.size}u"


class Widths:
    """Union-find over width unknowns, with ratios."""

    def __init__(self) -> None:
        self._parent: list[Width] = [ONE_CHANNEL, MODEL]
        self._proposals: dict[int, list[tuple[Fraction, str]]] = {}

    def propose(self, relative: Fraction, proposer: str) -> Width:
        """A new unknown. It becomes `relative` units wide unless something else fixes it."""
        var = len(self._parent)
        self._parent.append(Width(var))
        self._proposals[var] = [(relative, proposer)]
        return Width(var)

    def find(self, width: Width) -> Width:
        """The width as a multiple of its root, which stands for all unknowns joined to it."""
        start = self._parent[width.var]
        root, ratio = start
        if root == width.var:
            return width
        parent = self._parent[root]
        while parent.var != root:
            root, ratio = parent.var, _times(ratio, parent.ratio)
            parent = self._parent[root]
        if root != start.var:
            self._parent[width.var] = Width(root, ratio)
        return Width(root, _times(width.ratio, ratio))

    def is_column(self, width: Width) -> bool:
        """Whether the width is one channel."""
        var, ratio = self.find(width)
        return var == 0 and ratio == 1

    def unify(self, first: Width, second: Width) -> Width:
        """Make two widths equal. Raises Rejection where both are fixed and differ."""
        first, second = self.find(first), self.find(second)
        if first == second:
            return first
        if first.var == second.var:
            raise Rejection(
                f"a value would have to be {self._describe(first)} and "
                f"{self._describe(second)} wide at once"
            )
        if second.var < first.var:  # the fixed unknowns 0 and 1 stay roots
            first, second = second, first
        if second.var == MODEL.var:
            raise Rejection(
                f"two fixed widths meet: {self._describe(first)} and {self._describe(second)}"
            )
        # second.var = ratio * first.var
        ratio = first.ratio if second.ratio is ONE else first.ratio / second.ratio
        self._parent[second.var] = Width(first.var, ratio)
        moved = self._proposals.pop(second.var)
        if first.var > MODEL.var:
            merged = self._proposals[first.var]
            for relative, proposer in moved:
                merged.append((relative if ratio is ONE else relative / ratio, proposer))
        return first

    def _describe(self, width: Width) -> str:
        if width.var == 0:
            return str(width.ratio)
        name = "the model's width" if width.var == 1 else "a branch"
        return name if width.ratio == 1 else f"{width.ratio} x {name}"

    def solve(self, model: Fraction) -> dict[int, Solved]:
        """The size of every root, for a model that is `model` units wide."""
        roots = {0: Solved(ONE, True), 1: Solved(model, False)}
        for var, proposals in self._proposals.items():
            roots[var] = Solved(_choose(proposals), False)
        return roots

    def value(self, width: Width, roots: dict[int, Solved]) -> Solved:
        """A width in numbers, by the sizes of the roots that `solve` gives."""
        var, ratio = self.find(width)
        solved = roots[var]
        return solved if ratio is ONE else Solved(solved.size * ratio, solved.absolute)


def _times(first: Fraction, second: Fraction) -> Fraction:
    """The product, without arithmetic in the usual case that a factor is one."""
    if second is ONE:
        return first
    return second if first is ONE else first * second


def _choose(proposals: list[tuple[Fraction, str]]) -> Fraction:
    """The winner among the proposals for one width (A.2: a pseudorandom, fixed choice).

    CHOICE: the winner depends on a hash of the proposing operations and of how their proposals
    rank, and on nothing else. So the same conflict is settled the same way in parent and child,
    in every process, and at every scale (`Scale.widen` changes widths, not their order).
    """
    if len(proposals) == 1:
        return proposals[0][0]
    distinct = sorted({relative for relative, _ in proposals})
    if len(distinct) == 1:
        return distinct[0]
    rank = {relative: place for place, relative in enumerate(distinct)}
    key = " ".join(sorted(f"{rank[relative]}:{proposer}" for relative, proposer in proposals))
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return distinct[int.from_bytes(digest, "big") % len(distinct)]
