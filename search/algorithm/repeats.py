"""Programs that were proposed more than once: who is the same as whom, and their mean fitness.

A program is known by the first individual that was it, the original. A re-evaluation is an
individual too, of a number and a seed of its own; its fitness, and its original's, is the mean
of all evaluations. Part of a search's state, so it follows from the order of asks and tells.

There is something to remember of every individual that ever was, and there may be millions. So
it lies in a temporary SQLite database, which holds 2 MB of memory however many there are.
"""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual, Thresholds
from primeval.search.errors import StoreError

NOBODY = 0.0  # a bar that no loss is below

# No journal: the database ends with its process, and a search is rebuilt from its run.
TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE graphs (
    fingerprint BLOB PRIMARY KEY, -- half of it
    first INTEGER                 -- the individual that had this graph first
) WITHOUT ROWID;
CREATE TABLE repeats (id INTEGER PRIMARY KEY, original INTEGER);
CREATE TABLE originals (
    id INTEGER PRIMARY KEY,
    repeats INTEGER DEFAULT 0,    -- re-evaluations that were asked for, those in flight too
    total REAL DEFAULT 0,         -- the fitnesses summed, …
    count INTEGER DEFAULT 0,      -- … how many there are, …
    stopped_at INTEGER            -- … and the hurdle where the first evaluation ended
);
"""


class Repeats:
    """Which individuals are the same program."""

    def __init__(self) -> None:
        # SQLite's name for a file of its own, which nobody else can open
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(TABLES)

    def original(self, number: int) -> int:
        """The first individual that was the same program; itself if it is new."""
        found = self._row("SELECT original FROM repeats WHERE id = ?", number)
        return found[0] if found else number

    def first(self, fingerprint: str) -> int | None:
        """The first individual that had this graph; None if it is new."""
        query = "SELECT first FROM graphs WHERE fingerprint = ?"
        found = self._row(query, _key(fingerprint))
        return found[0] if found else None

    def enter(self, individual: Individual) -> None:
        """An individual was asked for."""
        number, first = individual.id, self.first(individual.fingerprint)
        if first is None:
            self.remember(individual.fingerprint, number)
            return
        original = self.original(first)
        self._write("INSERT INTO repeats VALUES (?, ?)", number, original)
        self._open(original)
        self._write("UPDATE originals SET repeats = repeats + 1 WHERE id = ?", original)

    def remember(self, fingerprint: str, number: int) -> None:
        """A graph that is new, and the individual that has it."""
        self._write("INSERT INTO graphs VALUES (?, ?)", _key(fingerprint), number)

    def forget(self, individual: Individual) -> None:
        """Nothing is known of this one: if its graph was new, it is new again."""
        values = (_key(individual.fingerprint), individual.id)
        self._write("DELETE FROM graphs WHERE fingerprint = ? AND first = ?", *values)

    def may_repeat(self, number: int, limit: int) -> bool:
        """Whether a program has a fitness, and fewer than `limit` re-evaluations."""
        query = "SELECT count > 0 AND repeats < ? FROM originals WHERE id = ?"
        found = self._row(query, limit, self.original(number))
        return bool(found and found[0])

    def bars(self, number: int) -> Thresholds | None:
        """Thresholds of a re-evaluation; None if there is no evaluation yet.

        CHOICE: it is trained as far as the first was, neither shorter nor longer: a mean of
        losses after different amounts of training would mean nothing.
        """
        query = "SELECT stopped_at FROM originals WHERE id = ? AND count > 0"
        found = self._row(query, self.original(number))
        if found is None:
            return None
        return () if found[0] is None else (*(None,) * found[0], NOBODY)

    def tell(self, number: int, outcome: Outcome) -> float | None:
        """Take in an outcome; the program's fitness after it, None if it is not evaluated."""
        if outcome.status is Status.KNOWN and outcome.same_as is not None:
            original = self.original(outcome.same_as)
            self._write("INSERT OR REPLACE INTO repeats VALUES (?, ?)", number, original)
            return None
        if not math.isfinite(outcome.fitness):
            return None
        original = self.original(number)
        self._open(original)
        self._write(
            "UPDATE originals SET stopped_at = CASE count WHEN 0 THEN ? ELSE stopped_at END, "
            "total = total + ?, count = count + 1 WHERE id = ?",
            outcome.hurdle,
            outcome.fitness,
            original,
        )
        query = "SELECT total / count FROM originals WHERE id = ?"
        found = self._row(query, original)
        return float(found[0]) if found else None

    def _open(self, original: int) -> None:
        self._write("INSERT OR IGNORE INTO originals (id) VALUES (?)", original)

    def _row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._execute(query, values).fetchone()
        return row

    def _write(self, statement: str, *values: object) -> None:
        self._execute(statement, values)

    def _execute(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise StoreError(
                f"The search's index of known programs could not be written: {error}. It lies "
                "in the folder for temporary files; SQLITE_TMPDIR names another one."
            ) from error


def _key(fingerprint: str) -> bytes:
    """Half of the fingerprint: 128 bits tell 10^6 programs apart."""
    return bytes.fromhex(fingerprint[:32])
