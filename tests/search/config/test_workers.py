"""Memory and resources of workers, as they are written in YAML."""

from __future__ import annotations

import pytest
from helpers.toys import TOY

from primeval.search.config.config import parse_config, to_yaml
from primeval.search.errors import ConfigError

WORKERS = "workers: {evaluator: toy, count: 1"


def test_what_a_worker_may_use_survives_the_yaml() -> None:
    given = "memory: 1.5GB, gpus: 0.25, gpu_memory: 5GB, resources: {tpu_host: 1, slot: 0.5}"
    config = parse_config(TOY.replace(WORKERS, f"{WORKERS}, {given}"))
    assert config.workers.memory == 3 << 29
    assert config.workers.resources == {"tpu_host": 1.0, "slot": 0.5}
    assert parse_config(to_yaml(config)) == config


@pytest.mark.parametrize("size", ["512", "1000000001", "1.17GB", "1500MB"])
def test_a_size_that_is_no_round_number_survives_the_yaml(size: str) -> None:
    config = parse_config(TOY, [f"workers.memory={size}"])
    assert parse_config(to_yaml(config)) == config


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("memory: lots", "workers.memory is a size such as 500MB or 4GB. Received: 'lots'"),
        ("memory: 0", "workers.memory is at least 1"),
        ("resources: {slot: 0}", "workers.resources.slot is above 0"),
        ("resources: [slot]", "workers.resources is a mapping of names to amounts"),
        ("grace: soon", "workers.grace is a time"),
        ("retries: -1", "workers.retries is at least 0"),
    ],
)
def test_what_a_worker_cannot_use_is_named(given: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(TOY.replace(WORKERS, f"{WORKERS}, {given}"))
    assert problem in str(raised.value)
