"""An evaluator that scores a program's text in microseconds: for tests, docs and trying out.

It trains nothing and is deterministic. A search can climb its score: it rewards the paper's two
findings, a squared activation and depthwise convolutions on the projections, and it charges
for operations that a block could do without. On higher rungs convolutions are worth less.
"""

from __future__ import annotations

import math
from collections import deque

from primeval.dna.graph import recent_graph
from primeval.dna.parsing import parse
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.evaluators.task import Task
from primeval.primitives.language import make_language
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.primitives.widths import Rejection

BASE_LOSS, SQUARED, CONVOLVED = 2.0, 0.04, 0.02
PER_RUNG = 0.25  # every rung lowers all losses, as more training does
# CHOICE: each operation above this number (the Transformer has 36) costs a little; each one
# missing below it costs more. If shorter were always better, evolution would delete operations
# until programs have nothing left to mutate.
ENOUGH, PER_EXTRA, PER_MISSING = 28, 0.001, 0.01


class ToyEvaluator(Evaluator):
    """Scores a candidate when it is submitted; hurdles stop candidates as in training."""

    def __init__(self, task: Task) -> None:
        self.capacity = task.workers.count
        self._task = task
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
            final = toy_loss(candidate.text, self._vocabulary, candidate.rung)
        except Rejection as rejection:
            return Outcome(Status.REJECTED, message=str(rejection))
        budget = self._task.on(candidate.rung).candidate.budget
        steps = max(1, round(budget.amount))
        status, missed, curve = Status.COMPLETED, None, list[Point]()
        for hurdle, mark in enumerate(budget.marks()):
            loss = final + 1.0 - mark  # falls linearly to its final value
            curve.append(Point(max(1, round(mark * steps)), loss))
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


def toy_loss(text: str, vocabulary: Vocabulary = PRIMITIVES, rung: int = 1) -> float:
    """The score of a program on a rung, as a loss in nats per token.

    CHOICE: what helps a small model may help a large one less. So on rung r a convolution is
    worth one r-th of what it is on rung 1, and everything else the same: three convolutions
    beat a squared activation on rung 1, and lose to it on rung 2.

    Raises Rejection if the program has no meaning.
    """
    nodes = recent_graph(parse(text, vocabulary=vocabulary)).nodes
    squared = any(
        node.op == "SQUARE" and nodes[node.inputs[0]].op in ("MAX", "MIN") for node in nodes
    )
    convolved = sum(node.op.startswith("DCONV") for node in nodes)
    gain = SQUARED * squared + CONVOLVED / rung * min(convolved, 3)
    extra = len(nodes) - ENOUGH
    base = BASE_LOSS - PER_RUNG * (rung - 1)
    return base - gain + (PER_EXTRA * extra if extra > 0 else -PER_MISSING * extra)
