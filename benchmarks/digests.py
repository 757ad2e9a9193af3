"""Are programs with equal digests really the same program, and how often are digests equal?

    python benchmarks/digests.py [--children 1000] [--seed 0] [--json]

Children are drawn as a search without selection draws them, and probed. A child with the
digest of an earlier one is compared with it where the digest does not look: at the real widths
and length, with other weights and another input, in all of the output and all gradients. Pairs
that differ there are printed. There must be none, as a wrong equality loses a program.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from typing import Any

from primeval.evaluators.runtime import import_tensorflow

import_tensorflow()

import numpy as np
import tensorflow as tf

from primeval.dna.cost import Scale, measure, node_weight_shape
from primeval.dna.graph import Graph, build_graph
from primeval.dna.library import load_seed
from primeval.dna.mutate import mutate
from primeval.dna.program import Program
from primeval.dna.writing.diff import diff
from primeval.evaluators.training.probe import _differentiate, _numbers, _weight_labels, digest

SCALE = Scale(layers=1, vocabulary=256, length=64, window=(60_000, 80_000))  # quickstart
ALIVE = 12  # parents are drawn from this many of the latest programs
INPUTS = np.reshape([1.0, 0.2], (-1, 1, 1))
# Rounding allowed: of a number, of the largest in its array, and of the largest gradient.
RELATIVE, OF_ARRAY, OF_ALL = 1e-6, 1e-8, 1e-10


def numbers_of(graph: Graph) -> list[np.ndarray]:
    """Output and gradients at the real scale, with weights in the order of the digest."""
    cost = measure(graph, SCALE)
    weights = {}
    for label, number in _weight_labels(cost.graph).items():
        shape = node_weight_shape(cost.graph, cost.graph.nodes[number], cost.unit, SCALE.length)
        weights[number] = _numbers(f"{label} elsewhere", shape)
    x = _numbers("elsewhere", (len(INPUTS), SCALE.length, cost.width)) * INPUTS
    values, gradients = _differentiate(cost.graph, x, weights)
    return [values[-1], *gradients]


def agree(one: list[np.ndarray], other: list[np.ndarray]) -> bool | None:
    """Whether they compute the same at the real scale; None if values are not finite there."""
    if not all(np.isfinite(array).all() for array in (*one, *other)):
        return None
    largest = max(float(np.abs(array).max()) for array in one[1:])
    return len(one) == len(other) and all(
        a.shape == b.shape
        and np.allclose(a, b, RELATIVE, OF_ARRAY * np.abs(a).max() + OF_ALL * largest)
        for a, b in zip(one, other, strict=True)
    )


class Children:
    """Draws programs one after the other, each with a graph of its own."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._alive = [load_seed("transformer")]
        self._known = {build_graph(self._alive[0]).fingerprint}

    def next(self) -> tuple[Program, Graph]:
        child = mutate(
            self._rng.choice(self._alive[-ALIVE:]),
            self._rng,
            known=self._known.__contains__,
            viable=lambda graph: measure(graph, SCALE),
        )
        self._known.add(child.graph.fingerprint)
        return child.program, child.graph

    def keep(self, program: Program) -> None:
        self._alive.append(program)


def look(count: int, seed: int) -> dict[str, Any]:
    children, found = Children(seed), dict[str, Program]()
    tally, times = Counter[str](), []
    for _ in range(count):
        program, graph = children.next()
        began = time.process_time()
        key = digest(graph, SCALE)
        times.append(time.process_time() - began)
        if key is None:
            tally["without a digest"] += 1
        elif key not in found:
            found[key] = program
            children.keep(program)
            tally["new"] += 1
        else:
            tally["known"] += 1
            verdict = agree(numbers_of(build_graph(found[key])), numbers_of(graph))
            tally[{True: "agree", False: "DISAGREE", None: "not finite there"}[verdict]] += 1
            if verdict is False:
                print("These two disagree:")
                print(
                    "\n".join(f"{line.sign} {line.text}" for line in diff(found[key], program))
                )
    return {**tally, "cpu_ms": 1e3 * float(np.median(times))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--children", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    np.seterr(all="ignore")
    figures = look(args.children, args.seed)
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:<24} {value:>8.0f}")


if __name__ == "__main__":
    main()
