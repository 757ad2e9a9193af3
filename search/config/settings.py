"""What a user may set about a search: frozen values, composed with those of evaluation.

`config.py` reads them from YAML. The sections about training one candidate are defined where
they are used, in `evaluators/settings.py`. The sentences under `Attributes` are what
docs/configuration.md prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from primeval.dna.check import MAX_BANK
from primeval.dna.cost import Scale
from primeval.dna.mutations import MUTATIONS
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import SettingError
from primeval.evaluators.limits import Count, Limit, Seconds, Settings
from primeval.evaluators.settings import (
    CandidateSettings,
    ModelSettings,
    TrainingSettings,
    WorkerSettings,
)
from primeval.evaluators.task import Task
from primeval.primitives.language import Language, make_language

ALGORITHMS = ("evolution", "random", "hill_climbing")
FIRST_HIGHER = 2  # the number of the first rung in `rungs`; rung 1 is the configuration itself


@dataclass(frozen=True)
class SearchSettings(Settings):
    """How programs improve.

    Attributes:
        algorithm: How a parent is chosen. `evolution` is the paper's tournament; `random` draws
            it without looking at fitness; `hill_climbing` always takes the best so far. All
            have the same budget and mutations.
        seeds: Programs to start from: built-in names, paths of program texts, `RUN:ID`.
        population_size: Members alive at once, 100 as in the paper; when a new one enters, the
            oldest dies.
        tournament_size: Members drawn, of which the fittest becomes the parent, 10 as in the
            paper; at most `population_size`.
        mutations: Relative frequency of each mutation, by name. A mutation left out of the
            mapping is never drawn.
        reevaluations: How often a program that is proposed again is trained again, with other
            weights; its fitness becomes the mean. 0: never.
    """

    algorithm: Annotated[str, Limit(choices=ALGORITHMS)] = "evolution"
    seeds: Annotated[tuple[str, ...], Limit(some=True)] = ("transformer",)
    population_size: Annotated[int, Limit(least=1, most=1_000_000, unit="individuals")] = 100
    tournament_size: Annotated[int, Limit(least=1, unit="individuals")] = 10
    # CHOICE: a mutation left out of the mapping is never drawn.
    mutations: Annotated[
        Mapping[str, float], Limit(least=0, some=True, choices=tuple(MUTATIONS))
    ] = field(default_factory=lambda: dict.fromkeys(MUTATIONS, 1.0))
    reevaluations: Annotated[int, Limit(least=0, most=1000)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tournament_size > self.population_size:
            raise SettingError(
                "tournament_size",
                "tournament_size: a tournament is drawn from the population, at most "
                f"{self.population_size}. Received: {self.tournament_size}.",
            )


@dataclass(frozen=True)
class LanguageSettings(Settings):
    """What programs may be made of.

    Attributes:
        modules: Python files or dotted names of modules with primitives of your own
            (primitives.md). Relative paths start at the current folder.
        primitives: Names of the primitives that the search may use; all of them if the list is
            empty.
        constants: Constants in a program's bank; by default as many as the seeds have.
        dims: Relative widths in a program's bank; by default as many as the seeds have.
    """

    modules: tuple[str, ...] = ()
    primitives: tuple[str, ...] = ()
    constants: Annotated[int, Limit(least=1, most=MAX_BANK)] | None = None
    dims: Annotated[int, Limit(least=1, most=MAX_BANK)] | None = None


@dataclass(frozen=True)
class SearchBudget(Settings):
    """When the search stops: at whichever of these limits it reaches first.

    Attributes:
        max_candidates: Number of individuals that are evaluated or recognised as known. Seeds,
            promotions and replicates count too.
        max_time: Running time, summed over resumes; by default no limit.
        max_compute: Workers' time, summed over candidates, compiling and failures included; by
            default no limit.
        target_loss: Validation loss at which the search is content; by default none.
    """

    max_candidates: Count = 1000
    max_time: Seconds | None = None
    max_compute: Seconds | None = None
    target_loss: Annotated[float, Limit(unit="nats per token")] | None = None


@dataclass(frozen=True)
class FailureSettings(Settings):
    """When a search gives up.

    Attributes:
        max_consecutive: Candidates that may fail one after the other before the search stops,
            promotions included.
    """

    max_consecutive: Annotated[int, Limit(least=1, unit="candidates")] = 20


@dataclass(frozen=True)
class RungSettings(Settings):
    """A rung above the first: the best of the rung below are trained again, at another scale.

    `rungs:` lists them from the second on. What a rung leaves out is as in the configuration.

    Attributes:
        promote: How many programs of the rung below are trained on this one: below 1 a share of
            those that were trained there, otherwise a whole number, the best that many.
        model: Settings of `model` that differ.
        data: Settings of `data` that differ.
        training: Settings of `training` that differ.
        candidate: Settings of `candidate` that differ.
    """

    promote: Annotated[float, Limit(above=0)] = 0.1
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    candidate: CandidateSettings = field(default_factory=CandidateSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.promote >= 1 and not float(self.promote).is_integer():
            raise SettingError(
                "promote",
                "promote is a share below 1, or a whole number of programs. "
                f"Received: {self.promote:g}.",
            )
        _check_scale(self.model, self.data)


@dataclass(frozen=True)
class RunConfig(Settings):
    """Settings of the run as a whole, and the sections below.

    Attributes:
        seed: Number from which every random choice of the run follows.
        run_dir: Folder of the run, relative to the current folder; if empty, `runs/` and the
            name of the configuration.
        keep_weights: How many of the fittest individuals keep their trained weights on disk.
        tensorboard: Whether scalars for TensorBoard are written into the run's folder.
    """

    seed: Annotated[int, Limit(least=0, most=2**63 - 1)] = 0
    run_dir: str = ""
    keep_weights: Annotated[int, Limit(least=0, unit="individuals")] = 10
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
    rungs: tuple[RungSettings, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_scale(self.model, self.data)

    @property
    def scale(self) -> Scale:
        """The scale at which candidates of rung 1 are measured and trained."""
        return self.model.scale(self.data.vocabulary)

    @property
    def rung_numbers(self) -> range:
        """The numbers of the rungs: 1, 2, … ."""
        return range(1, len(self.rungs) + FIRST_HIGHER)

    def on(self, rung: int) -> RunConfig:
        """The configuration of one rung alone, without a ladder."""
        if rung < FIRST_HIGHER:
            return replace(self, rungs=())
        chosen = self.rungs[rung - FIRST_HIGHER]
        return replace(
            self,
            model=chosen.model,
            data=chosen.data,
            training=chosen.training,
            candidate=chosen.candidate,
            rungs=(),
        )

    def replicates(self, rung: int) -> int:
        """How often the first seed is trained on a rung; scores of `toy` have no noise."""
        return 1 if self.workers.evaluator == "toy" else self.on(rung).candidate.replicates

    def make_language(self) -> Language:
        """The language of its programs. Imports the modules that it names.

        Raises PrimitiveError if one of them is not usable, or a primitive does not exist.
        """
        return make_language(self.language.modules, self.language.primitives)

    def task(self, reference: str) -> Task:
        """What an evaluator needs to know of all rungs; `reference`: the first seed's text."""
        return Task(
            self.model,
            self.data,
            self.training,
            self.candidate,
            self.workers,
            reference,
            self.seed,
            self.language.modules,
            higher=tuple(self.on(rung).task(reference) for rung in self.rung_numbers[1:]),
        )


def _check_scale(model: ModelSettings, data: DataSettings) -> None:
    """Raises SettingError unless a model's size is given in one way, and its length will do."""
    if bool(model.parameters) == bool(model.width):
        raise SettingError(
            "model",
            "model: give either parameters: [smallest, largest] or width, not "
            f"{'both' if model.width else 'neither'}.",
        )
    data.require_room(model.length)
