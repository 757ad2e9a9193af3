"""Evaluates candidates in this process, one at a time: for debugging and single machines.

CHOICE: nothing here can stop a candidate that hangs or runs out of memory; `ray` can.
"""

from __future__ import annotations

from collections import deque

import tensorflow as tf

from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.settings import Task
from primeval.evaluators.training.probe import probe
from primeval.evaluators.training.trial import Workbench


class LocalEvaluator(Evaluator):
    """Trains when asked for results, in the order of submission."""

    capacity, probes = 1, True

    def __init__(self, task: Task) -> None:
        limit_threads(task.workers.threads)
        self._bench = Workbench(task, task.split)
        self._waiting: deque[Candidate] = deque()

    def submit(self, candidate: Candidate) -> None:
        self._waiting.append(candidate)

    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        if not self._waiting:
            return []
        candidate = self._waiting.popleft()
        return [(candidate.id, evaluate(self._bench, candidate))]

    def close(self) -> None:
        self._waiting.clear()


def evaluate(bench: Workbench, candidate: Candidate) -> Outcome:
    """One candidate, probed or trained."""
    if candidate.probe:
        return probe(candidate, bench.scale, bench.vocabulary)
    return bench.evaluate(candidate)


def limit_threads(threads: int) -> None:
    """Let TensorFlow use so many cores; has no effect once it has started working."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # it has started already: keep its setting
        pass
