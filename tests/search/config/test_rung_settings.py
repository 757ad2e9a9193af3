"""Rungs in a configuration: what they leave out, how they are named, what may change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from primeval.evaluators.settings import ModelSettings
from primeval.search.config.changes import refuse_incomparable
from primeval.search.config.config import load_config, parse_config, to_yaml
from primeval.search.errors import ConfigError

LADDER = """
model: {width: 64, layers: 1}
training: {learning_rate: 0.01}
data: {source: austen, tokenizer: sentencepiece, vocabulary: 512}
rungs:
- promote: 0.1
  model: {layers: 2, parameters: [100_000, 200_000]}
  candidate: {budget: {steps: 100}}
- promote: 5
  data: {files: [a.txt]}
"""


def test_a_rung_has_the_settings_that_it_does_not_override() -> None:
    config = parse_config(LADDER)

    second, third = config.on(2), config.on(3)
    assert second.model == ModelSettings(2, 64, (100_000, 200_000), None)  # no width
    assert second.training.learning_rate == third.training.learning_rate == 0.01
    assert third.model == config.model
    assert third.data.source is None
    assert third.data.vocabulary == 512
    assert parse_config(to_yaml(config)) == config


def test_a_rung_is_a_configuration_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ladder.yaml"
    path.write_text(LADDER, encoding="utf-8")
    config = load_config(f"{path}@2", ["model.layers=3"])

    assert config.run_dir == "runs/ladder@2"
    assert config.model.layers == 3
    assert not config.rungs
    assert config.candidate.budget.unit == "steps"
    assert load_config(f"{path}@1").model == parse_config(LADDER).model


def test_one_setting_of_one_rung_can_be_given() -> None:
    config = parse_config(LADDER, ["rungs.3.promote=2", "rungs.2.candidate.budget.tokens=9"])

    assert config.rungs[1].promote == 2
    assert config.rungs[0].candidate.budget.unit == "tokens"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("rungs.4.promote=1", "rungs above the first are 2 to 3. Received: 4"),
        ("rungs.promote=1", "rungs is a list"),
        ("rungs.2.promot=1", "rungs.2 has no setting 'promot'. Did you mean 'promote'?"),
        ("rungs.2.promote=1.5", "rungs.2.promote is a share below 1, or a whole number"),
        ("rungs.2.model.width=0", "rungs.2.model.width is at least 1"),
    ],
)
def test_a_wrong_rung_is_named(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse_config(LADDER, [assignment])


@pytest.mark.parametrize("number", [0, 4])
def test_a_rung_that_is_not_there_is_refused(number: int) -> None:
    with pytest.raises(ConfigError, match=f"3 rungs, numbered from 1. Received: {number}"):
        parse_config(LADDER, rung=number)


def test_a_run_may_get_a_rung_but_keeps_those_it_has() -> None:
    alone, ladder = parse_config(LADDER.partition("rungs")[0]), parse_config(LADDER)

    refuse_incomparable(alone, ladder)
    refuse_incomparable(ladder, parse_config(LADDER, ["rungs.2.promote=0.5"]))
    with pytest.raises(ConfigError, match=r"A run keeps its rungs\. It has 3"):
        refuse_incomparable(ladder, alone)
    with pytest.raises(ConfigError, match=r"another rungs\.2\.model\.layers"):
        refuse_incomparable(ladder, parse_config(LADDER, ["rungs.2.model.layers=5"]))
