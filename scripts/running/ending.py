"""After a search: the ranking, what was found beyond the noise, and what to type next."""

from __future__ import annotations

from primeval.dna.writing.diff import diff
from primeval.scripts.tables import terminal
from primeval.scripts.tables.ledger import receipt
from primeval.scripts.tables.noise import found_text
from primeval.scripts.tables.ranking import print_noise, print_ranking, print_summary
from primeval.search.drive.stops import Stop
from primeval.search.run.folder import Run
from primeval.search.run.programs import root_of
from primeval.search.views.ranking import ranking
from primeval.search.views.savings import savings

SHOWN = 10  # rows of the ranking
LOOKED_AT = 100  # rows among which a gain beyond the noise is looked for


def print_ending(run: Run, stop: Stop) -> None:
    """Print why the search stopped, what it found, and the commands that come next."""
    print()
    print(stop.message)
    print_summary(run)
    if saved := receipt(savings(run)):
        print(saved)
    found = ranking(run, LOOKED_AT)
    print_ranking(found.cut(SHOWN))
    print_noise(run, found)
    best = found.found or (None if found.noise_known else found.best)
    if sentence := found_text(found):
        print()
        terminal.print_text(sentence)
    if best is not None:
        _print_difference(run, best.id)
    print("\nNext:")
    if stop.reason != "stuck":
        print(f"  primeval resume {run.folder}{stop.extension(run.config.budget)}")
    print(f"  primeval top {run.folder} -n 20")
    print(f"  primeval report {run.folder}")
    if best is not None:
        print(f"  primeval show {run.folder}:{best.id} --diff")
        print(f"  primeval lineage {run.folder}:{best.id}")
        print(f"  primeval export {run.folder}:{best.id} winner.keras")


def _print_difference(run: Run, number: int) -> None:
    individual = run.store.individual(number)
    if individual is None or individual.parent is None:
        return
    seed = root_of(run.store, individual)
    print(f"#{number} against the seed:")
    vocabulary = run.language.vocabulary
    lines = diff(seed.program(vocabulary), individual.program(vocabulary))
    terminal.print_diff(lines, terminal.wants_color())
