"""Imports point downwards, and reading a run never waits for TensorFlow."""

from __future__ import annotations

import ast
import graphlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.places import ROOT
from helpers.toys import toy_run

from primeval.search.config.settings import RunConfig

TRAINING = ("tensorflow", "keras", "ray", "tensorflow_datasets")

# Each package after the ones it may import, and its rooms alike: a file imports from its own
# room and from those before it. "" is the package's root; rooms side by side share a line.
LAYERS = {
    "primitives": [[""]],
    "dna": [[""], ["writing"]],
    "evaluators": [[""], ["data", "lowering"], ["training", "export"], ["workers"]],
    "search": [
        [""],
        ["config", "statistics"],
        ["algorithm"],
        ["run"],
        ["drive"],
        ["confirm", "forecast"],
        ["views"],
    ],
    "scripts": [["tables", "drawing"], ["running", "report"], ["commands"], [""]],
}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(root: Path, package: str) -> list[Path]:
    """All Python files of a package, including those in its rooms."""
    found = sorted((root / package).rglob("*.py"))
    assert found, f"there is nothing in {root / package}"
    return found


def files_imported(root: Path, path: Path) -> set[Path]:
    """The product's files that a file imports; for a package, its `__init__.py`."""
    found = set()
    for module in imports(path):
        top, *names = module.split(".")
        if top == "primeval" and names:
            for depth in range(1, len(names) + 1):
                stem = root.joinpath(*names[:depth])
                found |= {
                    f for f in (stem.with_suffix(".py"), stem / "__init__.py") if f.is_file()
                }
    return found - {path, *(parent / "__init__.py" for parent in path.parents)}


def upward_imports(root: Path) -> list[str]:
    """Imports from a package or a room that is not below the importing file's own."""
    faults = []
    order = list(LAYERS)
    for package in order:
        floor = {room: n for n, rooms in enumerate(LAYERS[package]) for room in rooms}
        for path in sources(root, package):
            own = floor[_room(root, path)]
            for module in imports(path):
                top, _, rest = module.partition(".")
                if top in order:
                    faults.append(f"{path.relative_to(root)}: write primeval.{module}")
                if top == "primeval" and rest.split(".")[0] not in {"configs", *order}:
                    faults.append(f"{path.relative_to(root)} imports {module}")
            for other in files_imported(root, path):
                layer = other.relative_to(root).parts[0]
                if layer == "configs":
                    continue
                higher = order.index(layer) > order.index(package)
                if layer == package and _room(root, other) != _room(root, path):
                    # it re-exports the public names
                    front_door = path == root / package / "__init__.py"
                    higher = not front_door and floor[_room(root, other)] >= own
                if higher:
                    faults.append(f"{path.relative_to(root)} imports {other.relative_to(root)}")
    return faults


def _room(root: Path, path: Path) -> str:
    return "/".join(path.relative_to(root).parts[1:-1])


def circles(root: Path) -> list[str]:
    """The files of one circle of imports; [] if no files import each other."""
    files = [path for package in LAYERS for path in sources(root, package)]
    arrows = {path: files_imported(root, path) for path in files}
    sorter = graphlib.TopologicalSorter(arrows)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        return [str(path.relative_to(root)) for path in error.args[1]]
    return []


def test_imports_point_downwards() -> None:
    assert upward_imports(ROOT) == []


def test_no_files_import_each_other() -> None:
    assert circles(ROOT) == []


def test_every_room_has_its_place_in_the_order() -> None:
    for package, floors in LAYERS.items():
        rooms = {_room(ROOT, path) for path in sources(ROOT, package)}
        assert rooms == {room for floor in floors for room in floor}


def commands_imported_by_commands(root: Path) -> list[str]:
    room = root / "scripts" / "commands"
    modules = [path for path in room.glob("*.py") if path.stem not in ("__init__", "arguments")]
    return [
        f"{path.name} imports {other.name}"
        for path in modules
        for other in sorted(files_imported(root, path) & set(modules))
    ]


def test_no_command_imports_another() -> None:
    assert commands_imported_by_commands(ROOT) == []


def test_the_architecture_page_tells_what_each_room_may_import() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/(?:(\w+)/)?` \| .* \| (.*) \|$", text, re.MULTILINE)
    told = {(package, room): allowed for package, room, allowed in rows}
    for package, floors in LAYERS.items():
        below: list[str] = []
        for floor in floors:
            for room in floor:
                assert told[package, room] == (", ".join(below) or "-"), (package, room)
            below += [room or "root" for room in floor]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the product's code in which tests plant faults."""
    for package in [*LAYERS, "configs"]:
        shutil.copytree(ROOT / package, tmp_path / package)
    return tmp_path


def plant(house: Path, path: str, line: str) -> None:
    file = house / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{line}\n{file.read_text() if file.exists() else ''}", encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "from primeval.search.config.settings import RunConfig",
        "import dna.program",
        "from primeval.nowhere import thing",
    ],
)
def test_a_planted_import_in_a_room_is_found(house: Path, line: str) -> None:
    LAYERS["dna"].append(["planted"])
    try:
        plant(house, "dna/planted/fault.py", line)
        assert [fault for fault in upward_imports(house) if "dna/planted/fault.py" in fault]
    finally:
        LAYERS["dna"].pop()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("dna/cost.py", "from primeval.dna.writing.facts import Facts"),
        ("search/run/store.py", "import primeval.search.views.ranking"),
        ("evaluators/data/corpus.py", "from primeval.evaluators.lowering.plan import plan"),
        ("primitives/rules.py", "from primeval.dna.program import Program"),
    ],
)
def test_a_planted_import_from_a_higher_room_is_found(
    house: Path, path: str, line: str
) -> None:
    plant(house, path, line)
    assert [fault for fault in upward_imports(house) if fault.startswith(f"{path} imports")]


def test_a_planted_circle_is_found(house: Path) -> None:
    assert circles(house) == []
    plant(house, "dna/program.py", "from primeval.dna.graph import Graph")
    assert {"dna/program.py", "dna/graph.py"} <= set(circles(house))


def test_a_planted_import_of_a_command_is_found(house: Path) -> None:
    line = "from primeval.scripts.commands.search import run"
    plant(house, "scripts/commands/top.py", line)
    assert commands_imported_by_commands(house) == ["top.py imports search.py"]


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = (
        "import sys; from primeval.scripts.cli import build_parser; "
        "build_parser().format_help(); "
        "print([name for name in sys.modules if name.startswith('primeval.scripts.c')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['primeval.scripts.cli']\n"


@pytest.mark.parametrize("layer", ["dna", "search"])
def test_programs_and_searches_know_nothing_of_training(layer: str) -> None:
    for path in sources(ROOT, layer):
        assert not set(TRAINING) & {module.split(".")[0] for module in imports(path)}, path


@pytest.mark.parametrize(
    "command",
    [
        ["top", "RUN"],
        ["top", "RUN", "--json"],
        ["show", "RUN:1"],
        ["show", "RUN:1", "--diff"],
        ["show", "RUN:1", "--resolved", "--json"],
        ["lineage", "RUN:5"],
        ["inject", "RUN", "primer_ez"],
        ["top", "RUN", "--ledger"],
        ["show", "RUN:1", "--code"],
        ["show", "RUN:1", "--diff", "--code"],
        ["show", "RUN:1", "--graph", "RUN/block.svg"],
        ["show", "RUN:1", "--diff", "--graph", "RUN/difference.svg"],
        ["report", "RUN", "--top", "2"],
        ["seeds"],
        ["seeds", "--config", "paper_t5"],
        ["primitives"],
        ["check", "quickstart", "--no-train"],
    ],
)
def test_reading_imports_nothing_heavy(
    toy_config: Callable[..., RunConfig], command: list[str]
) -> None:
    run = toy_run(toy_config("budget.max_candidates=6"))
    run.close()
    arguments = [word.replace("RUN", str(run.folder)) for word in command]
    code = (
        "import json, sys; from primeval.scripts.cli import main; "
        f"status = main({arguments!r}); "
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    status, modules = json.loads(done.stderr)
    assert status == 0
    assert not {*TRAINING, "rich", "numpy"} & set(modules)
