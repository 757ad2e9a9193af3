"""One candidate from text to outcome: build, compile, calibrate, train past the hurdles."""

from __future__ import annotations

import math
from pathlib import Path

import tensorflow as tf

from primeval.dna.cost import Cost, measure
from primeval.dna.graph import recent_graph
from primeval.dna.parsing import parse
from primeval.evaluators.errors import described
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.lowering.model import save_weights
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.evaluators.training.allowance import Allowance
from primeval.evaluators.training.probe import probe
from primeval.evaluators.training.stopwatch import Stopwatch
from primeval.evaluators.training.trainer import Trainer
from primeval.evaluators.training.workbench import Workbench
from primeval.primitives.widths import Rejection


def evaluate(bench: Workbench, candidate: Candidate) -> Outcome:
    """Probe or train one candidate. Raises nothing: a failure comes back as an outcome.

    Args:
        bench: That of rung 1, which has the other ones.
        candidate: A candidate of any rung.
    """
    if candidate.probe:
        return probe(candidate, bench.scale, bench.vocabulary)
    trial = _Trial(bench, candidate)
    try:
        return trial.run()
    except Rejection as rejection:
        return trial.outcome(Status.REJECTED, message=str(rejection))
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        return trial.outcome(Status.OUT_OF_MEMORY, message=described(error))
    except Exception as error:  # a candidate may fail in any way, and the run must continue
        return trial.outcome(Status.CRASHED, message=described(error))


class _Trial:
    """The training of one candidate, with what has been found out so far.

    Attributes:
        bench: That of the candidate's rung, once it is there.
        cost, trainer, allowance: None until the candidate has got that far.
        curve: Its validations.
    """

    def __init__(self, bench: Workbench, candidate: Candidate) -> None:
        self.bench, self.candidate = bench, candidate
        self.watch = Stopwatch()
        self.cost: Cost | None = None
        self.trainer: Trainer | None = None
        self.allowance: Allowance | None = None
        self.curve: list[Point] = []

    def run(self) -> Outcome:
        """Build, compile and train the candidate. Raises whatever goes wrong with it."""
        candidate, watch = self.candidate, self.watch
        with watch.measure("build"):
            self.bench = self.bench.on(candidate.rung)  # may open the tokens of the rung
            # it is known from the probe, if there was one
            name, vocabulary = f"candidate {candidate.id}", self.bench.vocabulary
            graph = recent_graph(parse(candidate.text, name, vocabulary))
            self.cost = measure(graph, self.bench.scale)
            trainer = self.bench.trainer(self.cost, candidate.seed, candidate.data_seed)
            self.trainer = trainer
        # CHOICE: a program whose first step is not finite will not train. Compiling and
        # calibrating it costs as much as a hundred steps, and one child in five is like that.
        with watch.measure("check"):
            if not trainer.starts_finite():
                return self.outcome(Status.DIVERGED, message="nan or inf from the first step")
        with watch.measure("trace"):
            trainer.trace()
        with watch.measure("compile"):
            trainer.compile()
        self.allowance = Allowance(self.bench, trainer, self.cost, watch)
        total = self.allowance.total(self.bench.is_reference(graph))
        if not total:
            return self.outcome(Status.DIVERGED, message="loss not finite in calibration")
        trainer.plan(total)
        return self._train(trainer, self.allowance, total)

    def _train(self, trainer: Trainer, allowance: Allowance, total: int) -> Outcome:
        """Train from hurdle to hurdle, as far as the candidate gets."""
        for hurdle, mark in enumerate(self.bench.task.candidate.budget.marks()):
            if hurdle == 1:
                total = allowance.refined(total)
            loss = self._train_to(trainer, max(1, round(mark * total)))
            if not math.isfinite(loss):
                return self.outcome(Status.DIVERGED, message=f"loss {loss}")
            if self.candidate.misses(hurdle, loss):
                return self.outcome(Status.STOPPED, loss, hurdle)
        if self.candidate.weights is not None:
            trainer.store_weights()
            save_weights(trainer.model, Path(self.candidate.weights))
        return self.outcome(Status.COMPLETED, self.curve[-1].loss)

    def _train_to(self, trainer: Trainer, step: int) -> float:
        """Train up to a step and validate; the loss in nats per token, finite or not."""
        if step > trainer.steps:
            with self.watch.measure("train"):
                loss = trainer.advance(step - trainer.steps)
            if not math.isfinite(loss):
                return loss
        with self.watch.measure("evaluate"):
            loss = trainer.validate()
        self.curve.append(Point(trainer.steps, loss))
        return loss

    def outcome(
        self,
        status: Status,
        loss: float | None = None,
        hurdle: int | None = None,
        message: str = "",
    ) -> Outcome:
        """How the candidate ended, with everything that was measured on the way."""
        trainer, cost, size = self.trainer, self.cost, self.bench.bytes_per_token
        bits = None if loss is None or size is None else loss / math.log(2) / size
        timed = trainer is not None and math.isfinite(trainer.step_seconds)
        return Outcome(
            status,
            loss=loss,
            bits_per_byte=bits,
            accuracy=trainer.accuracy if trainer and loss is not None else None,
            hurdle=hurdle,
            curve=tuple(self.curve),
            steps=trainer.steps if trainer else 0,
            step_ms=1e3 * trainer.step_seconds if trainer and timed else None,
            step_ratio=self.allowance.ratio if self.allowance else None,
            seconds=self.watch.seconds,
            parameters=cost.parameters if cost else None,
            flops=cost.flops if cost else None,
            message=message,
        )
