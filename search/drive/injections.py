"""Programs that the user gives to a run, while it is driven or while it is stopped.

`primeval inject` appends them to the store. The driver looks there between events and takes
them in order, each once: the individual made of a program and the note that the program was
taken are one transaction.
"""

from __future__ import annotations

import logging
import time

from primeval.dna.bank import with_bank
from primeval.dna.check import ProgramError, check
from primeval.dna.cost import measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.primitives.language import Language
from primeval.primitives.widths import Rejection
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.config.settings import RunConfig
from primeval.search.errors import RunError
from primeval.search.run.folder import Run
from primeval.search.run.reader import Injection

EVENT = "injected"
LOOK_SECONDS = 0.1  # before an empty queue is looked at again

log = logging.getLogger(__name__)


def fitted(
    text: str, name: str, config: RunConfig, language: Language
) -> tuple[Program, Graph]:
    """A program as a run can take it, and its graph. Raises RunError if the run cannot.

    It is read as text, as it may come from a run with other primitives of the same names.
    """
    try:
        program = parse(text, name, language.vocabulary)
        program = with_bank(program, config.language.constants, config.language.dims)
        check(program, language.drawn)
        graph = build_graph(program)
        measure(graph, config.scale)
    except (ProgramError, Rejection) as error:
        raise RunError(f"{name} cannot be injected into this run: {error}") from None
    return program, graph


def inject(run: Run, programs: dict[str, Program]) -> dict[str, int | None]:
    """Leave programs, by name, for the run's driver.

    Returns, for each name, the individual that is the same program already, or None. Raises
    RunError, and leaves none, if the run cannot take one of them.
    """
    made = {
        name: fitted(format_program(program), name, run.config, run.language)
        for name, program in programs.items()
    }
    for name, (program, _) in made.items():
        run.store.append_injection(name, format_program(program))
    return {name: run.store.find(graph.fingerprint) for name, (_, graph) in made.items()}


class Injections:
    """The queue of injected programs, as the driver takes them."""

    def __init__(self, run: Run) -> None:
        self._store, self._config, self._language = run.store, run.config, run.language
        taken = (event.data["seq"] for event in run.store.events() if event.kind == EVENT)
        self._taken: int = max(taken, default=0)
        self._look_at = 0.0  # monotonic clock

    def take(self, search: Search, elapsed: float) -> Individual | None:
        """An individual of the next program that waits, appended to the store; or None."""
        while search.asked >= search.seed_count and (found := self._next()) is not None:
            try:
                program, _ = fitted(found.text, found.name, self._config, self._language)
            except RunError as error:  # settings have changed since
                log.warning("%s", error)
                data = {"seq": found.seq, "name": found.name, "id": None, "message": str(error)}
                self._store.append_event(EVENT, data, elapsed)
                continue
            individual = search.inject(program)
            self._store.append_individual(individual, elapsed, found)
            return individual
        return None

    def _next(self) -> Injection | None:
        now = time.monotonic()
        if now < self._look_at:
            return None
        found = self._store.injection(self._taken)
        if found is None:
            self._look_at = now + LOOK_SECONDS
        else:
            self._taken = found.seq
        return found
