"""An evaluator that scores a program's text in microseconds: for tests, docs and trying out.

It trains nothing and is deterministic. A search can climb its score: it rewards the paper's two
findings, a squared activation and depthwise convolutions on the projections, and it charges
for operations that a block could do without.
"""

from __future__ import annotations

import math
from collections import deque

from primeval.dna.graph import recent_graph
from primeval.dna.parsing import parse
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.evaluators.settings import Task
from primeval.primitives.language import make_language
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.primitives.widths import Rejection

BASE_LOSS, SQUARED, CONVOLVED = 2.0, 0.04, 0.02
# CHOICE: each operation above this number (the Transformer has 36) costs a little; each one
# missing below it costs more. If shorter were always better, evolution would delete operations
# until programs have nothing left to mutate.
ENOUGH, PER_EXTRA, PER_MISSING = 28, 0.001, 0.01


class ToyEvaluator(Evaluator):
    """Scores a candidate when it is submitted; hurdles stop candidates as in training."""

    def __init__(self, task: Task) -> None:
        self.capacity = task.workers.count
        self._marks = task.candidate.budget.marks()
        self._steps = max(1, round(task.candidate.budget.amount))
        self._vocabulary = make_language(task.modules).vocabulary
        self._done: deque[tuple[int, Outcome]] = deque()

    def submit(self, candidate: Candidate) -> None:
        self._done.append((candidate.id, self._outcome(candidate)))

    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        return [self._done.popleft()] if self._done else []

    def close(self) -> None:
        self._done.clear()

    def _outcome(self, candidate: Candidate) -> Outcome:
        try:
            final = toy_loss(candidate.text, self._vocabulary)
        except Rejection as rejection:
            return Outcome(Status.REJECTED, message=str(rejection))
        status, missed, curve = Status.COMPLETED, None, list[Point]()
        for hurdle, mark in enumerate(self._marks):
            loss = final + 1.0 - mark  # falls linearly to its final value
            curve.append(Point(max(1, round(mark * self._steps)), loss))
            if candidate.misses(hurdle, loss):
                status, missed = Status.STOPPED, hurdle
                break
        return Outcome(
            status,
            loss=loss,
            bits_per_byte=loss / math.log(2),
            hurdle=missed,
            curve=tuple(curve),
            steps=curve[-1].step,
            step_ms=0.0,
        )


def toy_loss(text: str, vocabulary: Vocabulary = PRIMITIVES) -> float:
    """The score of a program, as a loss in nats per token.

    Raises Rejection if the program has no meaning.
    """
    nodes = recent_graph(parse(text, vocabulary=vocabulary)).nodes
    squared = any(
        node.op == "SQUARE" and nodes[node.inputs[0]].op in ("MAX", "MIN") for node in nodes
    )
    convolved = sum(node.op.startswith("DCONV") for node in nodes)
    gain = SQUARED * squared + CONVOLVED * min(convolved, 3)
    extra = len(nodes) - ENOUGH
    return BASE_LOSS - gain + (PER_EXTRA * extra if extra > 0 else -PER_MISSING * extra)
