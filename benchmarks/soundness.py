"""Twenty thousand programs, each checked against every promise of the language.

    python benchmarks/soundness.py [--programs 20000] [--seed 0] [--json]

Programs come from chains of 1 to 50 random mutations of every named program (blind ones, and
ones that keep a meaning), and from random generation at the Transformer's length. No program
may raise. Each is either rejected with a reason or lowered to a layer. Then every value has the
shape that the graph promised, no output depends on a later token, and parameters and FLOPs are
as counted beforehand. Text round-trips. Fingerprints are equal exactly when canonical graphs
are, and do not change when a program is rewritten without changing its meaning. The counts of
outcomes are printed; the paper (section 2) found that 78 % of random programs of the seed's
length cannot train.

Kernels, lowering and layer are the real ones, on NumPy in place of TensorFlow
(`numpy_keras.py`), which is thirty times faster at this size.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tests")]

import numpy as np
import numpy_keras

numpy_keras.install()

from keras import ops
from sound_programs import Sample, rewritten, samples

from primeval.dna.check import ProgramError, check
from primeval.dna.cost import Cost, Scale, channels, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.infer import INPUT_OP, Node
from primeval.dna.liveness import Liveness
from primeval.dna.mutations import MUTATIONS, Choices, Mutated
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.evaluators.lowering.block import GraphBlock
from primeval.evaluators.lowering.walk import node_values
from primeval.primitives.kernels import WEIGHTED
from primeval.primitives.widths import Rejection

LENGTH = 5
SCALE = Scale(1, 16, LENGTH, (1_000, 40_000))
TOLERANCE = 1e-4


class BrokenPromise(AssertionError):  # noqa: N818, it is what is being looked for
    """A promise of the language does not hold; the message contains the program."""


def _hold_liveness(parent: Graph, mutated: Mutated) -> None:
    """Where liveness finds nothing changed, the child's graph equals the parent's."""
    if Liveness(parent.program).unchanged(mutated):
        same = parent.fingerprint == build_graph(mutated.program).fingerprint
        _promise(same, "an unchanged program keeps its graph", mutated.program)


def _promise(kept: bool, what: str, program: Program) -> None:
    if not kept:
        raise BrokenPromise(f"{what}:\n{format_program(program)}")


class Inspection:
    """Checks programs against the promises, one after the other, and counts the outcomes."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Counter[str]] = {}
        self.reasons: Counter[str] = Counter()
        self._texts: dict[str, str] = {}  # fingerprint -> canonical graph as text
        self._fingerprints: dict[str, str] = {}

    def look_at(self, sample: Sample, number: int) -> None:
        counts = self.outcomes.setdefault(sample.source, Counter())
        try:
            counts[self._outcome(sample.program, number)] += 1
        except (Rejection, ProgramError) as reason:
            _promise(bool(str(reason)), "a rejection has a reason", sample.program)
            self.reasons[_kind(str(reason))] += 1
            counts["rejected"] += 1

    def _outcome(self, program: Program, number: int) -> str:
        check(program)
        _promise(parse(format_program(program)) == program, "text round-trips", program)
        graph = build_graph(program)
        self._hold_fingerprint(graph, number)
        for kind in MUTATIONS.values():
            if mutated := kind(program, Choices(random.Random(number))):
                _hold_liveness(graph, mutated)
        cost = measure(graph, SCALE)
        block = built_block(cost, number)
        _hold_parameters(block, cost, program)
        values = run(block, cost, probe(cost, number))
        output = trained(block, probe(cost, number))
        _hold_shapes(cost, values)
        _hold_flops(cost, values, program)
        _hold_plan(values[-1], output, program)
        return "runs" if _hold_causality(output, program) else "not finite"

    def _hold_fingerprint(self, graph: Graph, number: int) -> None:
        program, fingerprint, text = graph.program, graph.fingerprint, graph.text
        _promise(
            self._texts.setdefault(fingerprint, text) == text
            and self._fingerprints.setdefault(text, fingerprint) == fingerprint,
            "fingerprints are equal exactly when graphs are",
            program,
        )
        other = rewritten(program, random.Random(number))
        same = build_graph(other).fingerprint == fingerprint
        _promise(same, "rewriting keeps the fingerprint", program)


def _kind(reason: str) -> str:
    """A reason without the place where it was found."""
    reason = reason.split(": ", 1)[-1] if reason.startswith("S") else reason
    return "".join(letter for letter in reason if not letter.isdigit())[:60]


def built_block(cost: Cost, seed: int) -> GraphBlock:
    """The layer, with random values in all its weights."""
    block = GraphBlock(cost.graph, cost.unit, LENGTH, seed, dtype="float64")
    block.build((LENGTH, LENGTH, cost.width))
    rng = np.random.default_rng(seed)
    for weight in block.trainable_weights:
        noise = rng.normal(0, 0.2, weight.shape)
        weight.assign(ops.convert_to_numpy(weight) + noise)
    return block


def probe(cost: Cost, seed: int) -> np.ndarray:
    """A batch: row 0 is an input; row t has other numbers from position t on."""
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.normal(size=(1, LENGTH, cost.width)), LENGTH, axis=0)
    for position in range(1, LENGTH):
        x[position, position:] = rng.normal(0, 3, x[position, position:].shape)
    return x


def run(block: GraphBlock, cost: Cost, x: np.ndarray) -> list[Any]:
    """The value of every node, computed step by step in the graph's order."""

    def weigh(number: int, node: Node, operand: Any) -> Any:
        return WEIGHTED[node.op](operand, block.weight_of[number])

    with np.errstate(all="ignore"):
        return node_values(cost.graph, ops.convert_to_tensor(x), weigh)


def trained(block: GraphBlock, x: np.ndarray) -> Any:
    """The block's output, computed by the walk that trains."""
    with np.errstate(all="ignore"):
        return block.call(ops.convert_to_tensor(x))


def _hold_plan(literal: Any, output: Any, program: Program) -> None:
    """Rewriting the graph changes no number that is finite in both forms."""
    one, other = ops.convert_to_numpy(literal), ops.convert_to_numpy(output)
    if np.isfinite(one).all() and np.isfinite(other).all():
        gap = np.abs(one - other).max() / max(1.0, np.abs(one).max())
        _promise(gap < TOLERANCE, f"rewriting changes the output by {gap:.2g}", program)


def _hold_parameters(block: GraphBlock, cost: Cost, program: Program) -> None:
    built = sum(math.prod(weight.shape) for weight in block.trainable_weights)
    outer = cost.width * (SCALE.vocabulary + LENGTH + 2)
    _promise(built + outer == cost.parameters, "parameters are as counted", program)


def _hold_shapes(cost: Cost, values: list[Any]) -> None:
    for node, value in zip(cost.graph.nodes, values, strict=True):
        last = channels(node, cost.unit, LENGTH)
        promised = (LENGTH, *node.over, LENGTH, last)
        what = f"the value of {node.op} is {promised}, not {tuple(value.shape)}"
        _promise(tuple(value.shape) == promised, what, cost.graph.program)


def _hold_flops(cost: Cost, values: list[Any], program: Program) -> None:
    """FLOPs counted from the tensors that were really made equal those counted beforehand."""
    total = sum(
        _flops(node, [values[read] for read in node.inputs], values[number])
        for number, node in enumerate(cost.graph.nodes)
    )
    per_token = total // (LENGTH * LENGTH) + 2 * cost.width * SCALE.vocabulary
    _promise(per_token == cost.flops, f"FLOPs are {per_token}, not {cost.flops}", program)


def _flops(node: Node, operands: list[Any], result: Any) -> int:
    if node.primitive is None or node.op == INPUT_OP:
        return 0
    size, first = math.prod(result.shape), operands[0]
    taps = node.primitive.kernel_width
    if node.op.startswith("CONV"):
        return 2 * size * taps * int(first.shape[-1])
    if node.op.startswith("DCONV"):
        return 2 * size * taps
    if node.op in ("MAT_MUL", "T_MAT_MUL"):
        return 2 * size * int(first.shape[-1])
    if node.op.startswith("RED_"):
        return math.prod(first.shape)
    return node.primitive.flops * size


def _hold_causality(output: Any, program: Program) -> bool:
    """No output depends on a later input; returns False where values are not finite.

    One value that is not finite makes the whole loss so, which ends the candidate. So a program
    cannot gain anything from it.
    """
    y = ops.convert_to_numpy(output)
    if not np.isfinite(y).all():
        return False
    for position in range(1, LENGTH):
        size = max(1.0, np.abs(y[[0, position]]).max())
        gap = np.abs(y[0, :position] - y[position, :position]).max() / size
        _promise(gap < TOLERANCE, f"position {position} is seen earlier", program)
    return True


def inspect_programs(count: int, seed: int = 0) -> Inspection:
    inspection = Inspection()
    for number, sample in enumerate(samples(count, seed)):
        inspection.look_at(sample, number)
    return inspection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    inspection = inspect_programs(args.programs, args.seed)
    if args.json:
        print(json.dumps({"outcomes": inspection.outcomes, "reasons": inspection.reasons}))
        return
    kinds = ("runs", "not finite", "rejected")
    print(f"{'programs':<24}" + "".join(f"{kind:>12}" for kind in (*kinds, "all")))
    for source, counts in inspection.outcomes.items():
        cells = [counts[kind] for kind in kinds] + [counts.total()]
        print(f"{source:<24}" + "".join(f"{cell:>12,}" for cell in cells))
    print("\nrejected because")
    for reason, count in inspection.reasons.most_common(12):
        print(f"{count:>8,}  {reason}")


if __name__ == "__main__":
    main()
