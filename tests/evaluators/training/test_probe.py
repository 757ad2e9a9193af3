"""The digest is equal for programs that train to the same result, and for no others."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from itertools import combinations

import numpy as np
import pytest
from helpers.places import HELPERS
from helpers.probes import SCALE, digest
from helpers.strategies import meaning, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from primeval.dna.cost import node_weight_shape
from primeval.dna.graph import build_graph
from primeval.dna.library import seed_names, seed_text
from primeval.dna.parsing import parse
from primeval.dna.printing import state_name
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Status
from primeval.evaluators.training.bounds import bounds_of
from primeval.primitives.vocabulary import PRIMITIVES

pytestmark = pytest.mark.tf

SEED = seed_text("transformer").replace(
    "constants 0 0.125", "constants 0 0.125 2 3 6 -1 -50 -60 0.01"
)
EXPLODING = ("EXP a", "MASK c", "RED_SUM a", "DIVIDE d e")
TWO, THREE, SIX, MINUS, LOW, LOWER, SMALL = (f"const{at}" for at in range(2, 9))


def body(name: str, *lines: str, text: str = SEED) -> str:
    """The program with new lines in one subprogram; their states are c, d, ... in order."""
    written = [f"  {state_name(at)} = {line}\n" for at, line in enumerate(lines, start=2)]
    found = re.sub(rf"(S\d {name}\(a, b\):\n)(  .*\n)+", rf"\1{''.join(written)}", text)
    assert found != text
    return found


def relu(*lines: str) -> str:
    """The Transformer with more lines after its ReLU."""
    return body("relu", "MAX a const0", *lines) if lines else SEED


def softmax(*lines: str) -> str:
    return body("attention_softmax", *lines)


def head(*lines: str) -> str:
    return body("head_projection", "CONV_1X1 a dim0", *lines)


SAME = {
    "x + x, and 2 x": (relu("ADD c c"), relu(f"C_MUL c {TWO}")),
    "a sum in another order": (
        relu("SIN c", "ADD c c", "ADD e d"),
        relu("SIN c", "ADD d c", "ADD c e"),
    ),
    "minus minus": (relu(f"C_MUL c {MINUS}", f"C_MUL d {MINUS}"), SEED),
    "a square": (relu("SQUARE c"), relu("MULTIPLY c c")),
    "two factors in one": (
        relu(f"C_MUL c {TWO}", f"C_MUL d {THREE}"),
        relu(f"C_MUL c {SIX}"),
    ),
    "a factor on either side of a product": (
        SEED,
        body(
            "self_attention", "S3 a a", "S3 a a", "S3 a a", "C_MUL d const1",
            "T_MAT_MUL c f", "S4 g g", "MAT_MUL h e",
        ),
    ),
    "bounds that can never be met": (relu("MAX c const0", "ABS d"), SEED),
    "a mean taken off twice": (
        SEED,
        body(
            "z_score", "RED_MEAN a", "DIFFERENCE a c", "RED_MEAN d", "DIFFERENCE d e",
            "MULTIPLY f f", "RED_MEAN g", "ABS_ROOT h", "DIVIDE f i",
        ),
    ),
    "masked before or after": (
        SEED,
        softmax("EXP a", "MASK c", "RED_SUM c", "DIVIDE d e"),
    ),
}  # fmt: skip

DIFFERENT = {
    "ReLU and GELU": (seed_text("transformer_gelu"), seed_text("transformer")),
    "a square and none": (relu("SQUARE c"), SEED),
    "scaled once and twice": (relu("SCALE c"), relu("SCALE c", "SCALE d")),
    "what does nothing at first": (relu("SCALE c"), SEED),
    "as much at first, by other weights": (relu("SCALE c"), relu("SHIFT c")),
    "scale and shift in another order": (
        relu("SCALE c", "SHIFT d"),
        relu("SHIFT c", "SCALE d"),
    ),
    "another constant": (SEED, body("relu", f"MAX a {SMALL}")),
    "bounds that no probe meets": (
        body("relu", f"MAX a {LOW}"),
        body("relu", f"MAX a {LOWER}"),
    ),
    "a bound that no probe meets, and none": (
        body("residual", "ADD a b", f"MAX c {LOW}"),
        SEED,
    ),
    "a difference turned around": (
        relu("SIN c", "DIFFERENCE c d"),
        relu("SIN c", "DIFFERENCE d c"),
    ),
    "a mean over a narrow head": (
        head("SQUARE c", "RED_MEAN d", "ABS_ROOT e", "DIVIDE c f"),
        head("SQUARE c", "ABS_ROOT d", "DIVIDE c e"),
    ),
    "other widths": (SEED.replace("dims 4 4 16", "dims 4 4 8"), SEED),
    "more taps than positions": (relu("DCONV_15X1 c"), relu("DCONV_31X1 c")),
    "a softmax that overflows": (
        SEED,
        softmax("RED_MAX a", "DIFFERENCE a c", "EXP d", "MASK e", "RED_SUM f", "DIVIDE f g"),
    ),
    "a constant beside what explodes": (
        softmax(*EXPLODING),
        body("relu", f"MAX a {SMALL}", text=softmax(*EXPLODING)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_two_ways_to_write_a_function_have_one_digest(name: str) -> None:
    one, other = SAME[name]
    assert build_graph(parse(one)).fingerprint != build_graph(parse(other)).fingerprint
    assert digest(one) is not None
    assert digest(one) == digest(other)


@pytest.mark.parametrize("name", DIFFERENT)
def test_programs_that_train_differently_have_different_digests(name: str) -> None:
    one, other = (digest(text) for text in DIFFERENT[name])
    assert None not in (one, other)
    assert one != other


def test_all_built_in_programs_have_different_digests() -> None:
    digests = [digest(seed_text(name)) for name in seed_names()]
    assert None not in digests
    assert all(one != other for one, other in combinations(digests, 2))


@pytest.mark.parametrize("lines", [("LOG c",), ("DIVIDE c c",)])
def test_a_program_that_is_not_finite_has_no_digest(lines: tuple[str, ...]) -> None:
    assert digest(relu(*lines)) is None


def test_a_program_without_gradients_has_no_digest() -> None:
    nothing = body("main", "S5 a a", "DIFFERENCE c c", "SIN d")
    assert digest(nothing) is None


def test_a_program_of_one_length_has_a_digest() -> None:
    scores = softmax("EXP a", "MASK c", "RED_SUM d", "DIVIDE d e", "SCALE f")
    assert build_graph(parse(scores)).fixed_length
    assert digest(scores) not in (None, digest(SEED))
    assert digest(scores) == digest(
        softmax("EXP a", "MASK c", "RED_SUM d", "DIVIDE d e", "SCALE f", "MASK g")
    )


def test_numbers_in_another_order_are_hashed_differently() -> None:
    from primeval.evaluators.training.probe import _quantised

    numbers = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert numbers.sum() == numbers[::-1].sum()
    assert _quantised(numbers) != _quantised(numbers[::-1])
    assert _quantised(numbers) != _quantised(numbers[:, ::-1])


@given(st.floats(1e-300, 1e300), st.sampled_from((1e-12, -1e-12)))
def test_a_hash_ignores_most_rounding_and_never_the_sixth_digit(
    number: float, noise: float
) -> None:
    from primeval.evaluators.training.probe import _quantised

    def digits(value: float) -> bytes:
        return _quantised(np.array([[value]]))

    assert digits(number) != digits(number * (1 + 4e-6))
    power = 2.0 ** np.frexp(number)[1]
    assert digits(power) == digits(power * (1 + noise))


SCRIPT = """
import json, sys
from helpers.probes import digest
from primeval.dna.library import seed_names, seed_text
print(json.dumps([digest(seed_text(name)) for name in seed_names()]))
"""


@pytest.mark.parametrize("threads", [1, 4])
def test_every_process_has_the_same_digests(threads: int) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(HELPERS.parent),
        "PYTHONHASHSEED": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
    }
    output = subprocess.check_output([sys.executable, "-c", SCRIPT], env=environment, text=True)
    assert json.loads(output) == [digest(seed_text(name)) for name in seed_names()]


def test_a_digest_leaves_the_global_random_generators_alone() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    assert digest(SEED) == digest(SEED)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index, union-attr]


def test_a_probe_never_raises() -> None:
    from primeval.evaluators.training.probe import probe

    for text in ("nonsense", SEED.replace("g = T_MAT_MUL f d", "g = MAT_MUL f d")):
        found = probe(Candidate(0, text, 1, probe=True), SCALE, PRIMITIVES)
        assert (found.status, found.digest) == (Status.PROBED, None)


def test_a_probe_costs_little_beside_a_training() -> None:
    """For comparison: compiling one candidate takes seconds."""
    from primeval.evaluators.training.probe import digest

    graph = build_graph(parse(SEED))
    digest(graph, SCALE)
    began = time.process_time()
    digest(graph, SCALE)
    assert time.process_time() - began < 0.4  # 0.06 on an idle machine


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 30))
def test_no_value_is_outside_its_bounds(seed: int, steps: int) -> None:
    from primeval.evaluators.training.probe import LENGTH, _differentiate, _numbers, _tiny_unit

    graph = meaning(mutated(random.Random(seed), steps))
    if graph is None:
        return
    unit = _tiny_unit(graph)
    weights = {
        at: _numbers(f"{seed} {at}", shape)
        for at, node in enumerate(graph.nodes)
        if (shape := node_weight_shape(graph, node, unit, LENGTH))
    }
    x = _numbers(str(seed), (2, LENGTH, graph.nodes[0].width.channels(unit)))
    with np.errstate(all="ignore"):
        values, _ = _differentiate(graph, x, weights)
    for node, value, (low, high) in zip(graph.nodes, values, bounds_of(graph), strict=True):
        if node.scores:
            rows, columns = np.tril_indices(LENGTH)
            value = value[..., rows, columns]
        room = 1e-9 * (1 + np.abs(value[np.isfinite(value)]).max(initial=0.0))
        assert not (value < low - room).any(), node
        assert not (value > high + room).any(), node
