"""A run that is hard to show, and a reader for the page that shows it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from helpers.toys import TOY, Scripted, begin, toy_script
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.scripts.cli import main
from primeval.search.config.config import parse_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.run.folder import open_run
from primeval.search.run.reader import Confirmation
from primeval.search.run.store import open_store
from primeval.search.views.ranking import ranking

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028 & 'quoted' \"too\""
)
SECONDS = {"build": 0.25, "compile": 2.0, "train": 1.5, "evaluate": 0.25}
EMPTY = {"meta", "link", "br", "img", "input", "hr", "rect", "path", "polygon"}


def troubled_run(config: RunConfig) -> Path:
    """Make a toy run with measured times, all kinds of failures and names that are markup."""
    toy = toy_script(config)

    def script(candidate: Candidate) -> Outcome:
        if candidate.id % 7 == 5:
            return Outcome(Status.CRASHED, message=HOSTILE, seconds={"lost": 3.0})
        if candidate.id % 11 == 6:
            return Outcome(Status.DIVERGED, message="loss nan", seconds=SECONDS, steps=3)
        return replace(toy(candidate), seconds=SECONDS)

    run, search = begin(config)
    drive(run, search, Scripted(script))
    run.close()
    return run.folder


def confirm_by_hand(folder: Path, name: str, numbers: list[int]) -> None:
    """Record that these individuals were trained again, with two seeds each."""
    run = open_run(folder)
    store = open_store(folder / "run.sqlite", write=True)
    for number in numbers:
        individual = run.store.individual(number)
        assert individual is not None
        for seed in range(2):
            result = Outcome(
                Status.COMPLETED, loss=2.0 + seed / 10 - number / 1000, bits_per_byte=2.5
            )
            one = (individual.fingerprint, seed, name, individual.text, seed, seed, result)
            store.append_confirmation(Confirmation(*one))
    store.close()
    run.close()


def troubled_folder(folder: Path) -> Path:
    """Make a troubled run of 60 candidates in a folder, and confirm its best ones."""
    sets = ["budget.max_candidates=60", "failure.max_consecutive=50"]
    config = replace(parse_config(TOY, sets), run_dir=str(folder))
    troubled_run(config)
    confirm_by_hand(folder, f"{folder}:0", [0])
    best = [row.id for row in ranking(open_run(folder), 3).rows]
    confirm_by_hand(folder, HOSTILE, [number for number in best if number])
    return folder


def page_of(folder: Path, *options: str) -> str:
    """The report of a run, as the command writes it."""
    path = folder / "report.html"
    assert main(["report", str(folder), *options]) == 0
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """Parses a page and records what tests ask about.

    Attributes:
        tags: Every element, with its attributes.
        text: All text that is shown.
        problems: Elements that are never closed, and end tags without a start.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.problems: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.problems += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._open[-1:]):
            self.text += data

    def all(self, name: str) -> list[dict[str, str]]:
        """The attributes of all elements with a name."""
        return [attributes for tag, attributes in self.tags if tag == name]
