"""The scalars written for TensorBoard are the run's own figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.ladders import by_rung, ladder_config
from helpers.toys import Scripted, begin, finish

from primeval.evaluators.workers.factory import make_evaluator
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.drive.progress import Progress
from primeval.search.drive.replay import replay
from primeval.search.drive.tensorboard import FOLDER, TensorBoard
from primeval.search.run.folder import reopen_run

Scalars = dict[str, dict[int, float]]


def scalars(run: Path) -> Scalars:
    """All scalars that were written, by name and step, read in TensorBoard's own format."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  (the format is its)

    found: Scalars = {}
    for file in sorted((run / FOLDER).iterdir()):
        data = file.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + size])
            data = data[12 + size + 4 :]
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_a_resumed_run_adds_to_its_scalars(
    toy_config: Callable[..., RunConfig],
) -> None:
    run, search = begin(toy_config("budget.max_candidates=12"))
    drive(run, search, make_evaluator(run.config.task("")), TensorBoard(Progress()))
    run.close()
    run = reopen_run(run.folder, ["budget.max_candidates=20"])
    drive(run, replay(run), make_evaluator(run.config.task("")), TensorBoard(Progress()))
    found, outcomes = scalars(run.folder), dict(run.store.outcomes())
    assert list(found["loss/best"]) == list(range(1, 21))
    best = -run.store.outcome(run.store.ranked(1)[0]).fitness  # type: ignore[union-attr]
    assert found["loss/best"][20] == pytest.approx(best)
    passed = [one for one in outcomes.values() if one.hurdle != 0]
    assert found["hurdles/1"][20] == pytest.approx(len(passed) / 20)
    assert found["rate/candidates_per_hour"][20] > 0
    run.close()


def test_rungs_have_tags_of_their_own(tmp_path: Path) -> None:
    run, search = begin(ladder_config(tmp_path / "run", "budget.max_candidates=40"))
    drive(run, search, Scripted(by_rung(run)), TensorBoard(Progress()))
    found, outcomes = scalars(run.folder), dict(run.store.outcomes())
    steps = {number: step for step, number in enumerate(outcomes, 1)}
    expected: Scalars = {}
    for one in run.store.trainings():
        if one.fitness is not None:
            again = "seed_again" if one.of is not None and one.rung == 1 else "candidate"
            tag = f"rung_{one.rung}/loss/candidate" if one.rung > 1 else f"loss/{again}"
            expected.setdefault(tag, {})[steps[one.id]] = -one.fitness
    assert len(expected) == 4
    for tag, losses in expected.items():
        assert found[tag] == pytest.approx(losses)
    assert search.best is not None
    last = [one for name, one in found.items() if name.endswith("loss/best") and 40 in one]
    assert [one[40] for one in last] == [pytest.approx(-search.best[0])]
    run.close()


def test_nothing_is_written_unless_it_is_asked_for(
    toy_config: Callable[..., RunConfig],
) -> None:
    run, search = begin(toy_config())
    drive(run, search, make_evaluator(run.config.task("")))
    assert not run.config.tensorboard
    assert not (run.folder / FOLDER).exists()
    run.close()
    finish(run.folder, "budget.max_candidates=31").close()
