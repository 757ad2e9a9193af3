"""What a running search shows: a line per candidate, or a live picture on a terminal."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.scripts.tables.noise import marked, noise_lines, short_noise
from primeval.scripts.tables.ranking import status_text
from primeval.scripts.tables.terminal import Painted
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.drive.progress import Progress
from primeval.search.run.folder import Run
from primeval.search.views.comparing import (
    SEED_ID,
    Verdict,
    finite,
    judge,
    loss_gap,
    mean_outcome,
)
from primeval.search.views.ranking import describe_edit
from primeval.search.views.rungs import RungFigures, read_rungs, rung_figures

HOUR = 3600
MARKED, UNMARKED = len("-0.0000 noise"), len("-0.0000")
EVERY = 0.25  # seconds of running after which the best is looked at again


class Tally(Progress):
    """What the lines and the picture both show: how far, how fast, and what the noise is.

    Attributes:
        seeds: The first seed's outcomes, by rung.
        flying: Individuals that are being evaluated, by their numbers.
    """

    def __init__(self) -> None:
        self.seeds: dict[int, list[Outcome]] = {}
        self.flying: dict[int, Individual] = {}

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        self.run, self.search = run, search
        self.first_told, self.first_elapsed, self.elapsed = search.told, elapsed, elapsed
        for rung, outcome in enumerate(read_rungs(run).seeds, 1):
            self.seeds[rung] = [] if outcome is None else [outcome]

    def asked(self, individual: Individual) -> None:
        self.flying[individual.id] = individual

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self.elapsed = elapsed
        self.flying.pop(individual.id, None)
        if self._program(individual) == SEED_ID and outcome.status is not Status.KNOWN:
            self.seeds[individual.rung].append(outcome)

    def tick(self, elapsed: float) -> None:
        self.elapsed = elapsed

    def _program(self, individual: Individual) -> int:
        """The first individual with the program of an individual."""
        number = individual.id if individual.of is None else individual.of
        return self.search.known.original(number)

    def rungs(self) -> list[RungFigures]:
        """The rungs in numbers, as they are now."""
        ladder = self.search.ladder
        return [rung_figures(ladder, rung) for rung in self.run.config.rung_numbers]

    def against_seed(self, individual: Individual, outcome: Outcome) -> Painted:
        """The difference of its loss to the seed's on its rung, marked if it is noise."""
        program, rung = self._program(individual), individual.rung
        gap = loss_gap(outcome, mean_outcome(self.seeds[rung]))
        floor = None if program == SEED_ID else rung_figures(self.search.ladder, rung).floor
        return marked(gap, judge(gap, floor, outcome.status is Status.COMPLETED))

    @property
    def per_hour(self) -> float | None:
        """Candidates evaluated per hour in this session; None before the first outcome."""
        told, seconds = self.search.told - self.first_told, self.elapsed - self.first_elapsed
        return told / seconds * HOUR if told and seconds > 0 else None

    def seconds_left(self) -> float | None:
        """Seconds until the first budget is used up; None before that can be estimated."""
        budget = self.run.config.budget
        limits = []
        if budget.max_time is not None:
            limits.append(budget.max_time - self.elapsed)
        if self.per_hour:
            limits.append((budget.max_candidates - self.search.told) / self.per_hour * HOUR)
        return max(0.0, min(limits)) if limits else None

    def line(self, individual: Individual, outcome: Outcome) -> str:
        """The line about an individual that was evaluated."""
        config = self.run.config
        total = config.budget.max_candidates
        status = status_text(outcome.status.value, outcome.hurdle)
        count = str(self.search.told).rjust(len(str(total)))
        measured = any(config.replicates(rung) > 1 for rung in config.rung_numbers)
        gap = self.against_seed(individual, outcome)
        trial = "" if individual.of is None else "= "
        return (
            f"{count}/{total} {rough_duration(self.elapsed):>7}  #{individual.id:<4} "
            f"{status:<10} {terminal.fixed(finite(outcome.loss)):>7} "
            f"{gap.ljust(MARKED) if measured else gap.rjust(UNMARKED)}  "
            f"{trial}{describe_edit(self.run, individual)}"
        )


class Lines(Tally):
    """A line per candidate, for logs and pipes."""

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        super().begin(run, search, elapsed)
        done = f", {search.told} evaluated already" if search.told else ""
        total = run.config.budget.max_candidates
        print(f"{run.folder}: up to {total:,} candidates{done}", flush=True)

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        super().told(individual, outcome, elapsed)
        print(self.line(individual, outcome), flush=True)
        config, rung = self.run.config, individual.rung
        if individual.of == SEED_ID and len(self.seeds[rung]) == config.replicates(rung) > 1:
            print(noise_lines(config, self.rungs())[rung - 1], flush=True)


class Picture(Tally):
    """A live picture on a terminal: progress, the best so far, the last few candidates.

    It is drawn four times a second by a thread of its own, from the start of the search until
    `screen` is closed.
    """

    LAST = 6

    def __init__(self, screen: ExitStack) -> None:
        super().__init__()
        self.screen = screen
        self.lines: list[str] = []
        self.standing = "none yet"  # of the best so far
        self.noise = short_noise([])
        self._looked = -math.inf  # seconds of running when these two were found out

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        from rich.live import Live  # slow to import, and `Lines` does without

        super().begin(run, search, elapsed)
        self._look(elapsed)
        live = Live(get_renderable=self._picture, refresh_per_second=4, transient=True)
        self.screen.enter_context(live)

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        super().told(individual, outcome, elapsed)
        self.lines = [*self.lines, self.line(individual, outcome)][-self.LAST :]
        self._look(elapsed)

    def tick(self, elapsed: float) -> None:
        super().tick(elapsed)
        self._look(elapsed)

    def _look(self, elapsed: float) -> None:
        """Find out what is best. Not in the thread that draws: the search goes on meanwhile."""
        if elapsed < self._looked + EVERY or self.search.best is None:
            return
        self._looked = elapsed
        self.noise = short_noise(self.rungs())
        fitness, individual = self.search.best
        self.standing = (
            f"#{individual.id} loss {-fitness:.4f} {self._stands(individual)}  "
            f"{describe_edit(self.run, individual)}"
        )

    def _stands(self, individual: Individual) -> str:
        """What the best has reached, on the highest rung that it was tried on."""
        ladder, program = self.search.ladder, self._program(individual)
        outcome = self.run.store.outcome(individual.id)
        for rung in range(ladder.top, 1, -1):
            if (gain := ladder.gain(program, rung)) is not None:
                floor = None if program == SEED_ID else rung_figures(ladder, rung).floor
                there = marked(0.0 - gain, judge(0.0 - gain, floor))
                return f"on rung {rung} ({there} against the seed)"
        gap = marked(None, Verdict.UNKNOWN)
        if outcome is not None:
            gap = self.against_seed(individual, outcome)
        where = " on rung 1" if ladder.top > 1 else ""
        return f"{where} ({gap} against the seed)".strip()

    def _picture(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        config, left = self.run.config, self.seconds_left()
        done, total = self.search.told, config.budget.max_candidates
        rate = f"{self.per_hour:,.0f} an hour" if self.per_hour else "starting"
        parts = [
            f"{done:,}/{total:,} candidates",
            rate,
            f"workers {len(self.flying)}/{config.workers.count} busy",
            f"{rough_duration(self.elapsed)} so far",
        ]
        if left is not None:
            parts.append(f"at most {rough_duration(left)} left")
        lines = [Text(line, style="dim", no_wrap=True) for line in self.lines]
        return Group(
            Text(f"{self.run.folder}", style="bold"),
            Text(_bar(done / total, min(76, terminal.width() - 4)), style="green"),
            Text(" · ".join(parts), no_wrap=True, overflow="ellipsis"),
            *lines,
            Text(f"best so far: {self.standing}", no_wrap=True, overflow="ellipsis"),
            Text(self.noise, style="dim", no_wrap=True, overflow="ellipsis"),
        )


def _bar(share: float, width: int) -> str:
    full = round(min(1.0, share) * width)
    return "━" * full + "─" * (width - full)
