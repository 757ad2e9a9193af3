"""What a running search shows: a line per candidate, or a live picture on a terminal."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

from primeval.evaluators.outcome import Outcome
from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.scripts.tables.ranking import status_text
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.drive.progress import Progress
from primeval.search.run.folder import Run
from primeval.search.views.comparing import SEED_ID, finite, loss_gap
from primeval.search.views.ranking import describe_edit

HOUR = 3600


class Tally(Progress):
    """What the lines and the picture both show: how far, how fast, and what is best.

    Attributes:
        best: Loss, number and edit of the best individual, and the gap of its loss to the seed.
        seed: The outcome of the first seed, once it is known.
        flying: Individuals that are being evaluated, by their numbers.
    """

    def __init__(self) -> None:
        self.best: tuple[float, int, str, float | None] | None = None
        self.seed: Outcome | None = None
        self.flying: dict[int, Individual] = {}

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        self.run, self.search = run, search
        self.first_told, self.first_elapsed, self.elapsed = search.told, elapsed, elapsed
        self.seed = run.store.outcome(SEED_ID)
        if search.best is not None:
            individual = search.best[1]
            outcome = run.store.outcome(individual.id)
            if outcome is not None:
                self._note_best(individual, outcome)

    def asked(self, individual: Individual) -> None:
        self.flying[individual.id] = individual

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self.elapsed = elapsed
        self.flying.pop(individual.id, None)
        if individual.id == SEED_ID:
            self.seed = outcome
        best = -math.inf if self.best is None else -self.best[0]
        if outcome.fitness > best:
            self._note_best(individual, outcome)

    def tick(self, elapsed: float) -> None:
        self.elapsed = elapsed

    def _note_best(self, individual: Individual, outcome: Outcome) -> None:
        edit = describe_edit(self.run, individual)
        gap = loss_gap(outcome, self.seed)
        self.best = (-outcome.fitness, individual.id, edit, gap)

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
        total = self.run.config.budget.max_candidates
        status = status_text(outcome.status.value, outcome.hurdle)
        count = str(self.search.told).rjust(len(str(total)))
        return (
            f"{count}/{total} {rough_duration(self.elapsed):>7}  #{individual.id:<4} "
            f"{status:<10} {terminal.fixed(finite(outcome.loss)):>7} "
            f"{terminal.signed(loss_gap(outcome, self.seed)):>7}  "
            f"{describe_edit(self.run, individual)}"
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

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        from rich.live import Live  # slow to import, and `Lines` does without

        super().begin(run, search, elapsed)
        live = Live(get_renderable=self._picture, refresh_per_second=4, transient=True)
        self.screen.enter_context(live)

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        super().told(individual, outcome, elapsed)
        self.lines = [*self.lines, self.line(individual, outcome)][-self.LAST :]

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
            Text(self._best(), style="green", no_wrap=True, overflow="ellipsis"),
        )

    def _best(self) -> str:
        """A line about the best individual so far."""
        if self.best is None:
            return "best so far: none yet"
        loss, number, edit, gap = self.best
        against = "" if gap is None else f" ({gap:+.4f} against the seed)"
        return f"best so far: #{number} loss {loss:.4f}{against}  {edit}"


def _bar(share: float, width: int) -> str:
    full = round(min(1.0, share) * width)
    return "━" * full + "─" * (width - full)
