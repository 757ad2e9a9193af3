"""What an evaluator is given besides the candidates: a task, with the tasks of higher rungs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.settings import (
    CandidateSettings,
    ModelSettings,
    TrainingSettings,
    WorkerSettings,
)


@dataclass(frozen=True)
class TokenFiles:
    """Where a machine has the tokens of a corpus that were made on another one.

    Attributes:
        folder: Folder with one `.npy` file per split.
        bytes_per_token: Bytes of text per token of each split, as in `Corpus`; empty where
            there is no text.
    """

    folder: str
    bytes_per_token: Mapping[str, float]


@dataclass(frozen=True)
class Task:
    """Everything an evaluator needs to know, besides the candidate.

    Attributes:
        reference: Text of the program that `reference_steps` are measured by.
        seed: Seed of the order of the training data, equal for all candidates of a run.
        modules: Modules with users' primitives, which workers import first.
        split: The held-out text to measure losses on: `validation`, or `test` to confirm.
        tokens: What to read instead of `data`; None where this machine makes its own.
        higher: The tasks of rungs 2, 3, …; read them with `on`.
    """

    model: ModelSettings
    data: DataSettings
    training: TrainingSettings
    candidate: CandidateSettings
    workers: WorkerSettings
    reference: str
    seed: int = 0
    modules: tuple[str, ...] = ()
    split: str = "validation"
    tokens: TokenFiles | None = None
    higher: tuple[Task, ...] = ()

    @property
    def rungs(self) -> int:
        """How many rungs candidates may be trained on."""
        return 1 + len(self.higher)

    def on(self, rung: int) -> Task:
        """The task of a rung; that of rung 1 is this task itself.

        A higher rung has a model, data, training, candidate and tokens of its own. Everything
        else is as in this task, so that a change of it here holds for all rungs.
        """
        if rung == 1:
            return self
        return replace(
            self.higher[rung - 2],
            workers=self.workers,
            reference=self.reference,
            seed=self.seed,
            modules=self.modules,
            split=self.split,
        )
