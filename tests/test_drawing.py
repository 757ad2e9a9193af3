"""`primeval show --graph`: the picture holds the whole program, and nothing overlaps."""

from __future__ import annotations

import random
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from strategies import SEEDS, meaning, mutated

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.text import parse
from primeval.scripts.cli import main
from primeval.scripts.drawing import Box, draw_program
from primeval.scripts.layout import Placed, place, spread, walk

Capture = pytest.CaptureFixture[str]


def operations(box: Box) -> list[Box]:
    """The operations in a box, however deep."""
    if not box.boxes:
        return [box]
    return [inner for child in box.boxes for inner in operations(child)]


def assert_tidy(placed: Placed) -> None:
    """Boxes stay inside their call and apart; wires end where inputs and outputs are."""
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
def test_a_file_that_cannot_be_is_one_clear_message(
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
