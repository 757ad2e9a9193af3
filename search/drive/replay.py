"""From a store back to the state of its search: history is fed through ask and tell.

Resuming and verifying are the same walk. An individual is either taken from the store as it
is, or asked for again and compared: parent, edit, program, seed and thresholds must come out
equal, as all of them follow from the order of asks and tells. Wherever the run stopped, the
population must be the one that was noted there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields

from primeval.evaluators.outcome import Outcome
from primeval.primitives.errors import WorkError
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import parse_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.starting import make_search
from primeval.search.errors import RunError
from primeval.search.run.folder import Run
from primeval.search.run.reader import Event

# CHOICE: resuming derives only the last few again, which takes a second; `verify` all of them.
VERIFIED_ON_RESUME = 25


class ReplayError(WorkError):
    """An individual, or a population, that does not follow from the run's history."""


def replay(run: Run, derive: int = VERIFIED_ON_RESUME) -> Search:
    """The search as it was when the run stopped; individuals without an outcome are in flight.

    Args:
        run: The run.
        derive: How many individuals, counted from the last, are derived again.

    Raises:
        ReplayError: One of those, or the population where the run stopped, comes out different.
        RunError: The store contradicts itself.
    """
    first_derived = run.store.asked() - derive
    first, *events = run.store.events()
    search = make_search(_config_of(first), list(run.store.seeds.values()), run.language)
    outcomes, milestones = run.store.outcomes(), _Milestones(search, events, derive > 0)
    for individual in run.store.individuals():
        while search.told < individual.told:
            milestones.pass_by()
            _tell_next(run, search, next(outcomes, None))
        milestones.pass_by()
        if individual.id >= first_derived:
            _compare(individual, _derived(run, search, individual))
        else:
            search.restore(individual)
    for told in outcomes:
        milestones.pass_by()
        _tell_next(run, search, told)
    milestones.pass_by()
    return search


def verify(run: Run) -> int:
    """Derive every individual of a run again; returns how many. Raises as `replay` does."""
    return replay(run, derive=run.store.asked()).asked


def _derived(run: Run, search: Search, recorded: Individual) -> Individual:
    """What the search asks for now; an injected program itself cannot be derived."""
    if recorded.parent is None and recorded.id >= search.seed_count:
        return search.inject(recorded.program(run.language.vocabulary))
    return search.ask()


class _Milestones:
    """Events between asks and tells, in order.

    Changed settings are applied; populations where the run stopped are compared.
    """

    def __init__(self, search: Search, events: list[Event], compare: bool) -> None:
        self._search, self._compare = search, compare
        self._ahead = deque(one for one in events if {"config", "population"} & one.data.keys())

    def pass_by(self) -> None:
        """Deal with the events whose asks and tells have all been replayed."""
        search = self._search
        while self._ahead:
            event = self._ahead[0]
            if search.asked < event.asked or search.told < event.told:
                return
            if "config" in event.data:
                search.change(_config_of(event).search)
            elif self._compare:
                _compare_population(event, search)
            self._ahead.popleft()


def _config_of(event: Event) -> RunConfig:
    return parse_config(event.data["config"], source="run.sqlite")


def _compare_population(stop: Event, search: Search) -> None:
    was, now = stop.data["population"], search.population.digest
    if was != now:
        raise ReplayError(
            f"The population does not follow from the run's history: when the run stopped "
            f"after {stop.told:,} outcomes its hash was {was[:16]}…, and now it comes out as "
            f"{now[:16]}…. Was the run made by another version of primeval?"
        )


def _tell_next(run: Run, search: Search, told: tuple[int, Outcome] | None) -> None:
    if told is None or told[0] not in search.in_flight:
        raise RunError(
            f"{run.store.path} contradicts itself: an outcome is missing, or its individual is."
        )
    search.tell(*told)


def _compare(recorded: Individual, derived: Individual) -> None:
    for field in (one for one in fields(Individual) if one.compare):
        was, now = getattr(recorded, field.name), getattr(derived, field.name)
        if was != now:
            raise ReplayError(
                f"Individual {recorded.id} does not follow from the run's history: its "
                f"{field.name} is recorded as {_short(was)} and comes out as {_short(now)}. "
                "Was the run made by another version of primeval?"
            )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
