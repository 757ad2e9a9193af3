"""What training candidates costs: step times, workers' time and memory, calibration.

    python benchmarks/training.py [--only steps|share|memory|spread] [--json]

- steps: step times of the decoded Transformer over those of the same model written by hand in
  Keras and in PyTorch, and of Primer-EZ over the Transformer, at two sizes, on one core each
  (`steps.py`). Alone it takes a minute, and omits `torch.compile` if that is not ready yet.
- share: the share of the workers' wall time that goes into training steps, and where the rest
  goes, in a search of 100 candidates with the laptop config.
- memory: a worker's memory after 300 candidates over its memory after 20.
- spread: how much the number of steps varies that one program gets in ten calibrations on a
  busy machine.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

import steps
import worker_life
from contestants import Shape

MINUTE = 50.0  # seconds of the step contest, without start-up and the last round
BOUNDS = {
    "step_over_keras": {"64x2": 0.95, "256x4": 0.95},
    "step_over_torch": {"64x2": 0.9, "256x4": 0.9},
    "primer_ez_over_transformer": {"64x2": 1.10, "256x4": 1.07},
}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no process is left behind
    args = _arguments()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "steps": lambda: steps.figures(steps.hold(args.sizes, args.limit)),
        "spread": lambda: worker_life.spread(args.repeats, args.set),
        "memory": lambda: worker_life.memory(args.candidates or 300, args.set),
        "share": lambda: worker_life.share(args.candidates or 100, args.set),
    }
    found: dict[str, Any] = {}
    for name in [args.only] if args.only else parts:
        part = parts[name]()
        found |= part
        if not args.json:
            TABLES[name](part)
    if args.json:
        print(json.dumps(found, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("steps", "share", "memory", "spread"))
    parser.add_argument("--json", action="store_true", help="one object instead of tables")
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=Shape.parse,
        default=[Shape(64, 2), Shape(256, 4)],
        metavar="WIDTHxLAYERS",
        help="of the models that are stepped",
    )
    parser.add_argument(
        "--limit", type=float, metavar="SECONDS", help="of the step contest; 0 for none"
    )
    parser.add_argument("--candidates", type=int, help="of share (100) and memory (300)")
    parser.add_argument("--repeats", type=int, default=10, help="of spread")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of share, memory and spread, as of `primeval search`",
    )
    args = parser.parse_args()
    if args.limit is None:
        args.limit = MINUTE if args.only == "steps" else 0
    return args


def _table(title: str, rows: Iterable[tuple[str, ...]]) -> None:
    print(f"\n{title}")
    for name, *cells in rows:
        print(f"  {name:<34}" + "".join(f"{cell:>12}" for cell in cells))


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _steps_table(found: dict[str, Any]) -> None:
    sizes = list(found["steps"])
    names = {name: None for size in sizes for name in found["steps"][size]["cpu_ms"]}
    rows: list[tuple[str, ...]] = [("", *sizes)]
    for name in names:
        for clock, said in (("cpu_ms", "CPU ms a step"), ("wall_ms", "wall ms a step")):
            times = [found["steps"][size][clock].get(name) for size in sizes]
            rows.append((f"{name}, {said}", *(_number(one, 1) for one in times)))
    rows.append(("rounds", *(str(found["steps"][size]["rounds"]) for size in sizes)))
    _table("Steps of 32 x 64 bytes, one core, medians", rows)
    rows = [("", *(cell for size in sizes for cell in (size, "at most")))]
    for key, bounds in BOUNDS.items():
        cells = ((_number(found[key][at]), _number(bounds.get(at), 2)) for at in sizes)
        rows.append((key, *(cell for pair in cells for cell in pair)))
    _table("Ratios of CPU time, medians over rounds", rows)
    for size in sizes:
        for name, why in found["steps"][size]["absent"].items():
            print(f"  {name} is missing at {size}: {why}")


def _share_table(found: dict[str, Any]) -> None:
    share = found["share"]
    rows = [(cause, f"{part:.1%}") for cause, part in share["by_cause"].items()]
    title = f"{share['candidates']} candidates, {share['workers']} workers"
    _table(f"{title}, {share['worker_seconds']:.0f} s of theirs", rows)
    _table("", [("useful_share", f"{found['useful_share']:.3f}", ">= 0.85")])


def _memory_table(found: dict[str, Any]) -> None:
    memory = dict(found["memory"])
    memory.pop("statuses")
    _table("A worker", [(name.replace("_", " "), f"{one:.0f}") for name, one in memory.items()])
    _table("", [("memory_growth", f"{found['memory_growth']:.3f}", "<= 1.1")])


def _spread_table(found: dict[str, Any]) -> None:
    given = " ".join(map(str, found["spread"]["steps"]))
    _table(f"Steps given to squared_relu: {given}", [])
    _table("", [("budget_spread", f"{found['budget_spread']:.4f}", "<= 0.03")])


TABLES = {
    "steps": _steps_table,
    "share": _share_table,
    "memory": _memory_table,
    "spread": _spread_table,
}

if __name__ == "__main__":
    main()
