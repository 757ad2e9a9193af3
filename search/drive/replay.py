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
from primeval.search.config.settings import RunConfig
from primeval.search.drive.starting import make_search, rungs_of
from primeval.search.errors import RunError
from primeval.search.run.folder import Run, stored_config
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
    search = make_search(_config_of(run, first), list(run.store.seeds.values()), run.language)
    outcomes, ahead = run.store.outcomes(), deque(events)
    for individual in run.store.individuals():
        while search.told < individual.told:
            _pass_by(run, search, ahead, derive > 0)
            _tell_next(run, search, next(outcomes, None))
        _pass_by(run, search, ahead, derive > 0)
        if individual.id >= first_derived:
            _compare(individual, _derived(run, search, individual))
        else:
            search.restore(individual)
    for told in outcomes:
        _pass_by(run, search, ahead, derive > 0)
        _tell_next(run, search, told)
    _pass_by(run, search, ahead, derive > 0)
    return search


def verify(run: Run) -> int:
    """Derive every individual of a run again; returns how many. Raises as `replay` does."""
    return replay(run, derive=run.store.asked()).asked


def _derived(run: Run, search: Search, recorded: Individual) -> Individual:
    """What the search asks for now; an injected program itself cannot be derived."""
    injected = recorded.parent is None and recorded.of is None
    if injected and recorded.id >= search.seed_count:
        return search.inject(recorded.program(run.language.vocabulary))
    return search.ask()


def _pass_by(run: Run, search: Search, ahead: deque[Event], compare: bool) -> None:
    """Deal with the events ahead whose asks and tells have all been replayed.

    Changed settings are applied; populations where the run stopped are compared if `compare`.
    """
    while ahead and search.asked >= ahead[0].asked and search.told >= ahead[0].told:
        event = ahead.popleft()
        if "config" in event.data:
            config = _config_of(run, event)
            search.change(config.search, rungs_of(config))
        elif compare and "population" in event.data:
            _compare_population(event, search)


def _config_of(run: Run, event: Event) -> RunConfig:
    return stored_config(run.store, event.data["config"], "run.sqlite")


def _compare_population(stop: Event, search: Search) -> None:
    was, now = stop.data["population"], search.digest
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
