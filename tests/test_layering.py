"""Imports point downwards, and reading a run never waits for TensorFlow."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toys import begin

from primeval.evaluators import make_evaluator
from primeval.search.loop import drive
from primeval.search.settings import RunConfig

ROOT = Path(__file__).parent.parent
LAYERS = ["primitives", "dna", "evaluators", "search", "scripts"]
TRAINING = ("tensorflow", "keras", "ray", "tensorflow_datasets")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_downwards(layer: str) -> None:
    allowed = {*LAYERS[: LAYERS.index(layer) + 1], "configs"}
    for path in (ROOT / layer).glob("*.py"):
        for module in imports(path):
            top, _, rest = module.partition(".")
            if top == "primeval" and rest:
                assert rest.split(".")[0] in allowed, f"{path.name} imports {module}"
            assert top not in LAYERS, f"{path.name}: write primeval.{module}"


@pytest.mark.parametrize("layer", ["dna", "search"])
def test_programs_and_searches_know_nothing_of_training(layer: str) -> None:
    for path in (ROOT / layer).glob("*.py"):
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
    run, search = begin(toy_config("budget.max_candidates=6"))
    drive(run, search, make_evaluator(run.config.task(run.reference)))
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
