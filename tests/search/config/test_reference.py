"""docs/configuration.md says of every setting what the code says of it."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from types import ModuleType

import pytest
from helpers.places import DOCS

from primeval.evaluators.budget import Budget
from primeval.evaluators.limits import Count, Settings, field_types
from primeval.evaluators.task import Task, TokenFiles
from primeval.search.config import changes
from primeval.search.config.config import load_config, parse_config
from primeval.search.config.keys import alternatives, sections


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("configuration", DOCS / "configuration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Planted(Settings):
    """A section.

    Attributes:
        told: It has a sentence.
    """

    told: int = 0
    untold: Count = 1


def without_a_sentence(generator: ModuleType, cls: type) -> list[str]:
    """Fields of a class about which its docstring says nothing, settings classes apart."""
    fields = (name for name in field_types(cls) if name in generator.single_keys(cls))
    return [name for name in fields if not generator.sentence(cls, name)]


def test_the_page_is_what_its_generator_writes(generator: ModuleType) -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert generator.written(page) == page, "run python docs/configuration.py"


def test_a_new_setting_makes_the_page_differ(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "sections", lambda: [*sections(), ("planted", Planted)])
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert "| `told` | whole number | `0` | It has a sentence. |" in generator.written(page)
    assert generator.written(page) != page


def test_every_setting_has_a_sentence(generator: ModuleType) -> None:
    for cls in [*(cls for _, cls in sections()), Budget, TokenFiles, Task]:
        assert cls.__doc__
        assert without_a_sentence(generator, cls) == [], cls


def test_a_setting_without_a_sentence_is_found(generator: ModuleType) -> None:
    assert without_a_sentence(generator, Planted) == ["untold"]


def test_no_sentence_is_about_a_setting_that_does_not_exist(generator: ModuleType) -> None:
    for _, cls in sections():
        assert generator.sentences(cls).keys() <= field_types(cls).keys()


def test_the_example_of_the_page_is_valid() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert parse_config(example).workers.memory == 3 << 29


@pytest.mark.parametrize("path", [*changes.FIXED, *changes.FREE])
def test_what_a_resumed_run_may_change_is_said_of_real_settings(path: str) -> None:
    settings = changes.flat(load_config("toy"))
    assert any(key == path or key.startswith(f"{path}.") for key in settings)


def test_settings_that_exclude_each_other_are_found_by_their_full_name() -> None:
    assert alternatives("model.width") == ("model.parameters", "model.width")
    assert "candidate.budget.steps" in alternatives("candidate.budget.seconds")
    assert alternatives("model.layers") == alternatives("width") == ()
