"""`primeval show --graph` draws the whole program, and nothing overlaps."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from helpers.strategies import SEEDS, meaning, mutated

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.scripts.cli import main
from primeval.scripts.drawing.boxes import Box, Change, draw_program
from primeval.scripts.drawing.difference import draw_difference
from primeval.scripts.drawing.layout import Placed, place, spread, walk
from primeval.scripts.drawing.looks import GREEN

Capture = pytest.CaptureFixture[str]


def operations(box: Box) -> list[Box]:
    """The operations in a box, those in its calls too."""
    if not box.boxes:
        return [box]
    return [inner for child in box.boxes for inner in operations(child)]


def assert_tidy(placed: Placed) -> None:
    """Check that boxes lie apart inside their call, and wires end at inputs and outputs."""
    corners = [(x, y, x + box.width, y + box.height) for x, y, box in placed.children]
    for left, top, right, bottom in corners:
        assert 0 <= left <= right <= placed.width
        assert 0 <= top <= bottom <= placed.height
    for one, other in combinations(corners, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1]
        assert apart or other[3] <= one[1]
    for wire, points in zip(placed.box.wires, placed.wires, strict=True):
        assert all(y <= below for (_, y), (_, below) in pairwise(points))
        if wire.target < len(placed.children):
            x, y, box = placed.children[wire.target]
            assert points[-1] == pytest.approx((x + box.ports[wire.port], y))
        else:
            assert points[-1] == pytest.approx((placed.out, placed.height))
    for _, _, box in placed.children:
        assert_tidy(box)


@pytest.mark.parametrize("name", list(SEEDS))
def test_every_live_operation_is_drawn(name: str) -> None:
    graph = build_graph(SEEDS[name])
    main_box = draw_program(graph)
    live = {
        (line.path, line.subprogram, line.place)
        for number, line in enumerate(graph.lines)
        if number in graph.node_of
        and line.op in {node.op for node in graph.nodes if node.primitive}
    }
    assert len(operations(main_box)) == len(live)
    assert_tidy(place(main_box))


def test_random_programs_are_drawn_tidily() -> None:
    drawn = 0
    for number in range(150):
        rng = random.Random(number)
        graph = meaning(mutated(rng, rng.randrange(1, 40)))
        if graph is not None:
            assert_tidy(place(draw_program(graph)))
            drawn += 1
    assert drawn > 40


def test_a_drawing_is_grouped_by_subprogram_with_widths() -> None:
    graph = build_graph(SEEDS["primer_evolved"])
    cost = measure(graph, Scale(6, 32_768, 64, (32_000_000, 38_000_000)))
    box = draw_program(cost.graph, cost)
    assert [child.label for child in box.boxes] == [
        "S5 layer_norm",
        "S1 self_attention",
        "CONV_1X1",
        "S8 residual",
        "S2 feed_forward",
        "S5 layer_norm",
        "S8 residual",
    ]
    assert [child.branches for child in box.boxes] == [1, 8, 1, 1, 1, 1, 1]
    attention = box.boxes[1]
    assert attention.width == "384"
    assert [child.width for child in attention.boxes[:2]] == ["48", "48"]
    up = box.boxes[4].boxes[0]
    assert (up.label, up.branches, up.width, up.weights) == ("CONV_1X1", 2, "4608", True)
    assert draw_program(graph).boxes[4].boxes[0].width == "48u"


def test_an_input_that_is_read_twice_is_one_input() -> None:
    text = "width 4\nS0 main(a, b):\n c = ABS a\n d = S1 a c\n e = S1 c c\n f = ADD d e\n"
    box = draw_program(build_graph(parse(f"{text}\nS1 f(a, b):\n c = ADD a b\n")))
    assert [child.ports for child in box.boxes] == [1, 2, 1, 2]


def test_places_are_the_nearest_to_the_wishes_that_keep_the_gaps() -> None:
    assert spread([(5.0, 1.0), (5.0, 1.0)], [2.0, 2.0]) == [4.0, 6.0]
    assert spread([(5.0, 3.0), (5.0, 1.0)], [4.0, 4.0]) == [4.0, 8.0]
    assert spread([(0.0, 1.0), (9.0, 1.0)], [2.0, 2.0]) == [0.0, 9.0]


def test_an_svg_is_well_formed_and_names_everything(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "primer.svg"
    assert main(["show", "primer", "--graph", str(path), "--config", "paper_lm1b"]) == 0
    assert f"{path}: 37 operations" in capsys.readouterr().out
    root = ElementTree.parse(path).getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"primer", "S1 self_attention ×8", "DCONV_3X1", "SQUARE", "2048"} <= set(texts)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in root.iter("{http://www.w3.org/2000/svg}rect"):
        if "x" in element.attrib:
            assert float(element.attrib["x"]) + float(element.attrib["width"]) <= width
            assert float(element.attrib["y"]) + float(element.attrib["height"]) <= height


def test_a_png_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "block.PNG"
    assert main(["show", "squared_relu", "--graph", str(path)]) == 0
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert path.stat().st_size > 50_000


@pytest.mark.parametrize(
    ("file", "message"),
    [("block.pdf", "ends in .svg or .png"), ("none/block.svg", "cannot be written")],
)
def test_a_drawing_that_cannot_be_written_is_one_clear_message(
    tmp_path: Path, capsys: Capture, file: str, message: str
) -> None:
    assert main(["show", "transformer", "--graph", str(tmp_path / file)]) == 2
    assert message in capsys.readouterr().err


def test_drawing_needs_no_tensorflow_and_svg_no_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys; from primeval.scripts.cli import main;"
        f"main(['show', 'transformer', '--graph', {str(tmp_path / 'a.svg')!r}]);"
        "assert not {'tensorflow', 'keras', 'ray', 'matplotlib'} & set(sys.modules);"
        f"main(['show', 'transformer', '--graph', {str(tmp_path / 'a.png')!r}]);"
        "assert not {'tensorflow', 'keras', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_walk_visits_all_boxes_outer_ones_first() -> None:
    placed = place(draw_program(build_graph(SEEDS["transformer"])))
    labels = [box.box.label for _, _, box in walk(placed)]
    assert labels.count("S5 layer_norm") == 2
    assert labels[0] == "S0 main"


# -- differences --------------------------------------------------------------------------


def joint(old: str | Program, new: str | Program) -> Box:
    """The joint drawing of two programs."""
    both = []
    for program in (old, new):
        program = SEEDS[program] if isinstance(program, str) else program
        both.append((program, draw_program(build_graph(program))))
    return draw_difference(*both)


def changed(box: Box) -> dict[Change, list[str]]:
    """The labels of the operations that were kept, added and removed."""
    found: dict[Change, list[str]] = {change: [] for change in Change}
    for inner in operations(box):
        found[inner.change].append(inner.label)
    return found


def wires(box: Box) -> list[Change]:
    """What happened to each wire, in calls too."""
    inner = [change for child in box.boxes for change in wires(child)]
    return [wire.change for wire in box.wires] + inner


@pytest.mark.parametrize("name", list(SEEDS))
def test_a_program_does_not_differ_from_itself(name: str) -> None:
    box = joint(name, name)
    alone = draw_program(build_graph(SEEDS[name]))
    assert [one.label for one in operations(box)] == [one.label for one in operations(alone)]
    assert set(wires(box)) == {Change.KEPT}
    assert not changed(box)[Change.ADDED]
    assert not changed(box)[Change.REMOVED]


def test_an_added_operation_is_the_only_thing_added() -> None:
    found = changed(joint("transformer", "squared_relu"))
    assert found[Change.ADDED] == ["SQUARE"]
    assert found[Change.REMOVED] == []
    found = changed(joint("squared_relu", "transformer"))
    assert found[Change.ADDED] == []
    assert found[Change.REMOVED] == ["SQUARE"]


def test_both_programs_are_in_the_joint_drawing() -> None:
    for old, new in (("transformer", "primer_evolved"), ("primer_ez", "evolved_transformer")):
        found = changed(joint(old, new))
        for name, gone in ((old, Change.ADDED), (new, Change.REMOVED)):
            labels = [box.label for box in operations(draw_program(build_graph(SEEDS[name])))]
            mine = [label for change in Change if change != gone for label in found[change]]
            assert sorted(mine) == sorted(labels)


def test_another_constant_or_width_is_a_removed_and_an_added_operation() -> None:
    text = "width 4\nconstants {}\ndims {}\nS0 main(a, b):\n c = C_MUL a const0\n"
    text += " d = CONV_1X1 c dim0\n e = CONV_1X1 d dim1\n"
    old = parse(text.format("2", "4 4"))
    found = changed(joint(old, parse(text.format("3", "4 4"))))
    assert (found[Change.REMOVED], found[Change.ADDED]) == (["C_MUL 2"], ["C_MUL 3"])
    found = changed(joint(old, parse(text.format("2", "8 4"))))
    assert (found[Change.REMOVED], found[Change.ADDED]) == (["CONV_1X1"], ["CONV_1X1"])


def test_a_call_that_is_made_more_often_stays_and_says_so() -> None:
    text = "width 4\ndims 4\nS0 main(a, b):\n c = S1 a a branch={}\n d = CONV_1X1 c dim0\n"
    text += "S1 f(a, b):\n c = CONV_1X1 a dim0\n"
    box = joint(parse(text.format(4)), parse(text.format(8)))
    assert box.boxes[0].title == "S1 f ×8 (was ×4)"
    assert set(wires(box)) == {Change.KEPT}


def test_an_input_that_was_not_read_before_is_a_new_wire() -> None:
    text = "width 4\nS0 main(a, b):\n c = ABS a\n d = S1 a c\nS1 f(a, b):\n c = ADD a {}\n"
    box = joint(parse(text.format("a")), parse(text.format("b")))
    assert box.boxes[1].inputs == (0, 1)
    assert [wire.change for wire in box.wires if wire.target == 1] == [
        Change.KEPT,
        Change.ADDED,
    ]


def test_random_differences_are_drawn_tidily() -> None:
    drawn = 0
    for number in range(80):
        rng = random.Random(number)
        graphs = [meaning(mutated(rng, rng.randrange(1, 20))) for _ in range(2)]
        if all(graph is not None for graph in graphs):
            box = joint(*[graph.program for graph in graphs if graph is not None])
            assert_tidy(place(box))
            assert_in_order(box)
            drawn += 1
    assert drawn > 15


def assert_in_order(box: Box) -> None:
    """Every box stands after those it reads, so the joint drawing has no cycles."""
    assert all(wire.source < wire.target for wire in box.wires)
    for inner in box.boxes:
        assert_in_order(inner)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_difference_is_drawn_into_a_file(
    tmp_path: Path, capsys: Capture, suffix: str
) -> None:
    path = tmp_path / f"difference.{suffix}"
    arguments = ["show", "primer_ez", "--diff", "transformer", "--config", "paper_lm1b"]
    assert main([*arguments, "--graph", str(path)]) == 0
    assert f"{path}: difference to transformer" in capsys.readouterr().out
    if suffix == "png":
        assert path.stat().st_size > 50_000
        return
    text = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "4 operations added, 0 removed" in texts
    assert "primer_ez against transformer" in texts
    assert text.count(GREEN) > 10
    # wires have moved; no operation is gone
    assert not re.search(r"<rect[^>]*stroke-dasharray", text)


def test_names_in_a_drawing_are_text(tmp_path: Path) -> None:
    text = "width 4\nS0 main(a, b):\n c = S1 a b\nS1 f(a, b):\n c = ABS a\n"
    program = tmp_path / "a<b>&'c'.dna"
    program.write_text(text)
    path = tmp_path / "drawing.svg"
    assert main(["show", str(program), "--graph", str(path)]) == 0
    ElementTree.parse(path)
