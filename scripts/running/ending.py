"""After a search: the ranking, how the winner differs from the seed, and what to type next."""

from __future__ import annotations

from primeval.dna.writing.diff import diff
from primeval.scripts.tables import terminal
from primeval.scripts.tables.ledger import receipt
from primeval.scripts.tables.ranking import print_ranking, print_summary
from primeval.search.drive.stops import Stop
from primeval.search.run.folder import Run
from primeval.search.run.programs import root_of
from primeval.search.views.ranking import ranking
from primeval.search.views.savings import savings


def print_ending(run: Run, stop: Stop) -> None:
    """Print why the search stopped, what it found, and the commands that come next."""
    print()
    print(stop.message)
    print_summary(run)
    if saved := receipt(savings(run)):
        print(saved)
    found = ranking(run, 10)
    print_ranking(found)
    best = found.best.id if found.best else None
    if best is not None:
        _print_winner(run, best)
    print("\nNext:")
    if stop.reason != "stuck":
        print(f"  primeval resume {run.folder}{stop.extension(run.config.budget)}")
    print(f"  primeval top {run.folder} -n 20")
    print(f"  primeval report {run.folder}")
    if best is not None:
        print(f"  primeval show {run.folder}:{best} --diff")
        print(f"  primeval lineage {run.folder}:{best}")
        print(f"  primeval export {run.folder}:{best} winner.keras")


def _print_winner(run: Run, best: int) -> None:
    individual = run.store.individual(best)
    if individual is None or individual.parent is None:
        print("\nNothing beat the seed.")
        return
    seed = root_of(run.store, individual)
    print(f"\n#{best} against the seed:")
    vocabulary = run.language.vocabulary
    lines = diff(seed.program(vocabulary), individual.program(vocabulary))
    terminal.print_diff(lines, terminal.wants_color())
