"""What a user may set about a search: frozen values, composed with those of evaluation.

`config.py` reads them from YAML. The sections about training one candidate are defined where
they are used, in `evaluators/settings.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from primeval.dna.cost import Scale
from primeval.dna.mutations import MUTATIONS
from primeval.evaluators.settings import (
    CandidateSettings,
    DataSettings,
    ModelSettings,
    Task,
    TrainingSettings,
    WorkerSettings,
)

ALGORITHMS = ("evolution", "random", "hill_climbing")


@dataclass(frozen=True)
class SearchSettings:
    """How programs improve.

    Attributes:
        algorithm: `evolution` is the paper's. The others have the same budget and the same
            mutations: `random` draws parents without looking at fitness, `hill_climbing`
            always takes the best so far.
        seeds: Programs to start from: built-in names, paths of program texts, RUN:ID.
        population_size: Individuals alive at once; the oldest dies.
        tournament_size: Individuals drawn, of which the best becomes the parent.
        mutations: How often each mutation is drawn, by name; those left out never are.
        reevaluations: A program that is known and proposed again is trained again, with other
            weights, up to so many times; its fitness becomes the mean. 0: never.
    """

    algorithm: str = "evolution"
    seeds: tuple[str, ...] = ("transformer",)
    population_size: int = 100
    tournament_size: int = 10
    mutations: Mapping[str, float] = field(
        default_factory=lambda: dict.fromkeys(MUTATIONS, 1.0)
    )
    reevaluations: int = 0


@dataclass(frozen=True)
class LanguageSettings:
    """What programs may say.

    Attributes:
        modules: Python files or dotted names of modules with primitives of your own
            (docs/primitives.md); relative paths start at the current folder.
        primitives: Names of the primitives the search may use; all of them if none are given.
        constants: Constants in the bank; None for as many as the seeds have.
        dims: Relative widths in the bank; None for as many as the seeds have.
    """

    modules: tuple[str, ...] = ()
    primitives: tuple[str, ...] = ()
    constants: int | None = None
    dims: int | None = None


@dataclass(frozen=True)
class SearchBudget:
    """When the search stops, whichever comes first.

    Attributes:
        max_candidates: Individuals evaluated, or found to be known; seeds included.
        max_time: Seconds of running, summed over resumes; None for no limit.
        max_compute: Seconds of workers' time, summed over candidates: all they take, compiling
            and failing too; None for no limit.
        target_loss: Validation loss, in nats per token, that is good enough; None for none.
    """

    max_candidates: int = 1000
    max_time: float | None = None
    max_compute: float | None = None
    target_loss: float | None = None


@dataclass(frozen=True)
class FailureSettings:
    """When to give up.

    Attributes:
        max_consecutive: Candidates that fail one after the other before the search stops.
    """

    max_consecutive: int = 20


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run.

    Attributes:
        seed: From which every random choice follows.
        run_dir: Folder of the run; relative to where the command is given.
        keep_weights: Trained weights are kept of so many individuals, the fittest.
        tensorboard: Whether scalars for TensorBoard are written into the run's folder.
    """

    seed: int = 0
    run_dir: str = ""
    keep_weights: int = 10
    tensorboard: bool = False
    search: SearchSettings = field(default_factory=SearchSettings)
    language: LanguageSettings = field(default_factory=LanguageSettings)
    budget: SearchBudget = field(default_factory=SearchBudget)
    candidate: CandidateSettings = field(default_factory=CandidateSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    failure: FailureSettings = field(default_factory=FailureSettings)

    @property
    def scale(self) -> Scale:
        """The scale at which candidates are measured and trained."""
        return self.model.scale(self.data.vocabulary)

    def task(self, reference: str) -> Task:
        """What an evaluator needs to know; `reference` is the first seed's text."""
        return Task(
            self.model,
            self.data,
            self.training,
            self.candidate,
            self.workers,
            reference,
            self.seed,
            self.language.modules,
        )
