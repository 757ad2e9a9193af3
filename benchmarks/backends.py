"""Exports on every backend: three named programs and fifty mutants, as model and as source.

    python benchmarks/backends.py [--mutants N] [--seed S] [--keep FOLDER]
        [--python jax=PATH] [--python torch=PATH]

This interpreter writes the files, and one interpreter per backend opens them: this one unless
--python names another. A backend that is missing there is reported and left out. For each
file are printed: the largest difference of the `.keras` file and of the module from the
evaluator's logits, relative to their size, and the difference of the losses of two steps of
`fit` from those of the evaluator's model.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent / "tests")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from helpers import exports


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the files there")
    parser.add_argument("--python", action="append", default=[], metavar="BACKEND=PATH")
    args = parser.parse_args()
    pythons = dict.fromkeys(exports.BACKENDS, sys.executable)
    pythons.update(given.split("=", 1) for given in args.python)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        names = exports.write_exports(folder, args.mutants, args.seed)
        print(f"{len(names)} programs written, {args.mutants} of them mutants", flush=True)
        failed = [_check(folder, backend, python) for backend, python in pythons.items()]
    return int(any(failed))


def _check(folder: Path, backend: str, python: str) -> bool:
    """Open all files with a backend and print the result; returns whether anything failed."""
    probe = subprocess.run(
        [python, "-c", f"import importlib.util as u; print(u.find_spec('{backend}') is None)"],
        capture_output=True,
        text=True,
        check=True,
    )
    if probe.stdout.strip() == "True":
        print(f"{backend:<10} is missing in {python}")
        return False
    rows = exports.open_all(folder, backend, python)
    bad = [row for row in rows if not _fine(row)]
    steps = max(_loss_difference(row) for row in rows)
    print(
        f"{backend:<10} {len(rows) - len(bad)} of {len(rows)} fine; largest differences: "
        f"model {max(row['keras'] for row in rows):.1e}, "
        f"source {max(row['source'] for row in rows):.1e}, losses {steps:.1e}; "
        f"{sum(row['seconds'] for row in rows):.0f} s",
        flush=True,
    )
    for row in bad:
        print(f"  {row}")
    return bool(bad)


def _fine(row: dict[str, Any]) -> bool:
    try:
        exports.assert_as_the_evaluator_says([row])
    except AssertionError:
        return False
    return True


def _loss_difference(row: dict[str, Any]) -> float:
    pairs = zip(row["losses"], row["expected"], strict=True)
    return max(abs(got - expected) / expected for got, expected in pairs)


if __name__ == "__main__":
    sys.exit(main())
