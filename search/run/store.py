"""The run store: one SQLite file, to which every event of a run is appended.

Five tables: `individuals` as they were asked for, `outcomes` in the order they were told,
`events` (started, resumed, stopped), `meta`, and `confirmations`, which the search never looks
at (`confirm.py`). Nothing is ever updated or deleted. Each event is a transaction of its own
and costs the same however long the run is. Together they repeat the run: `replay.py` feeds them
back through ask and tell. Readers work while it runs.

The file is in WAL mode with synchronous=NORMAL: when the process dies, at any moment, nothing
that was appended is lost. When the machine loses power, the events since the last checkpoint
(at most 1000 pages of 4 KiB) may be, never a part of one, and the file stays sound.
WAL needs a local disk; over NFS a run may be driven from one machine only.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual
from primeval.search.errors import StoreError
from primeval.search.run import schema
from primeval.search.run.rows import COLUMNS, Injection, Packer

Statement = tuple[str, tuple[Any, ...]]
T = TypeVar("T")


class Event(NamedTuple):
    kind: str
    data: dict[str, Any]
    asked: int
    told: int
    time: float
    elapsed: float


class Confirmation(NamedTuple):
    """One program trained with one of the fresh seeds; see the table in `schema.py`."""

    fingerprint: str
    seed: int
    name: str
    text: str
    weight_seed: int
    data_seed: int
    outcome: Outcome


class Store:
    """An open run store. Use `create_store` or `open_store`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self.path = connection, path
        self.seeds: dict[str, str] = self.parsed(self.meta("seeds"), dict)  # name to text
        self._packer = Packer("\n".join(self.seeds.values()))

    # -- appending ------------------------------------------------------------------------

    def append_individual(
        self, individual: Individual, elapsed: float, injection: Injection | None = None
    ) -> None:
        """As it was asked for; `injection` is what it was made from, if it was injected."""
        row = (*self._packer.row(individual), elapsed)
        statements = [("INSERT INTO individuals VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)]
        if injection is not None:
            data = {"seq": injection.seq, "name": injection.name, "id": individual.id}
            statements.append(self._event("injected", data, elapsed))
        self._append(*statements)

    def append_outcome(self, number: int, outcome: Outcome, elapsed: float) -> None:
        fitness = outcome.fitness if math.isfinite(outcome.fitness) else None
        text = json.dumps(outcome.to_dict())
        row: tuple[Any, ...] = (number, outcome.status.value, fitness, text, elapsed)
        columns = "id, status, fitness, outcome, elapsed"
        statements = [(f"INSERT INTO outcomes ({columns}) VALUES (?,?,?,?,?)", row)]
        if outcome.same_as is not None:
            row = (number, outcome.same_as)
            statements.append(("INSERT INTO repeats VALUES (?,?)", row))
        elif outcome.digest is not None and outcome.status is not Status.LOST:
            row = (bytes.fromhex(outcome.digest), number)
            statements.append(("INSERT OR IGNORE INTO digests VALUES (?,?)", row))
        self._append(*statements)

    def append_event(self, kind: str, data: dict[str, Any], elapsed: float) -> None:
        self._append(self._event(kind, data, elapsed))

    def append_injection(self, name: str, text: str) -> None:
        """Leave a program for whoever drives the run; also while somebody does."""
        row = (name, self._packer.compress(text), time.time())
        self._append(("INSERT INTO injections (name, program, time) VALUES (?,?,?)", row))

    def append_confirmation(self, one: Confirmation) -> None:
        row = (
            bytes.fromhex(one.fingerprint),
            one.seed,
            one.name,
            self._packer.compress(one.text),
            one.weight_seed,
            one.data_seed,
            json.dumps(one.outcome.to_dict()),
            time.time(),
        )
        columns = "fingerprint, seed, name, program, weight_seed, data_seed, outcome, time"
        marks = "INSERT INTO confirmations ({}) VALUES (?,?,?,?,?,?,?,?)"
        self._append((marks.format(columns), row))

    def _event(self, kind: str, data: dict[str, Any], elapsed: float) -> Statement:
        row = (kind, json.dumps(data), self.asked(), self.told(), time.time(), elapsed)
        columns = "kind, data, asked, told, time, elapsed"
        return f"INSERT INTO events ({columns}) VALUES (?,?,?,?,?,?)", row

    def _append(self, *statements: Statement) -> None:
        """Append rows in one transaction: all of them or none."""
        execute = self._connection.execute
        try:
            if len(statements) > 1:
                execute("BEGIN IMMEDIATE")
            for statement, row in statements:
                execute(statement, row)
            if len(statements) > 1:
                execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            raise StoreError(f"{self.path} could not be written: {error}.") from error

    # -- reading --------------------------------------------------------------------------

    def asked(self) -> int:
        return int(self._one("SELECT COALESCE(MAX(id) + 1, 0) FROM individuals"))

    def told(self) -> int:
        return int(self._one("SELECT COALESCE(MAX(seq), 0) FROM outcomes"))

    def elapsed(self) -> float:
        """Seconds of running up to the last thing recorded."""
        last = "SELECT elapsed FROM {0} ORDER BY {1} DESC LIMIT 1"
        tables = (("individuals", "id"), ("outcomes", "seq"), ("events", "seq"))
        return max(
            float(row[0]) for table in tables for row in self.select(last.format(*table))
        )

    def meta(self, key: str) -> str:
        """What was noted when the run was made: seeds, primeval (its version)."""
        found = self.select("SELECT value FROM meta WHERE key = ?", (key,))
        return str(next(found, ("",))[0])

    def individual(self, number: int) -> Individual | None:
        found = self.select(f"SELECT {COLUMNS} FROM individuals WHERE id = ?", (number,))
        return next((self._whole(self._packer.individual, row) for row in found), None)

    def individuals(self) -> Iterator[Individual]:
        """All of them, in the order they were asked for."""
        for row in self.select(f"SELECT {COLUMNS} FROM individuals ORDER BY id"):
            yield self._whole(self._packer.individual, row)

    def outcome(self, number: int) -> Outcome | None:
        found = self.select("SELECT outcome FROM outcomes WHERE id = ?", (number,))
        return next((self.parsed(text, Outcome.from_dict) for (text,) in found), None)

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """All of them by individual, in the order they were told."""
        for number, text in self.select("SELECT id, outcome FROM outcomes ORDER BY seq"):
            yield number, self.parsed(text, Outcome.from_dict)

    def ranked(self, count: int | None = None) -> list[int]:
        """Individuals that have an outcome, the fittest first; without a fitness, last.

        Each program once: those that are the same as an earlier one are left out, and what
        was evaluated several times is ranked by its mean.
        """
        query = "SELECT id, fitness AS mean FROM outcomes"
        if self._has("repeats"):
            query = f"{schema.MEANS} SELECT id, mean FROM means"
        order = "ORDER BY mean IS NULL, mean DESC, id LIMIT ?"
        rows = self.select(f"{query} {order}", (-1 if count is None else count,))
        return [number for number, _ in rows]

    def means(self) -> dict[int, tuple[float, int]]:
        """Mean fitness, and of how many evaluations, of those that repeats count for."""
        if not self._has("repeats"):
            return {}
        repeated = "WHERE count > (fitness IS NOT NULL)"
        rows = self.select(f"{schema.MEANS} SELECT id, mean, count FROM means {repeated}")
        return {number: (mean, count) for number, mean, count in rows}

    def known(self, digest: str) -> int | None:
        """The individual that was evaluated with this digest; None if there is none."""
        query = "SELECT id FROM digests WHERE digest = ?"
        return next(
            (number for (number,) in self.select(query, (bytes.fromhex(digest),))), None
        )

    def injection(self, after: int) -> Injection | None:
        """The first program given to the run after that one."""
        query = "SELECT seq, name, program FROM injections WHERE seq > ? ORDER BY seq LIMIT 1"
        for seq, name, program in self.select(query, (after,)):
            return Injection(seq, name, self._text(program))
        return None

    def statuses(self) -> dict[str, int]:
        """How many outcomes there are of each status."""
        return dict(self.select("SELECT status, COUNT(*) FROM outcomes GROUP BY status"))

    def events(self) -> list[Event]:
        columns = "kind, data, asked, told, time, elapsed"
        rows = self.select(f"SELECT {columns} FROM events ORDER BY seq")
        return [Event(kind, self.parsed(data, dict), *rest) for kind, data, *rest in rows]

    def injected_name(self, number: int) -> str:
        """What an injected individual was called."""
        query = (
            "SELECT json_extract(data, '$.name') FROM events "
            "WHERE kind = 'injected' AND json_extract(data, '$.id') = ?"
        )
        return next((str(name) for (name,) in self.select(query, (number,))), "")

    def confirmations(self) -> Iterator[Confirmation]:
        """All of them, in the order they were made; none in a store older than the table."""
        if not self._has("confirmations"):
            return
        columns = "fingerprint, seed, name, program, weight_seed, data_seed, outcome"
        rows = self.select(f"SELECT {columns} FROM confirmations ORDER BY seq")
        for fingerprint, seed, name, program, weights, data, outcome in rows:
            text, result = self._text(program), self.parsed(outcome, Outcome.from_dict)
            yield Confirmation(fingerprint.hex(), seed, name, text, weights, data, result)

    def find(self, fingerprint: str) -> int | None:
        """The first individual with a fingerprint; None if there is none."""
        query = "SELECT MIN(id) FROM individuals WHERE fingerprint = ?"
        (number,) = next(self.select(query, (bytes.fromhex(fingerprint),)))
        return None if number is None else int(number)

    def check(self) -> None:
        """Raise RunError if the file is damaged; reads all of it."""
        problem = self._one("PRAGMA integrity_check(1)")
        if problem != "ok":
            raise schema.damaged(self.path, problem)

    def close(self) -> None:
        self._connection.close()

    def select(self, query: str, arguments: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query. Raises RunError if the file is damaged."""
        try:
            yield from self._connection.execute(query, arguments)
        except sqlite3.DatabaseError as error:
            raise schema.damaged(self.path, error) from None

    def _has(self, table: str) -> bool:
        """Whether there is such a table, with something in it; older stores lack some."""
        known = self.select("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
        return next(known, None) is not None and bool(
            self._one(f"SELECT EXISTS (SELECT 1 FROM {table})")
        )

    def _one(self, query: str) -> Any:
        return next(self.select(query))[0]

    def parsed(self, text: str, read: Callable[[Any], T]) -> T:
        """What `read` makes of a JSON text. Raises RunError if it is damaged."""
        return self._whole(lambda stored: read(json.loads(stored)), text)

    def _text(self, program: bytes) -> str:
        return self._whole(self._packer.decompress, program)

    def _whole(self, read: Callable[[Any], T], stored: Any) -> T:
        """What is stored, read. Raises RunError if `read` stumbles over it."""
        try:
            return read(stored)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise schema.damaged(self.path, f"a row is damaged ({error!r})") from None


def create_store(path: Path, seeds: dict[str, str], **meta: str) -> Store:
    """A new, empty store. The seeds' texts are what programs are compressed against."""
    try:
        connection = schema.create(path)
        rows = [("seeds", json.dumps(seeds)), *meta.items()]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        return Store(connection, path)
    except sqlite3.Error as error:
        raise StoreError(f"{path} could not be written: {error}.") from error


def open_store(path: Path, write: bool = False) -> Store:
    """The store at a path. Raises RunError if it is not one, damaged, or of a newer version."""
    return Store(schema.connect(path, write), path)
