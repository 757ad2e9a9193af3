"""From a store back to the state of its search: history is fed through ask and tell.

Resuming and verifying are the same walk. An individual is either taken from the store as it
is, or asked for again and compared: parent, edit, program, seed and bars must come out equal,
as all of them follow from the order of asks and tells.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields

from primeval.evaluators.outcome import Outcome
from primeval.search.evolution import Search
from primeval.search.locking import RunError
from primeval.search.population import Individual
from primeval.search.runs import Run, load_config_versions, make_search
from primeval.search.settings import RunConfig

# CHOICE: resuming derives the last few again, which is a second; `verify` derives them all.
VERIFIED_ON_RESUME = 25


class ReplayError(RuntimeError):
    """An individual that does not follow from the run's history."""


def replay(run: Run, derive: int = VERIFIED_ON_RESUME) -> Search:
    """The search as it stood when the run stopped; candidates without outcome in flight.

    Args:
        run: The run.
        derive: How many individuals, counted from the last, are derived again.

    Raises:
        ReplayError: if one of those comes out different.
        RunError: if the store contradicts itself.
    """
    first_derived = run.store.asked() - derive
    versions = deque(load_config_versions(run.store))
    search = make_search(versions.popleft()[2], list(run.store.seeds.values()))
    outcomes = run.store.outcomes()
    changes = _Changes(search, versions)
    for individual in run.store.individuals():
        while search.told < individual.told:
            changes.apply()
            _tell_next(run, search, next(outcomes, None))
        changes.apply()
        if individual.id >= first_derived:
            _compare(individual, _derived(search, individual))
        else:
            search.restore(individual)
    for told in outcomes:
        changes.apply()
        _tell_next(run, search, told)
    changes.apply()
    return search


def verify(run: Run) -> int:
    """Derive every individual of a run again; returns how many. Raises ReplayError."""
    return replay(run, derive=run.store.asked()).asked


def _derived(search: Search, recorded: Individual) -> Individual:
    """What the search asks for now. A program from outside cannot be derived, all else of
    its individual can."""
    if recorded.parent is None and recorded.id >= search.seed_count:
        return search.inject(recorded.program)
    return search.ask()


class _Changes:
    """Changed settings, each applied once the asks and tells before it have been."""

    def __init__(self, search: Search, versions: deque[tuple[int, int, RunConfig]]) -> None:
        self._search, self._versions = search, versions

    def apply(self) -> None:
        search = self._search
        while self._versions:
            asked, told, config = self._versions[0]
            if search.asked < asked or search.told < told:
                return
            search.change(config.search)
            self._versions.popleft()


def _tell_next(run: Run, search: Search, told: tuple[int, Outcome] | None) -> None:
    if told is None or told[0] not in search.in_flight:
        raise RunError(
            f"{run.store.path} contradicts itself: an outcome is missing, or belongs to nobody."
        )
    search.tell(*told)


def _compare(recorded: Individual, derived: Individual) -> None:
    for field in fields(Individual):
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
