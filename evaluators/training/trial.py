"""One candidate from text to outcome: build, compile, calibrate, train past the hurdles.

A `Workbench` holds what candidates share in a process: the tokens and the compiled
reference program. `evaluate` never raises for a candidate that fails; it says how.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from primeval.dna.cost import Cost, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.evaluators.data.corpus import open_corpus, require_windows
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.lowering.model import save_weights
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.evaluators.settings import Task
from primeval.evaluators.training.allowance import Allowance
from primeval.evaluators.training.trainer import Trainer, token_tensors
from primeval.primitives.language import make_language
from primeval.primitives.widths import Rejection

MESSAGE_LENGTH = 2000


class Stopwatch:
    """Seconds by cause."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, cause: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(cause, time.perf_counter() - start)

    def add(self, cause: str, seconds: float) -> None:
        self.seconds[cause] = self.seconds.get(cause, 0.0) + seconds


class Workbench:
    """Evaluates candidates in this process, one after the other.

    Args:
        task: The settings all candidates share.
        split: The held-out text to validate on.
    """

    def __init__(self, task: Task, split: str = "validation") -> None:
        self.task = task
        self.vocabulary = make_language(task.modules).vocabulary
        corpus = open_corpus(task)
        length, batch = task.model.length, task.training.batch_size
        windows = batch * task.training.validation_batches
        require_windows(corpus.train, length, batch, "training text")
        require_windows(getattr(corpus, split), length, windows, f"{split} text")
        self.scale = task.model.scale(corpus.vocabulary)
        self.bytes_per_token = corpus.bytes_per_token[split]
        self._data = token_tensors(corpus, split, task.training, task.model.length)
        self._reference_graph = self.graph(task.reference, "reference")
        self._reference: Trainer | None = None
        # CHOICE: on one core steps are compared by the CPU time of this process, which other
        # processes do not add to: beside two busy ones ratios spread by 8 %, by wall time 87 %.
        alone = task.workers.threads == 1 and not tf.config.list_physical_devices("GPU")
        self.clock = time.process_time if alone else time.perf_counter

    def evaluate(self, candidate: Candidate) -> Outcome:
        """Train one candidate. Failures come back as outcomes."""
        trial = _Trial(self, candidate)
        try:
            return trial.run()
        except Rejection as rejection:
            return trial.outcome(Status.REJECTED, message=str(rejection))
        except (MemoryError, tf.errors.ResourceExhaustedError) as error:
            return trial.outcome(Status.OUT_OF_MEMORY, message=_short(error))
        except Exception as error:  # a candidate may fail in any way; the run goes on
            return trial.outcome(Status.CRASHED, message=_short(error))

    def reference(self) -> Trainer:
        """The reference program, compiled once per process."""
        if self._reference is None:
            cost = measure(self._reference_graph, self.scale)
            self._reference = self.trainer(cost, seed=0)
            self._reference.trace()
            self._reference.compile()
        return self._reference

    def graph(self, text: str, name: str) -> Graph:
        """What a program means. Raises ProgramError, or Rejection."""
        return build_graph(parse(text, name, self.vocabulary))

    def is_reference(self, graph: Graph) -> bool:
        return graph.fingerprint == self._reference_graph.fingerprint

    def trainer(self, cost: Cost, seed: int, data_seed: int | None = None) -> Trainer:
        """A program about to be trained, on the run's order of the data or another."""
        order = self.task.seed if data_seed is None else data_seed
        return Trainer(self.scale, cost, self.task.training, self._data, seed, order)


class _Trial:
    """The evaluation of one candidate, with what it has found out so far."""

    def __init__(self, bench: Workbench, candidate: Candidate) -> None:
        self.bench, self.candidate = bench, candidate
        self.watch = Stopwatch()
        self.cost: Cost | None = None
        self.curve: list[Point] = []
        self.allowance: Allowance | None = None
        self.step_seconds = math.inf
        self.steps = 0

    def run(self) -> Outcome:
        with self.watch.measure("build"):
            graph = self.bench.graph(self.candidate.text, f"candidate {self.candidate.id}")
            self.cost = measure(graph, self.bench.scale)
            trainer = self.bench.trainer(
                self.cost, self.candidate.seed, self.candidate.data_seed
            )
        # CHOICE: a program whose first step is not a number will not train; compiling it, and
        # calibrating, costs as much as a hundred steps, and one child in five is of the kind.
        with self.watch.measure("check"):
            if not trainer.starts_finite():
                return self.outcome(Status.DIVERGED, message="nan or inf from the first step")
        with self.watch.measure("trace"):
            trainer.trace()
        with self.watch.measure("compile"):
            trainer.compile()
        self.allowance = Allowance(self.bench, trainer, self.cost, self.watch)
        total = self.allowance.total(self.bench.is_reference(graph))
        self.steps = trainer.steps
        if not total:
            return self.outcome(Status.DIVERGED, message="loss not finite in calibration")
        trainer.plan(total)
        for hurdle, mark in enumerate(self.bench.task.candidate.budget.marks()):
            if hurdle == 1:
                total = self.allowance.refined(total)
            loss = self._train_to(trainer, max(1, round(mark * total)))
            if not math.isfinite(loss):
                return self.outcome(Status.DIVERGED, message=f"loss {loss}")
            if self._misses(hurdle, loss):
                return self.outcome(Status.STOPPED, loss, hurdle)
        if self.candidate.weights is not None:
            trainer.store_weights()
            save_weights(trainer.model, Path(self.candidate.weights))
        return self.outcome(Status.COMPLETED, self.curve[-1].loss)

    def _timed(self, trainer: Trainer, steps: int) -> float:
        with self.watch.measure("train"):
            start = time.perf_counter()
            loss = trainer.advance(steps)
            spent = time.perf_counter() - start
        self.step_seconds = min(self.step_seconds, spent / steps)
        self.steps = trainer.steps
        return loss

    def _train_to(self, trainer: Trainer, step: int) -> float:
        """Train up to a step of its own and validate; the loss, finite or not."""
        if step > trainer.steps:
            loss = self._timed(trainer, step - trainer.steps)
            if not math.isfinite(loss):
                return loss
        with self.watch.measure("evaluate"):
            loss = trainer.validate()
        self.curve.append(Point(trainer.steps, loss))
        return loss

    def _misses(self, hurdle: int, loss: float) -> bool:
        thresholds = self.candidate.thresholds
        bar = thresholds[hurdle] if hurdle < len(thresholds) else None
        return bar is not None and loss > bar

    def outcome(
        self,
        status: Status,
        loss: float | None = None,
        hurdle: int | None = None,
        message: str = "",
    ) -> Outcome:
        bits, found, step = None, self.allowance, self.step_seconds
        if found is not None:
            step = min(step, found.step_seconds)
        if loss is not None:
            bits = loss / math.log(2) / self.bench.bytes_per_token
        return Outcome(
            status,
            loss=loss,
            bits_per_byte=bits,
            hurdle=hurdle,
            curve=tuple(self.curve),
            steps=self.steps,
            step_ms=1e3 * step if math.isfinite(step) else None,
            step_ratio=found.ratio if found else None,
            seconds=self.watch.seconds,
            parameters=self.cost.parameters if self.cost else None,
            flops=self.cost.flops if self.cost else None,
            message=message,
        )


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]
