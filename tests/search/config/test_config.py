"""Configurations: strict, exact about mistakes, and the same when read back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from helpers.toys import TOY
from hypothesis import given, settings
from hypothesis import strategies as st

from primeval.evaluators.errors import SettingError
from primeval.evaluators.settings import WorkerSettings
from primeval.search.config.config import config_names, load_config, parse_config, to_yaml
from primeval.search.config.settings import RunConfig, SearchSettings
from primeval.search.errors import ConfigError


@pytest.mark.parametrize("name", config_names())
def test_packaged_configurations_load_and_read_back_equal(name: str) -> None:
    config = load_config(name)
    assert config.run_dir == f"runs/{name}"
    assert parse_config(to_yaml(config)) == config


@pytest.mark.parametrize("name", config_names())
def test_packaged_configurations_open_with_what_they_cost(name: str) -> None:
    text = (resources.files("primeval.configs") / f"{name}.yaml").read_text()
    opening = text.split("\n\n")[0]
    assert all(line.startswith("#") for line in opening.splitlines())
    assert "Cost:" in opening


def test_the_papers_configuration_has_the_papers_numbers() -> None:
    config = load_config("paper_lm1b")
    marks = [round(mark * 25_200, 1) for mark in config.candidate.budget.marks()]
    assert marks == [812.9, 2438.7, 5690.3, 12193.5, 25200.0]
    assert config.training.batch_size * config.model.length == 4096
    assert (config.search.population_size, config.search.tournament_size) == (100, 10)


def test_the_run_folder_follows_the_files_name(config_file: Path) -> None:
    assert load_config(str(config_file)).run_dir == "runs/toy"
    assert load_config(str(config_file), run_dir="elsewhere").run_dir == "elsewhere"


WRONG = {
    "serch: {}": "line 1: there is no setting 'serch'. Did you mean 'search'?",
    "search:\n  population: 4": "line 2: search has no setting 'population'. "
    "Did you mean 'population_size'?",
    "search: {population_size: many}": "search.population_size is a whole number. "
    "Received: 'many'.",
    "search: {population_size: 0}": "search.population_size is at least 1. Received: 0.",
    "search: {population_size: 2.5}": "is a whole number. Received: '2.5'",
    'search: {population_size: "4"}': "is a whole number. Received: '4'",
    "search: {population_size: 4}": "search.tournament_size: a tournament is drawn from",
    "search: {algorithm: evolutoin}": "Received: 'evolutoin'. Did you mean 'evolution'?",
    "search: {seeds: transformer}": "search.seeds is a list. Received: 'transformer'.",
    "search: {seeds: []}": "search.seeds needs at least one entry",
    "search: {seeds: [1]}": "search.seeds is text (put quotes around it",
    "search: [1, 2]": "search is a mapping of settings. Received: a list of 2.",
    "search: {mutations: {inserts: 1}}": "no setting 'inserts'. Did you mean 'insert'?",
    "search: {mutations: {insert: -1}}": "search.mutations.insert is at least 0",
    "search: {mutations: {insert: 0}}": "search.mutations needs a weight above 0",
    "budget: {max_time: soon}": "budget.max_time is a time such as 90s, 10m or 2h",
    "budget: {max_time: 0}": "budget.max_time is above 0",
    "candidate: {budget: {step: 4}}": "has no setting 'step'. Did you mean 'steps'?",
    "candidate: {budget: {steps: 4, tokens: 9}}": "exactly one unit of",
    "candidate: {budget: 4}": "candidate.budget is one of {",
    "candidate: {hurdles: 40}": "candidate.hurdles is at most 10",
    "candidate: {hurdle: 4}": "no setting 'hurdle'. Did you mean 'hurdles'?",
    "model: {parameters: [1, 2], width: 4}": "or width, not both",
    "model: {layers: 2}": "give either parameters: [smallest, largest] or width, not neither",
    "budget: {max_time: 1h 1h}": "budget.max_time is a time such as 90s, 10m or 2h",
    "candidate: {budget: {steps: 0}}": "candidate.budget.steps is above 0. Received: 0.",
    "data: {tfds: lm1b, examples: 0}": "data.examples is at least 1. Received: 0.",
    "data: {source: mine.txt}": "For other text: data.files or data.tfds.",
    "data: {\n  download: true}": "line 2: data.download is about data sets",
    "training: {accumulation: 3}": "line 1: training.accumulation: the batch is cut into equal",
    "model: {parameters: [9, 2]}": "the window is [smallest, largest]",
    "model: {parameters: [9]}": "model.parameters is a list of 2. Received: a list of 1.",
    "model: {width: 4, tied: maybe}": "model.tied is true or false. Received: 'maybe'.",
    "data: {source: austin}": "austen",
    "data: {source: austen, tfds: lm1b}": "exclude each other",
    "training: {learning_rate: .inf}": "training.learning_rate is a number",
    "training: {learning_rate: inf}": "training.learning_rate is a finite number",
    "training: {optimizer: adm}": "Did you mean 'adam'?",
    "workers: {evaluator: rya}": "Did you mean 'ray'?",
    "seed: 1\nseed: 2": "line 2: the key 'seed' is given twice. First: config, line 1.",
    "search: {a: [}": "line 1: this is not YAML",
    "- 1": "a configuration is a mapping",
    "? [a]\n: 1": "a key is a word",
    "a: &a [*a]": "not that large or deep",
}


@pytest.mark.parametrize("text", WRONG)
def test_every_mistake_is_named_where_it_stands(text: str) -> None:
    whole = text if "model" in text else f"{text}\nmodel: {{width: 64}}"
    with pytest.raises(ConfigError) as error:
        parse_config(text if text.startswith("-") else whole)
    assert "config" in str(error.value)
    assert WRONG[text] in str(error.value)


def test_aliases_cannot_multiply_without_end() -> None:
    lines = ["a0: &a0 [1]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)
    ]
    with pytest.raises(ConfigError, match="not that large"):
        parse_config("\n".join(lines))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("quikstart", "Did you mean 'quickstart'?"),
        ("configs/nowhere.yaml", "There is no configuration"),
        ("/", "is a folder"),
    ],
)
def test_a_missing_configuration_offers_the_nearest(reference: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(reference)
    assert message in str(error.value)


def test_a_missing_file_offers_its_neighbour(config_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean .*toy\.yaml"):
        load_config(str(config_file.with_name("toyy.yaml")))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00seed")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(str(path))


def test_set_overrides_one_value() -> None:
    config = parse_config(TOY, ["budget.max_time=2h", "search.mutations={insert: 2}"])
    assert config.budget.max_time == 7200
    assert config.search.mutations == {"insert": 2}
    assert config.search.population_size == 8


def test_set_of_one_unit_or_width_drops_the_other() -> None:
    config = parse_config(TOY, ["candidate.budget.seconds=5", "model.width=64"])
    assert (config.candidate.budget.unit, config.candidate.budget.amount) == ("seconds", 5)
    assert config.model.parameters is None


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("search.populaton_size=4", "Did you mean 'population_size'?"),
        ("search.population_size=x", "is a whole number. Received: 'x'"),
        ("seed.value=3", "seed is a single value. Received: a mapping."),
        ("seed", "--set takes key.path=value"),
        ("=3", "--set takes key.path=value"),
        ("seed=[", "this is not YAML"),
    ],
)
def test_set_is_checked_like_the_file(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(TOY, [assignment])
    assert message in str(error.value)
    assert f"--set {assignment}" in str(error.value) or "key.path" in str(error.value)


def test_numbers_are_read_as_people_write_them() -> None:
    sets = ["training.learning_rate=1e-3", "budget.max_candidates=25_000", "seed=1e3"]
    config = parse_config(TOY, sets)
    assert config.training.learning_rate == 0.001
    assert (config.budget.max_candidates, config.seed) == (25_000, 1000)


def test_paths_of_data_are_absolute_once_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    config = parse_config(TOY, [f"data.files=[{tmp_path}/../{tmp_path.name}/a.txt]"])
    assert config.data.files == (str(tmp_path / "a.txt"),)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    unit=st.sampled_from(["reference_steps", "steps", "tokens", "flops", "seconds"]),
    amount=st.floats(0.5, 1e15),
    hurdles=st.integers(0, 10),
    rate=st.floats(1e-9, 10),
    timeout=st.floats(0.01, 1e6),
    weights=st.dictionaries(
        st.sampled_from(["insert", "delete", "swap"]), st.floats(0.1, 5), min_size=1
    ),
)
def test_what_is_written_reads_back_equal(
    seed: int,
    unit: str,
    amount: float,
    hurdles: int,
    rate: float,
    timeout: float,
    weights: dict[str, float],
) -> None:
    sets = [
        f"seed={seed}",
        f"candidate.budget.{unit}={amount!r}",
        f"candidate.hurdles={hurdles}",
        f"training.learning_rate={rate!r}",
        f"candidate.timeout={timeout!r}",
        f"search.mutations={weights}",
    ]
    config = parse_config(TOY, sets)
    assert parse_config(to_yaml(config)) == config


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", "search: ", "model: {width: ", "data:\n  "]))
def test_any_text_is_a_configuration_or_a_clear_error(text: str, before: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_config(before + text), RunConfig)


def test_limits_hold_for_settings_made_in_python_too() -> None:
    with pytest.raises(SettingError, match=r"population_size is at least 1\. Received: 0"):
        SearchSettings(population_size=0)
    with pytest.raises(SettingError, match="Did you mean 'ray'"):
        WorkerSettings(evaluator="rya")


def test_a_field_added_to_settings_can_be_set_at_once(
    toy_config: Callable[..., RunConfig],
) -> None:
    config = toy_config("workers.recycle_after=7")
    assert config.workers.recycle_after == 7
