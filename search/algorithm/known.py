"""What a search knows of programs, so that no program is paid for twice by accident.

A program is recognised at two levels:

1. by the fingerprint of its canonical graph, before an individual is made of it;
2. by its digest, the hash of what it computes (`evaluators/training/probe.py`), which a worker
   finds out after the individual was asked for and before it is trained.

The first individual of a program is its original. Later ones are repeats: they are trained only
if `search.reevaluations` allows it, or if the user injected them. The fitness of a program is
the mean over its evaluations, and it has one place: `Mean`.

The index is part of a search's state and follows from the order of asks and tells, except for
the digests of candidates in flight, which are probed again after a restart. It holds a row or
two for every individual of the run, and there may be millions, so it is a temporary SQLite
database, which takes 2 MB of memory whatever its size.
"""

from __future__ import annotations

import math
import sqlite3
from collections import deque

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual, Thresholds
from primeval.search.errors import StoreError

UNREACHABLE = 0.0  # a threshold that no loss stays below

# No journal: the database ends with its process, and a search is rebuilt from its run.
TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE graphs (
    fingerprint BLOB PRIMARY KEY, -- the first half of it
    first INTEGER                 -- the individual that had this graph first
) WITHOUT ROWID;
CREATE TABLE digests (
    digest BLOB PRIMARY KEY,
    first INTEGER                 -- the individual that was evaluated with it first
) WITHOUT ROWID;
CREATE TABLE repeats (id INTEGER PRIMARY KEY, original INTEGER);
CREATE TABLE originals (
    id INTEGER PRIMARY KEY,
    repeats INTEGER DEFAULT 0,    -- re-evaluations asked for, those in flight included
    total REAL DEFAULT 0,         -- with `count`, the state of the program's `Mean`
    count INTEGER DEFAULT 0,
    stopped_at INTEGER            -- the hurdle at which the first evaluation ended, if any
);
"""


class Mean:
    """The fitness of a program: the mean over those of its evaluations that have a fitness.

    The methods are those of an aggregate function of SQLite, so that the store's queries
    compute the same mean (`search/run/reader.py`).
    """

    def __init__(self, total: float = 0.0, count: int = 0) -> None:
        self.total, self.count = total, count

    def step(self, fitness: float | None) -> None:
        """Count one more evaluation; None for one that failed."""
        if fitness is not None:
            self.total += fitness
            self.count += 1

    def finalize(self) -> float | None:
        """The mean; None while there is no evaluation with a fitness."""
        return self.total / self.count if self.count else None


class Known:
    """The index of known programs. All methods raise StoreError if it cannot be written.

    Args:
        limit: How often a known program is evaluated again when it is proposed again.
    """

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self._waiting: deque[Individual] = deque()  # found by digest, to be evaluated again
        self._digests: dict[str, int] = {}  # of candidates in flight
        # an empty name makes a temporary database that no other process can open
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(TABLES)

    # -- which individuals are the same program -----------------------------------------------

    def original(self, number: int) -> int:
        """The first individual that was the same program; itself if it was new."""
        found = self._value("SELECT original FROM repeats WHERE id = ?", number)
        return number if found is None else found

    def is_repeat(self, number: int) -> bool:
        """Whether an individual is the same program as an earlier one."""
        return self.original(number) != number

    def has_repeats(self, number: int) -> bool:
        """Whether a later individual is the same program as this one."""
        return bool(self._value("SELECT repeats > 0 FROM originals WHERE id = ?", number))

    def first(self, fingerprint: str) -> int | None:
        """The first individual that had this graph; None if the graph is new."""
        query = "SELECT first FROM graphs WHERE fingerprint = ?"
        return self._value(query, _key(fingerprint))

    def same_digest(self, digest: str) -> int | None:
        """The individual in flight or evaluated that has this digest; None if it is new."""
        query = "SELECT first FROM digests WHERE digest = ?"
        return self._digests.get(digest, self._value(query, bytes.fromhex(digest)))

    # -- which of them are evaluated ----------------------------------------------------------

    def is_settled(self, fingerprint: str) -> bool:
        """Whether a graph is known and is not to be evaluated again."""
        first = self.first(fingerprint)
        return first is not None and not self.may_repeat(first)

    def may_repeat(self, number: int) -> bool:
        """Whether a program has a fitness, and fewer re-evaluations than the limit."""
        query = "SELECT count > 0 AND repeats < ? FROM originals WHERE id = ?"
        return bool(self._value(query, self.limit, self.original(number)))

    def next_repeat(self) -> Individual | None:
        """The next individual that was found to be known and may be evaluated all the same."""
        while self._waiting:
            individual = self._waiting.popleft()
            if self.may_repeat(individual.id):
                return individual
        return None

    def thresholds(self, fingerprint: str) -> Thresholds | None:
        """Thresholds of a re-evaluation; None for a program without an evaluation.

        CHOICE: it is trained as far as the first evaluation was, neither shorter nor longer: a
        mean of losses after different amounts of training would mean nothing.
        """
        first = self.first(fingerprint)
        if first is None:
            return None
        query = "SELECT stopped_at FROM originals WHERE id = ? AND count > 0"
        found = self._execute(query, self.original(first)).fetchone()
        if found is None:
            return None
        return () if found[0] is None else (*(None,) * found[0], UNREACHABLE)

    # -- what happens to them -----------------------------------------------------------------

    def enter(self, individual: Individual) -> None:
        """Take in an individual that was asked for; one of a higher rung is no new program."""
        if individual.rung > 1:
            return
        number, first = individual.id, self.first(individual.fingerprint)
        if first is None:
            self.remember(individual.fingerprint, number)
            return
        original = self.original(first)
        self._execute("INSERT INTO repeats VALUES (?, ?)", number, original)
        self._execute(
            "INSERT INTO originals (id, repeats) VALUES (?, 1) "
            "ON CONFLICT (id) DO UPDATE SET repeats = repeats + 1",
            original,
        )

    def remember(self, fingerprint: str, number: int) -> None:
        """Take in a new graph and the individual that has it."""
        self._execute("INSERT INTO graphs VALUES (?, ?)", _key(fingerprint), number)

    def launch(self, number: int, digest: str | None) -> None:
        """Note that an individual with this digest is going to be trained."""
        if digest is not None:
            self._digests.setdefault(digest, number)

    def tell(self, individual: Individual, outcome: Outcome) -> float | None:
        """Take in an outcome. Returns the program's mean fitness; None if this one has none."""
        number, digest = individual.id, outcome.digest
        if digest is not None and self._digests.get(digest) == number:
            del self._digests[digest]
        if outcome.status is Status.KNOWN and outcome.same_as is not None:
            original = self.original(outcome.same_as)
            self._execute("INSERT OR REPLACE INTO repeats VALUES (?, ?)", number, original)
            if self.may_repeat(number):
                self._waiting.append(individual)
            return None
        if outcome.status is Status.LOST:
            # the graph is new again, as the worker was lost that was to evaluate it
            values = (_key(individual.fingerprint), number)
            self._execute("DELETE FROM graphs WHERE fingerprint = ? AND first = ?", *values)
        elif digest is not None and outcome.same_as is None:
            row = (bytes.fromhex(digest), number)
            self._execute("INSERT OR IGNORE INTO digests VALUES (?, ?)", *row)
        if not math.isfinite(outcome.fitness):
            return None
        return self._average(self.original(number), outcome)

    def _average(self, original: int, outcome: Outcome) -> float | None:
        """Count an evaluation in its program's mean fitness, which is returned."""
        query = "SELECT total, count FROM originals WHERE id = ?"
        mean = Mean(*self._execute(query, original).fetchone() or ())
        mean.step(outcome.fitness)
        self._execute(
            "INSERT INTO originals (id, total, count, stopped_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET total = excluded.total, count = excluded.count, "
            "stopped_at = CASE count WHEN 0 THEN excluded.stopped_at ELSE stopped_at END",
            *(original, mean.total, mean.count, outcome.hurdle),
        )
        return mean.finalize()

    # -- the database -------------------------------------------------------------------------

    def _value(self, query: str, *values: object) -> int | None:
        """The first column of the first row; None if there is no row."""
        row = self._execute(query, *values).fetchone()
        return row[0] if row else None

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise StoreError(
                f"The search's index of known programs could not be written: {error}. It is a "
                "file in the folder for temporary files; SQLITE_TMPDIR names another folder."
            ) from error


def _key(fingerprint: str) -> bytes:
    """Half of the fingerprint: 128 bits tell 10^6 programs apart."""
    return bytes.fromhex(fingerprint[:32])
