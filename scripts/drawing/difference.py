"""Two programs as one drawing: the boxes and wires of both, the new ones and the removed ones.

Lines are paired as in the difference of the texts (`dna/writing/diff.py`), so that text, code
and drawing show the same changes. A line with another operation, constant, width or branching
counts as one removed and one added. A call with another branching stays one box, and a note
gives its old branching. Boxes keep the order of both programs. As every value is made before
it is used, the wires of both together have no cycles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from primeval.dna.program import Program
from primeval.dna.writing.diff import pair
from primeval.scripts.drawing.boxes import Box, Change, Wire

Ends = tuple[int, int, int]  # source, target and port of a wire in the joint call


def draw_difference(old: tuple[Program, Box], new: tuple[Program, Box]) -> Box:
    """The joint box of two MAINs. Each program comes with its box from `draw_program`."""
    return _Join(old[0], new[0]).call(old[1], new[1])


class _Join:
    def __init__(self, old: Program, new: Program) -> None:
        self.old, self.new = old, new

    def call(self, old: Box, new: Box) -> Box:
        """The joint box of a call that both programs make."""
        joint = replace(new, boxes=[], wires=[])
        if old.branches != new.branches:
            joint.note = f"was ×{old.branches}"
        joint.inputs = tuple(sorted({*old.inputs, *new.inputs}))
        from_old, from_new = _Joining(old, joint), _Joining(new, joint)
        for one, other in self._pairs(old, new):
            before = None if one is None else old.boxes[one]
            after = None if other is None else new.boxes[other]
            if before and after and before.essence == after.essence:
                from_old.place[one] = from_new.place[other] = len(joint.boxes)
                joint.boxes.append(self.call(before, after) if before.boxes else after)
                continue
            if before:
                from_old.place[one] = len(joint.boxes)
                joint.boxes.append(_marked(before, Change.REMOVED))
            if after:
                from_new.place[other] = len(joint.boxes)
                joint.boxes.append(_marked(after, Change.ADDED))
        before_ends, after_ends = set(from_old.wires()), set(from_new.wires())
        for ends in sorted(before_ends | after_ends):
            both = ends in before_ends and ends in after_ends
            only = Change.ADDED if ends in after_ends else Change.REMOVED
            joint.wires.append(Wire(*ends, Change.KEPT if both else only))
        return joint

    def _pairs(self, old: Box, new: Box) -> Iterator[tuple[int | None, int | None]]:
        """Pairs of boxes, as indices in the old call and the new one; None for no partner.

        Dead lines have no box.
        """
        index = new.subprogram or 0
        old_at = {box.place: number for number, box in enumerate(old.boxes)}
        new_at = {box.place: number for number, box in enumerate(new.boxes)}
        was, now = (one.subprograms[index].instructions for one in (self.old, self.new))
        for before, after in pair(was, now, self.old.vocabulary).pairs:
            one = None if before is None else old_at.get(before)
            other = None if after is None else new_at.get(after)
            if one is not None or other is not None:
                yield one, other


class _Joining:
    """Finds the boxes and inputs of one program's call in the joint call."""

    def __init__(self, call: Box, joint: Box) -> None:
        self.call, self.joint = call, joint
        self.place: dict[
            int | None, int
        ] = {}  # from the index of a box to that of its joint box

    def wires(self) -> Iterator[Ends]:
        """The ends of its wires, in the joint call."""
        for wire in self.call.wires:
            source, target, port = wire.source, len(self.joint.boxes), 0
            if source < 0:
                source = ~self.joint.inputs.index(self.call.inputs[~source])
            else:
                source = self.place[source]
            if wire.target < len(self.call.boxes):
                target = self.place[wire.target]
                read = self.call.boxes[wire.target].inputs[wire.port]
                port = self.joint.boxes[target].inputs.index(read)
            yield source, target, port


def _marked(box: Box, change: Change) -> Box:
    """A box that only one program has: the box and everything in it get this change."""
    return replace(
        box,
        change=change,
        boxes=[_marked(inner, change) for inner in box.boxes],
        wires=[replace(wire, change=change) for wire in box.wires],
    )
