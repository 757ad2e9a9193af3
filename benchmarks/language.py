"""What one child of the seed costs: checking, resolving, typing and fingerprinting.

    python benchmarks/language.py [--children 1000] [--json]

Every draw of a mutation costs this, unless `liveness.py` sees that nothing changed. The
children are mutated Transformers that have a meaning; times are medians over all of them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from primeval.dna.check import check
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.mutate import mutate
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.dna.resolve import resolve

STAGES: dict[str, Callable[[Program], Any]] = {
    "check": check,
    "resolve": resolve,
    "resolve, type, order (build_graph)": build_graph,
    "check + build_graph + fingerprint": lambda child: (
        check(child),
        build_graph(child).fingerprint,
    ),
    "print": format_program,
    "print and parse": lambda child: parse(format_program(child)),
}
BOUND = "check + build_graph + fingerprint"


def measure(count: int) -> dict[str, dict[str, float]]:
    """Milliseconds by stage: of the median child, and of the child at 95 %."""
    seed = load_seed("transformer")
    fingerprint = build_graph(seed).fingerprint
    children = [
        mutate(seed, random.Random(number), parent_fingerprint=fingerprint).program
        for number in range(count)
    ]
    figures = {}
    for name, stage in STAGES.items():
        times = []
        for child in children:
            start = time.perf_counter()
            stage(child)
            times.append(1e3 * (time.perf_counter() - start))
        times.sort()
        figures[name] = {
            "median": statistics.median(times),
            "p95": times[len(times) * 19 // 20],
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--children", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = measure(args.children)
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{'ms per child of the seed':<40} {'median':>8} {'95 %':>8}")
    for name, times in figures.items():
        bound = "  < 1.5" if name == BOUND else ""
        print(f"{name:<40} {times['median']:>8.3f} {times['p95']:>8.3f}{bound}")


if __name__ == "__main__":
    main()
