"""The ranking of a run, and one individual of it, as values with typed fields.

Numbers that are not finite are None. Losses are compared where both were measured: an
individual that was stopped at a hurdle is compared with the other's loss at that hurdle, not at
its end. Figures of a confirmation (`search/confirm/`) are of other text and other random seeds,
so they stand apart from those of the search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.search.algorithm.population import Individual
from primeval.search.confirm.figures import Figures, best_first, read_confirmed, reference_of
from primeval.search.run.folder import Run
from primeval.search.run.reader import Standing
from primeval.search.views.comparing import SEED_ID, Verdict, finite, judge, loss_gap
from primeval.search.views.rungs import Reached, RungFigures, Rungs, read_rungs


@dataclass(frozen=True)
class Row:
    """An individual with its outcome.

    Attributes:
        id: Its number.
        status: How its evaluation ended; `in_flight` before that.
        fitness: Minus the loss.
        loss: Validation loss in nats per token.
        bits_per_byte: The same per byte of text.
        loss_vs_seed: The loss minus the first seed's on its rung, at the last mark that both
            reached; where the seed was trained several times, minus its mean.
        parent: Number of its parent; None for a seed or an injected program.
        edit: How it differs from its parent, in words; or its name.
        edit_kind: Which mutation made it; None without a parent.
        parameters: Trainable numbers of the whole model.
        flops: Arithmetic operations of a forward pass, per token.
        steps: Training steps made.
        step_ms: Milliseconds per step.
        step_ratio: Its step time over the first seed's.
        hurdle: The hurdle, from 0, that it was stopped at; None otherwise.
        thresholds: The loss that it had to stay below at each hurdle.
        curve: Every validation on the way.
        seconds: Wall time by cause.
        message: Why it failed.
        evaluations: How many evaluations the fitness is the mean of.
        same_as: The earlier individual that is the same program; None if it was new.
        seed: Random seed of its weights.
        fingerprint: Of its canonical graph, in hexadecimal.
        rung: The rung that it was trained on.
        trial_of: The earlier individual whose program the search trained again, on this rung;
            None for any other.
        verdict: What the difference to the seed means.
        rungs: What its program reached on each rung that it was tried on, the lowest first;
            empty for a trial.
        expected_gain: The gain that is expected of it on the top rung; None if it failed, and
            for a trial.
        confirmed: What its confirmation found; None before there is one.
    """

    id: int
    status: str
    fitness: float | None
    loss: float | None
    bits_per_byte: float | None
    loss_vs_seed: float | None
    parent: int | None
    edit: str
    edit_kind: str | None
    parameters: int | None
    flops: int | None
    steps: int | None
    step_ms: float | None
    step_ratio: float | None
    hurdle: int | None
    thresholds: tuple[float | None, ...]
    curve: tuple[Point, ...] = field(repr=False)
    seconds: dict[str, float]
    message: str
    evaluations: int
    same_as: int | None
    seed: int
    fingerprint: str
    rung: int = 1
    trial_of: int | None = None
    verdict: Verdict = Verdict.UNKNOWN
    rungs: tuple[Reached, ...] = field(default=(), repr=False)
    expected_gain: float | None = None
    confirmed: Figures | None = None

    @property
    def proved(self) -> int | None:
        """The highest rung that it was tried on, if its gain there is beyond the noise."""
        measured = [one for one in self.rungs if one.status not in ("in_flight", "lost")]
        proof = bool(measured) and measured[-1].verdict is Verdict.GAIN
        return measured[-1].rung if proof else None

    @property
    def confirmed_verdict(self) -> Verdict:
        """What its difference to the seed in a confirmation means; its interval tells."""
        if self.confirmed is None:
            return Verdict.UNKNOWN
        return judge(self.confirmed.loss_vs_seed, self.confirmed.half_width)

    @property
    def is_find(self) -> bool:
        """Whether it is better than the seed beyond the noise; a confirmation has the say."""
        if self.confirmed_verdict is Verdict.UNKNOWN:
            return self.proved is not None
        return self.confirmed_verdict is Verdict.GAIN

    def on(self, rung: int) -> Reached | None:
        """What it reached on a rung; None if it was not tried there."""
        return next((one for one in self.rungs if one.rung == rung), None)

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON, without the confirmation."""
        curve = [{"step": point.step, "loss": finite(point.loss)} for point in self.curve]
        rungs = [one.as_json() for one in self.rungs]
        data = vars(self) | {"curve": curve, "rungs": rungs, "proved": self.proved}
        del data["confirmed"]
        return data | {"verdict": self.verdict.value}


@dataclass(frozen=True)
class Ranking:
    """The best individuals of a run.

    Attributes:
        rows: The best first; those without a loss come last. Each program comes once.
        confirmed: Whether anything of the run is confirmed.
        rungs: The run's rungs in numbers.
    """

    rows: list[Row]
    confirmed: bool
    rungs: tuple[RungFigures, ...]

    @property
    def best(self) -> Row | None:
        """The first row, if it has a fitness."""
        return self.rows[0] if self.rows and self.rows[0].fitness is not None else None

    @property
    def found(self) -> Row | None:
        """The first row that is better than the seed beyond the noise; None without one."""
        return next((row for row in self.rows if row.is_find), None)

    @property
    def noise_known(self) -> bool:
        """Whether the noise was measured, on any rung or in a confirmation."""
        judged = (row.confirmed_verdict for row in self.rows)
        return any(one.floor is not None for one in self.rungs) or any(
            one is not Verdict.UNKNOWN for one in judged
        )

    def cut(self, count: int | None) -> Ranking:
        """The same with the first `count` rows only; None for all."""
        return replace(self, rows=self.rows[:count])

    def as_json(self) -> list[dict[str, Any]]:
        """Plain data for JSON; with a key `confirmed` once anything is confirmed."""
        if not self.confirmed:
            return [row.as_json() for row in self.rows]
        return [
            row.as_json() | {"confirmed": row.confirmed and vars(row.confirmed)}
            for row in self.rows
        ]


def ranking(run: Run, count: int | None = None) -> Ranking:
    """The best `count` individuals of a run, or all of them.

    Of a program that was evaluated more than once fitness, loss and `loss_vs_seed` are those
    of the mean. On several rungs programs are ordered by their standing (`ladder.py`).

    CHOICE: confirmed programs come first, ranked by that figure: the best of the search's many
    figures is the best partly by luck.
    """
    rungs, confirmed = read_rungs(run), read_confirmed(run)
    best = [_row(run, one, rungs) for one in _best_first(run, rungs, count)]
    if not confirmed:
        return Ranking(best, False, rungs.figures)
    reference, means = reference_of(run, confirmed), run.store.means()
    rows: dict[int, Row] = {}
    for program in best_first(confirmed.values()):
        if (individual := run.store.find(program.fingerprint)) is not None:
            mean = means.get(individual.id)
            standing = Standing(individual, run.store.outcome(individual.id), mean)
            row = _row(run, standing, rungs)
            rows[row.id] = replace(row, confirmed=program.figures(reference))
    rest = [row for row in best if row.id not in rows]
    return Ranking([*rows.values(), *rest][:count], True, rungs.figures)


def _best_first(run: Run, rungs: Rungs, count: int | None) -> Iterator[Standing]:
    """The best `count` programs: the fittest, or on several rungs those that stand best."""
    if not rungs.several:
        yield from run.store.standings(count)
        return
    means = run.store.means()
    order = sorted(run.store.ranked(), key=rungs.ladder.standing, reverse=True)
    for number in order[:count]:
        individual = run.store.individual(number)
        if individual is not None:
            yield Standing(individual, run.store.outcome(number), means.get(number))


def individual_row(run: Run, individual: Individual, rungs: Rungs | None = None) -> Row:
    """One individual with its own outcome, whatever else was measured of its program.

    A caller that has read the rungs can pass them.
    """
    outcome = run.store.outcome(individual.id)
    return _row(run, Standing(individual, outcome, None), rungs or read_rungs(run))


def _row(run: Run, standing: Standing, rungs: Rungs) -> Row:
    individual, outcome, mean = standing
    seed, edit = rungs.seed(individual.rung), describe_edit(run, individual)
    row = row_of(individual, outcome, seed, edit)
    number, gap = individual.id, row.loss_vs_seed
    if mean is not None:
        fitness, count = mean
        if gap is not None and row.fitness is not None:
            gap = 0.0 if number == SEED_ID else gap + row.fitness - fitness
        row = replace(row, fitness=fitness, loss=-fitness, evaluations=count)
    program = number if individual.of is None else individual.of
    verdict = rungs.verdict(program, individual.rung, outcome, gap)
    row = replace(row, loss_vs_seed=gap, verdict=verdict)
    if individual.of is not None:
        return row
    first = rungs.reached(number, 1, number, outcome, gap)
    above = rungs.above(run, number)
    expected = finite(rungs.ladder.standing(number).gain) if rungs.several else None
    return replace(row, rungs=(replace(first, loss=row.loss), *above), expected_gain=expected)


def row_of(
    individual: Individual, outcome: Outcome | None, seed: Outcome | None, edit: str
) -> Row:
    """The row of an individual with an outcome, beside the outcome of the first seed."""
    found = outcome or Outcome(Status.LOST)  # of which every figure is missing
    measured = outcome is not None
    return Row(
        id=individual.id,
        status=found.status.value if measured else "in_flight",
        fitness=finite(found.fitness),
        loss=finite(found.loss),
        bits_per_byte=finite(found.bits_per_byte),
        loss_vs_seed=loss_gap(outcome, seed),
        parent=individual.parent,
        edit=edit,
        edit_kind=individual.edit.kind if individual.edit else None,
        parameters=found.parameters or individual.parameters,
        flops=found.flops,
        steps=found.steps if measured else None,
        step_ms=finite(found.step_ms),
        step_ratio=finite(found.step_ratio),
        hurdle=found.hurdle,
        thresholds=individual.thresholds,
        curve=found.curve,
        seconds=dict(found.seconds),
        message=found.message,
        evaluations=int(measured and found.status is not Status.KNOWN),
        same_as=found.same_as,
        seed=individual.seed,
        fingerprint=individual.fingerprint,
        rung=individual.rung,
        trial_of=individual.of,
    )


def describe_edit(run: Run, individual: Individual) -> str:
    """An edit in one line; for a seed, or a program that was injected, its name.

    A trial says first whose program it trains again.
    """
    if individual.of is not None:
        first = run.store.individual(individual.of)
        edit = "" if first is None else describe_edit(run, first)
        return f"{trial_name(individual)}: {edit}"
    if individual.edit is not None:
        return f"{individual.edit.kind} {individual.edit.summary}"
    names = list(run.store.seeds)
    if individual.id < len(names):
        return f"seed {names[individual.id]}"
    return f"injected {run.store.injected_name(individual.id)}".strip()


def trial_name(trial: Individual) -> str:
    """What a trial is: `#12 on rung 2`, or `#0 again` to measure the noise of the first."""
    again = "again" if trial.rung == 1 else f"on rung {trial.rung}"
    return f"#{trial.of} {again}"
