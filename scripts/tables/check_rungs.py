"""What `primeval check` says of the rungs of a search, and of the noise on each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from primeval.evaluators.units import fine_duration, rough_duration
from primeval.scripts.tables import terminal
from primeval.search.config.settings import RunConfig

if TYPE_CHECKING:
    from primeval.search.forecast.forecast import Forecast, RungForecast
    from primeval.search.forecast.rehearsal import Rehearsal

HEADERS = ("rung", "a step", "full", "mean", "programs", "noise", "time", "share")
ASSUMED = """\
programs: with the seeds; noise: further trainings of the first seed; time: of workers. Half of
the programs are taken to pass each hurdle. Of those trained to the end, a rung takes as many as
its promote allows; where that is a number, half are taken to seem better than the seed."""
WIDTH = 80


def print_rungs(config: RunConfig, rehearsal: Rehearsal, forecast: Forecast) -> None:
    """Print what each rung will take, and what that assumes."""
    cells = []
    for number, pace, rung in zip(
        config.rung_numbers, rehearsal.measured.rungs, forecast.rungs, strict=True
    ):
        step = "-" if pace.step is None else fine_duration(pace.step)
        cells.append(
            [
                str(number),
                step,
                fine_duration(rung.full),
                fine_duration(rung.mean),
                rounded(rung.programs),
                str(rung.replicates),
                rough_duration(rung.seconds),
                f"{rung.share:.0%}",
            ]
        )
    terminal.print_table(HEADERS, cells, set())
    print(textwrap.fill(ASSUMED, WIDTH))


def print_noise(config: RunConfig, forecast: Forecast) -> None:
    """Print what it costs to measure the noise on each rung, and what that makes of a gain."""
    if config.workers.evaluator == "toy":
        return  # its scores have none
    spent = sum(rung.seconds for rung in forecast.rungs) or 1.0
    for number, rung in enumerate(forecast.rungs, 1):
        if rung.programs > 1:
            name = "noise" if len(forecast.rungs) == 1 else f"noise, rung {number}"
            text = _noise_text(rung, rung.noise / spent)
            print(textwrap.fill(f"{name:<15} {text}", WIDTH, subsequent_indent=" " * 16))


def _noise_text(rung: RungForecast, share: float) -> str:
    if not rung.replicates:
        return "not measured: the seed is trained once (candidate.replicates)"
    times = "once" if rung.replicates == 1 else f"{rung.replicates} times"
    cost = f"the seed is trained {times} more, {share:.1%} of the run"
    if rung.floor is None:
        return cost
    best = "a program" if rung.compared == 1 else f"the best of {rung.compared} programs"
    return (
        f"{cost}: {best} means something if it gains {rung.floor:.1f} standard deviations of "
        "the seed's loss"
    )


def rounded(number: float) -> str:
    """A number rounded to two significant figures: 48, 790, 1,700,000."""
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 10 else f"{number:.2g}"
