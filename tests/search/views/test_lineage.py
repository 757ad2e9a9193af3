"""The gain of each edit of a lineage: the figures add up wherever they are shown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from helpers.reports import page_of
from helpers.toys import toy_run

from primeval.dna.mutate import Edit
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.scripts.cli import main
from primeval.search.algorithm.population import Individual
from primeval.search.config.settings import RunConfig
from primeval.search.run.folder import open_run
from primeval.search.views.lineage import LineageRow, lineage, total_gain, with_gains
from primeval.search.views.ranking import ranking, row_of

Capture = pytest.CaptureFixture[str]
Config = Callable[..., RunConfig]
MINUS = "\N{MINUS SIGN}"


def test_gains_add_up_from_the_seed_to_every_individual(toy_config: Config) -> None:
    run = toy_run(toy_config("budget.max_candidates=150"))
    added = 0
    for number in range(run.store.asked()):
        rows = lineage(run, number)
        seed, last = rows[0].loss_at_mark, rows[-1].loss_at_mark
        if seed is None or last is None or len(rows) == 1:
            continue
        gains = [row.gain for row in rows if row.gain is not None]
        assert sum(gains) == pytest.approx(seed - last, abs=1e-12)
        assert total_gain(rows) == seed - last
        edits = [edit for row in rows for edit in row.gain_of]
        assert edits == [row.id for row in rows[1:]]
        added += len(gains)
    assert added > 150


def test_the_gains_of_the_page_add_up_digit_by_digit(troubled: Path) -> None:
    page = page_of(troubled, "--top", "1")
    text = page.split('<table class="lineage">')[1].split("</table>")[0].replace(MINUS, "-")
    body, foot = text.split("<tfoot>")
    gains = [Decimal(gain) for gain in re.findall(r'gain"><span[^>]*>([-+]?[\d.]+)<', body)]
    losses = re.findall(r"</th>\s*<td class=\"number\">([\d.]+)</td>", body)
    (total,) = re.findall(r'id="gain-total">([-+][\d.]+)<', foot)
    assert len(gains) >= 1
    assert sum(gains) == Decimal(total) == Decimal(losses[0]) - Decimal(losses[-1])
    assert f"= {losses[0]} of #0" in foot


def told(number: int, *losses: float) -> LineageRow:
    """A row of a lineage, with the fields that gains read."""
    edit = Edit("insert", 0, 0, "") if number else None
    individual = Individual(number, None, edit, text="", fingerprint="", seed=0)
    curve = tuple(Point(step, loss) for step, loss in enumerate(losses))
    outcome = Outcome(Status.COMPLETED, curve=curve)
    return LineageRow(**vars(row_of(individual, outcome, None, "")))


def test_an_ancestor_that_was_stopped_counts_with_the_next() -> None:
    rows = with_gains(
        [told(0, 4.0, 2.0), told(3, 4.5), told(4, 3.5, math.nan), told(7, 3.0, 1.75)]
    )
    assert [row.loss_at_mark for row in rows] == [2.0, None, None, 1.75]
    assert [row.gain for row in rows] == [None, None, None, 0.25]
    assert rows[-1].gain_of == (3, 4, 7)
    assert total_gain(rows) == 0.25


def test_a_lineage_is_compared_where_its_last_one_was_stopped() -> None:
    rows = with_gains([told(0, 4.0, 2.0), told(3, 3.5, 1.5), told(7, 3.75)])
    assert [row.loss_at_mark for row in rows] == [4.0, 3.5, 3.75]
    assert [row.gain for row in rows] == [None, 0.5, -0.25]


def test_nothing_is_gained_where_nothing_was_measured() -> None:
    assert [row.gain for row in with_gains([told(0, 4.0), told(1)])] == [None, None]
    seedless = with_gains([told(0), told(1, 4.0), told(2, 3.0)])
    assert [row.gain for row in seedless] == [None, None, 1.0]
    assert total_gain(with_gains([told(0, 4.0)])) is None


def test_lineage_prints_gains_that_add_up(troubled: Path, capsys: Capture) -> None:
    best = ranking(open_run(troubled), 1).rows[0].id
    assert main(["lineage", f"{troubled}:{best}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:3] == ["id", "loss", "gain"]
    assert lines[-1].startswith("Noise: not known")
    gains = [Decimal(line.split()[2]) for line in lines[3:-2] if line.split()[2] != "-"]
    found = re.fullmatch(r"#0 to #\d+: ([\d.]+) - ([\d.]+) = ([\d.]+), .*", lines[-2])
    assert found is not None
    assert sum(gains) == Decimal(found[3]) == Decimal(found[1]) - Decimal(found[2])
