"""Many generated programs keep every promise of the language (`benchmarks/soundness.py`)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from helpers.places import BENCHMARKS
from helpers.strategies import SEEDS, meaning, programs
from hypothesis import given
from hypothesis import strategies as st

from primeval.dna.graph import build_graph
from primeval.dna.liveness import Liveness
from primeval.dna.mutations import MUTATIONS, Choices
from primeval.dna.program import Program


def inspected(count: int) -> dict[str, dict[str, int]]:
    """Counts of outcomes by source of the programs; a broken promise makes the process fail."""
    command = [sys.executable, BENCHMARKS / "soundness.py", "--json", "--programs", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes: dict[str, dict[str, int]] = json.loads(done.stdout)["outcomes"]
    return outcomes


def test_hundreds_of_programs_keep_every_promise() -> None:
    outcomes = inspected(400)
    assert outcomes["named"] == {"runs": len(SEEDS)}
    assert sum(sum(counts.values()) for counts in outcomes.values()) == 400
    assert outcomes["mutated blindly"]["rejected"] > 20
    assert outcomes["mutated, meaning kept"]["runs"] > 50


@pytest.mark.slow
def test_thousands_of_programs_keep_every_promise() -> None:
    """`benchmarks/soundness.py` does the same with 20,000 programs."""
    outcomes = inspected(4_000)
    assert sum(sum(counts.values()) for counts in outcomes.values()) == 4_000


@pytest.fixture(scope="module")
def soundness() -> ModuleType:
    """The benchmark on the real Keras, which must be imported before it."""
    pytest.importorskip("keras")
    import keras  # noqa: F401

    sys.path.insert(0, str(BENCHMARKS))
    import soundness

    return soundness


@pytest.mark.tf
def test_tensorflow_keeps_every_promise(soundness: ModuleType) -> None:
    inspection = soundness.inspect_programs(60, seed=1)
    assert sum(counts["runs"] for counts in inspection.outcomes.values()) > 20


@pytest.mark.tf
@pytest.mark.parametrize("name", list(SEEDS))
def test_numpy_stands_in_for_tensorflow(name: str, soundness: ModuleType) -> None:
    """NumPy gives the same numbers as TensorFlow: what is inspected is what is trained."""
    cost = soundness.measure(build_graph(SEEDS[name]), soundness.SCALE)
    x = soundness.probe(cost, 0)
    real = soundness.run(soundness.built_block(cost, 0), cost, x)[-1]
    code = (
        "import sys, soundness as s\n"
        "from primeval.dna.library import load_seed\n"
        f"cost = s.measure(s.build_graph(load_seed({name!r})), s.SCALE)\n"
        "y = s.run(s.built_block(cost, 0), cost, s.probe(cost, 0))[-1]\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print(y.ravel().tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BENCHMARKS, capture_output=True, text=True, check=True
    )
    stand_in = np.array(json.loads(done.stdout)).reshape(x.shape)
    np.testing.assert_allclose(np.asarray(real), stand_in, rtol=1e-3, atol=1e-3)


@given(program=programs(), seed=st.integers(0, 2**32), kind=st.sampled_from(list(MUTATIONS)))
def test_what_is_called_unchanged_has_the_same_graph(
    program: Program, seed: int, kind: str
) -> None:
    mutated = MUTATIONS[kind](program, Choices(random.Random(seed)))
    if mutated is None or not Liveness(program).unchanged(mutated):
        return
    before, after = meaning(program), meaning(mutated.program)
    assert (before and before.text) == (after and after.text)
