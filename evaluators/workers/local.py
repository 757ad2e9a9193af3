"""Evaluates candidates in this process, one at a time: for debugging and single machines.

CHOICE: nothing here can stop a candidate that hangs or runs out of memory; `ray` can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from primeval.evaluators.data.corpus import Corpus
from primeval.evaluators.data.ladder import load_corpora
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.runtime import limit_threads
from primeval.evaluators.task import Task
from primeval.evaluators.training.trial import evaluate
from primeval.evaluators.training.workbench import Workbench


class LocalEvaluator(Evaluator):
    """Trains inside `wait`, in the order of submission.

    Args:
        task: The settings that all candidates share.
        corpora: The tokens of each rung, if they are open already.

    Raises:
        DataError: The tokens of a rung cannot be had, or are too few.
    """

    probes = True

    def __init__(self, task: Task, corpora: Sequence[Corpus] = ()) -> None:
        limit_threads(task.workers.threads)
        self._bench = Workbench(task, corpora or load_corpora(task))
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
