"""Two programs as one drawing: the boxes and wires of both, the new ones and the removed ones.

Lines are paired as in the difference of the texts (`dna/writing/diff.py`), so that text, code
and drawing show the same changes. A line with another operation, constant, width or branching
counts as one removed and one added. A call with another branching stays one box, and a note
gives its old branching. Boxes keep the order of both programs. As every value is made before
it is used, the wires of both together have no cycles.
"""

from __future__ import annotations

from dataclasses import replace

from primeval.dna.program import Program
from primeval.dna.writing.diff import pair
from primeval.scripts.drawing.boxes import Box, Change, Wire

Ends = tuple[int, int, int]  # source, target and port of a wire in the joint call


def draw_difference(old: tuple[Program, Box], new: tuple[Program, Box]) -> Box:
    """The joint box of two MAINs, or of a call that both programs make.

    Each program comes with its box from `draw_program`.
    """
    (old_program, old_box), (new_program, new_box) = old, new
    joint = replace(new_box, boxes=[], wires=[])
    joint.inputs = tuple(sorted({*old_box.inputs, *new_box.inputs}))
    if old_box.branches != new_box.branches:
        joint.note = f"was ×{old_box.branches}"
    index = new_box.subprogram or 0
    programs = (old_program, new_program)
    was, now = (program.subprograms[index].instructions for program in programs)
    # boxes by the places of their instructions; dead lines have none
    old_at: dict[int | None, Box] = {box.place: box for box in old_box.boxes}
    new_at: dict[int | None, Box] = {box.place: box for box in new_box.boxes}
    old_joint, new_joint = dict[int, int](), dict[int, int]()  # from a place to the joint box
    for old_place, new_place in pair(was, now, old_program.vocabulary).pairs:
        before, after = old_at.get(old_place), new_at.get(new_place)
        if before and after and before.essence == after.essence:
            old_joint[before.place] = new_joint[after.place] = len(joint.boxes)
            if before.boxes:
                after = draw_difference((old_program, before), (new_program, after))
            joint.boxes.append(after)
            continue
        if before:
            old_joint[before.place] = len(joint.boxes)
            joint.boxes.append(_marked(before, Change.REMOVED))
        if after:
            new_joint[after.place] = len(joint.boxes)
            joint.boxes.append(_marked(after, Change.ADDED))
    old_ends = _joint_ends(old_box, old_joint, len(joint.boxes))
    new_ends = _joint_ends(new_box, new_joint, len(joint.boxes))
    for ends in sorted(old_ends | new_ends):
        only = Change.ADDED if ends in new_ends else Change.REMOVED
        change = Change.KEPT if ends in old_ends & new_ends else only
        joint.wires.append(Wire(*ends, change))
    return joint


def _joint_ends(call: Box, joint_of: dict[int, int], output: int) -> set[Ends]:
    """The ends of a call's wires in the joint call, whose output has the number `output`."""
    boxes = [*(joint_of[box.place] for box in call.boxes), output]
    return {
        (wire.source if wire.source < 0 else boxes[wire.source], boxes[wire.target], wire.port)
        for wire in call.wires
    }


def _marked(box: Box, change: Change) -> Box:
    """A box that only one program has: the box and everything in it get this change."""
    return replace(
        box,
        change=change,
        boxes=[_marked(inner, change) for inner in box.boxes],
        wires=[replace(wire, change=change) for wire in box.wires],
    )
