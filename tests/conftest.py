"""Fixtures that several test files use, and the order in which files run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.reports import troubled_folder
from helpers.toys import TOY, primeval

from primeval.search.config.config import parse_config
from primeval.search.config.settings import RunConfig


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run files with slow tests first, so that both workers of pytest-xdist finish together."""
    if hasattr(config, "workerinput"):  # this process is such a worker
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def toy_config(tmp_path: Path) -> Callable[..., RunConfig]:
    """Makes small configurations with the toy evaluator; the arguments override settings."""

    def make(*sets: str, run_dir: str = "run") -> RunConfig:
        return parse_config(TOY, [f"run_dir={tmp_path / run_dir}", *sets])

    return make


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(TOY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished toy run, made by the command itself; tests may add files."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "small.yaml").write_text(TOY, encoding="utf-8")
    result = primeval("search", "small.yaml", "--set", "failure.max_consecutive=9", cwd=folder)
    assert result.returncode == 0, result.stderr
    (folder / "output.txt").write_text(result.stdout, encoding="utf-8")
    return folder / "runs" / "small"


@pytest.fixture(scope="session")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run with failures, times, confirmations and hostile texts."""
    return troubled_folder(tmp_path_factory.mktemp("report") / "a <b> & 'c'")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """An installed Chromium, driven by playwright; without either the test is skipped."""
    from helpers.browser import ARGUMENTS, CHROMIUM, NAMES  # imports NumPy

    reason = "needs playwright: pip install -e .[dev]"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    if CHROMIUM is None:
        pytest.skip(f"needs Chromium: none of {', '.join(NAMES)} is on the PATH")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def ray_session() -> None:
    """A running Ray with four cores, enough for two pools; it is started once per process."""
    # it sets Ray's environment and imports Ray after that
    from primeval.evaluators.workers import ray_pool

    if ray_pool.ray.is_initialized():  # another file has started it
        return
    ray_pool.ray.init(  # it runs until this process ends
        address="local",  # do not join a cluster that happens to run here
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
