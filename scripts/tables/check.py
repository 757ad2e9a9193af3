"""What `primeval check` prints: the plan, the seeds, the forecast, and what may go wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primeval.dna.cost import Cost
from primeval.evaluators.units import (
    fine_duration,
    format_duration,
    rough_bytes,
    rough_duration,
)
from primeval.scripts.tables import terminal
from primeval.scripts.tables.check_rungs import print_noise, print_rungs, rounded
from primeval.search.config.config import to_plain
from primeval.search.config.settings import FIRST_HIGHER, RunConfig
from primeval.search.errors import RunError
from primeval.search.forecast.forecast import counted_step
from primeval.search.forecast.work import mean_share
from primeval.search.run.folder import check_free, existing_parent

if TYPE_CHECKING:
    from primeval.search.forecast.forecast import Forecast
    from primeval.search.forecast.rehearsal import Rehearsal

Tried = tuple["Rehearsal", "Forecast"]
SEED_HEADERS = ("seed", "parameters", "width", "unit", "FLOPs a token")


def print_check(
    name: str,
    config: RunConfig,
    costs: dict[str, Cost],
    on_rungs: Sequence[Cost],
    tried: Tried | None,
) -> None:
    """Print everything that a check found; readable at 80 columns and without colours.

    Args:
        name: Of the configuration.
        config: The configuration.
        costs: Of each seed on the first rung, by name.
        on_rungs: Of the first seed on each rung.
        tried: What a trial showed; None if nothing was tried.
    """
    print(f"{name} is valid. {_trial_text(tried)}\n")
    _print_lines(_plan(config))
    print()
    cells = [
        [name, f"{cost.parameters:,}", cost.width, cost.unit, f"{cost.flops:,}"]
        for name, cost in costs.items()
    ]
    terminal.print_table(SEED_HEADERS, cells, left={"seed"})
    if tried is not None:
        print()
        if config.rungs:
            print_rungs(config, *tried)
            print()
        _print_lines(_forecast(config, *tried))
        print_noise(config, tried[1])
    for note in _notes(config, on_rungs, tried):
        print(f"\nNote: {note}")


def as_json(
    config: RunConfig,
    costs: dict[str, Cost],
    on_rungs: Sequence[Cost],
    tried: Tried | None,
) -> dict[str, Any]:
    """The same as plain data for JSON, in seconds and bytes; None where nothing was tried."""
    keys = ("seed", "parameters", "unit", "width", "flops_per_token")
    rows = [
        (name, cost.parameters, str(cost.unit), cost.width, cost.flops)
        for name, cost in costs.items()
    ]
    return {
        "config": to_plain(config),
        "seeds": [dict(zip(keys, row, strict=True)) for row in rows],
        "measured": None if tried is None else asdict(tried[0].measured),
        "forecast": None if tried is None else {**asdict(tried[1]), "disk": tried[1].disk},
        "notes": _notes(config, on_rungs, tried),
    }


def _print_lines(lines: list[tuple[str, str]]) -> None:
    for name, text in lines:
        print(f"{name:<15} {text}")


def _trial_text(tried: Tried | None) -> str:
    if tried is None:
        return "Nothing was trained."
    shares = ["all" if one == 1 else f"{100 * one:.2g}%" for one in tried[0].shares]
    parts = " or ".join(dict.fromkeys(shares))  # differs from rung to rung
    return f"Tried with {tried[0].candidates} candidates and {parts} of their budget."


def _plan(config: RunConfig) -> list[tuple[str, str]]:
    budget, training = config.budget, config.candidate.budget
    data = config.data.origin or ", ".join(config.data.files)
    limit = "" if budget.max_time is None else f", at most {format_duration(budget.max_time)}"
    workers = f"{config.workers.evaluator}: one candidate at a time"
    if config.workers.evaluator == "ray":
        workers = f"{config.workers.count} ray"
    return [
        ("run folder", config.run_dir),
        ("candidates", f"{budget.max_candidates:,}{limit}"),
        (
            "each",
            f"{training.amount:,g} {training.unit.replace('_', ' ')}; with {training.hurdles} "
            f"hurdles, {mean_share(training.hurdles):.0%} of it on average",
        ),
        ("search", f"{config.search.algorithm}, population {config.search.population_size}"),
        ("data", f"{data}, {config.data.kind}"),
        ("workers", workers),
        *((f"rung {number}", _rung(config, number)) for number in config.rung_numbers[1:]),
    ]


def _rung(config: RunConfig, number: int) -> str:
    """A rung above the first in a few words."""
    rung = config.rungs[number - FIRST_HIGHER]
    budget, promote = rung.candidate.budget, rung.promote
    who = f"{promote:.0%} of" if promote < 1 else f"the best {promote:g} of"
    amount = f"{budget.amount:,g} {budget.unit.replace('_', ' ')}"
    return f"{who} rung {number - 1}; layers: {rung.model.layers}, {amount}"


def _forecast(
    config: RunConfig, rehearsal: Rehearsal, forecast: Forecast
) -> list[tuple[str, str]]:
    lines = [] if config.rungs else _candidate_lines(config, rehearsal, forecast)
    lines += [
        ("an hour", f"{rounded(forecast.per_hour)} candidates"),
        ("the whole run", _run_text(config, forecast)),
        ("memory", _memory_text(config, rehearsal, forecast)),
        ("disk", _disk_text(forecast)),
    ]
    return lines


def _candidate_lines(
    config: RunConfig, rehearsal: Rehearsal, forecast: Forecast
) -> list[tuple[str, str]]:
    """What a candidate takes, where all are of one rung."""
    pace, rung = rehearsal.measured.rungs[0], forecast.rungs[0]
    hurdles = config.candidate.budget.hurdles
    mean = fine_duration(rung.mean)
    if pace.step is None:
        return [("a candidate", f"{mean} on average")]
    tokens = config.training.batch_size * config.model.length
    times = (rung.full, rung.training, pace.overhead)
    full, training, overhead = map(fine_duration, times)
    validating = fine_duration((hurdles + 1) * pace.validation)
    parts = f"{training} training, {validating} validating, {overhead} compiling etc."
    assumed = ", if half of them pass each hurdle" if hurdles else ""
    return [
        ("a step", f"{fine_duration(pace.step)} of the seed, {tokens:,} tokens"),
        ("a full budget", f"{full}: {parts}"),
        ("a candidate", f"{mean} on average{assumed}"),
    ]


def _run_text(config: RunConfig, forecast: Forecast) -> str:
    ends = f"all {forecast.candidates:,} candidates"
    if forecast.ends_by != "candidates":
        ends = f"about {forecast.candidates:,} candidates, when its {forecast.ends_by} is up"
    target = ", sooner at the target loss" if config.budget.target_loss is not None else ""
    return f"{rough_duration(forecast.seconds)}, {ends}{target}"


def _memory_text(config: RunConfig, rehearsal: Rehearsal, forecast: Forecast) -> str:
    measured = rehearsal.measured
    if forecast.memory is None or measured.worker_memory is None:
        return "not measured: the workers are a cluster's"
    if measured.other_memory == 0:
        return rough_bytes(forecast.memory)
    sizes = (forecast.memory, measured.worker_memory, measured.other_memory)
    total, worker, rest = map(rough_bytes, sizes)
    return f"{total}: {config.workers.count} workers of {worker}, {rest} the rest"


def _disk_text(forecast: Forecast) -> str:
    sizes = (forecast.token_bytes, forecast.store_bytes, forecast.weight_bytes)
    named = zip(sizes, ("tokens", "run.sqlite", "weights"), strict=True)
    parts = [f"{rough_bytes(size)} {what}" for size, what in named if size]
    return f"{rough_bytes(forecast.disk)}: {', '.join(parts)}"


def _notes(config: RunConfig, on_rungs: Sequence[Cost], tried: Tried | None) -> list[str]:
    """Warnings of what is likely to go wrong although the configuration is valid."""
    notes = []
    try:
        check_free(Path(config.run_dir))
    except RunError as error:
        notes.append(str(error))
    for number, cost in zip(config.rung_numbers, on_rungs, strict=True):
        notes += _early_hurdles(config, number, cost, tried)
    if tried is None:
        return notes
    forecast, workers = tried[1], config.workers
    for number, rung in zip(config.rung_numbers, forecast.rungs, strict=True):
        timeout = config.on(number).candidate.timeout
        if rung.full > timeout:
            notes.append(
                f"A full budget{_where(config, number)} takes {rough_duration(rung.full)}, and "
                f"{_prefix(number)}candidate.timeout is {format_duration(timeout)}: the best "
                "would be given up."
            )
    cores, here = os.cpu_count() or 1, workers.evaluator == "ray" and workers.address is None
    if here and workers.count * workers.threads > cores:
        notes.append(
            f"{workers.count} workers of {workers.threads} threads share the {cores} cores "
            "here; the figures are for what these can do."
        )
    notes += _resources(config, forecast)
    return notes


def _where(config: RunConfig, number: int) -> str:
    return f" on rung {number}" if config.rungs else ""


def _prefix(number: int) -> str:
    """What the names of a rung's settings begin with."""
    return "" if number < FIRST_HIGHER else f"rungs.{number}."


def _early_hurdles(whole: RunConfig, number: int, cost: Cost, tried: Tried | None) -> list[str]:
    """A warning of hurdles within the warm-up, where losses say little or even mislead."""
    config, prefix = whole.on(number), _prefix(number)
    budget, warmup = config.candidate.budget, config.training.warmup_steps
    step = None if tried is None else tried[0].measured.rungs[number - 1].step
    if config.workers.evaluator == "toy" or (budget.unit == "seconds" and step is None):
        return []
    steps = budget.total_steps(1.0, step or 1.0, counted_step(config, cost))

    def early(hurdles: int) -> bool:
        return hurdles > 0 and replace(budget, hurdles=hurdles).marks()[0] * steps <= warmup

    if not early(budget.hurdles):
        return []
    enough = next(hurdles for hurdles in range(budget.hurdles, -1, -1) if not early(hurdles))
    return [
        f"The first hurdle{_where(whole, number)} is at step {budget.marks()[0] * steps:.0f} "
        f"of {steps}, and {prefix}training.warmup_steps is {warmup}: what learns fast at first "
        "passes, what would be better in the end is stopped. Train longer, or set "
        f"{prefix}candidate.hurdles to {enough}."
    ]


def _resources(config: RunConfig, forecast: Forecast) -> list[str]:
    """Warnings of too little memory and disk space on this machine."""
    from primeval.evaluators.workers.memory import free_memory

    notes = []
    memory = free_memory()
    disk = shutil.disk_usage(existing_parent(Path(config.run_dir))).free
    if forecast.memory is not None and forecast.memory > memory:
        notes.append(
            f"The run needs {rough_bytes(forecast.memory)} of memory, and "
            f"{rough_bytes(memory)} are free. Lower workers.count or model."
        )
    if forecast.disk - forecast.token_bytes > disk:
        notes.append(
            f"The run folder will take {rough_bytes(forecast.disk - forecast.token_bytes)}, "
            f"and its disk has {rough_bytes(disk)} free. Lower keep_weights, or give another "
            "run_dir."
        )
    return notes
