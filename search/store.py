"""The run store: one SQLite file, to which every event of a run is appended.

Four tables: `individuals` as they were asked for, `outcomes` in the order they were told,
`events` (started, resumed, stopped), and `meta`. Nothing is ever updated or deleted. Each
event is a transaction of its own and costs the same however long the run is. Together they
repeat the run: `replay.py` feeds them back through ask and tell. Readers work while it runs.

The file is in WAL mode with synchronous=NORMAL: when the process dies, at any moment, nothing
that was appended is lost. When the machine loses power, the events since the last checkpoint
(at most 1000 pages of 4 KiB) may be, never a part of one, and the file stays sound.
WAL needs a local disk; over NFS a run may be driven from one machine only.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from primeval.dna.mutate import Edit
from primeval.evaluators.outcome import Outcome
from primeval.search import schema
from primeval.search.population import Individual

_INDIVIDUAL = (
    "id, parent, edit, program, fingerprint, seed, thresholds, told, parameters, attempts"
)


class StoreError(RuntimeError):
    """The store could not be written; what was appended before is safe."""


class Event(NamedTuple):
    kind: str
    data: dict[str, Any]
    asked: int
    told: int
    time: float
    elapsed: float


class Store:
    """An open run store. Use `create_store` or `open_store`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self.path = connection, path
        self.seeds: dict[str, str] = json.loads(self.meta("seeds"))  # name to text
        self._dictionary = "\n".join(self.seeds.values()).encode()

    # -- appending ------------------------------------------------------------------------

    def append_individual(self, individual: Individual, elapsed: float) -> None:
        edit = individual.edit
        row = (
            individual.id,
            individual.parent,
            None if edit is None else json.dumps(_edit_fields(edit)),
            self._compress(individual.text),
            bytes.fromhex(individual.fingerprint),
            individual.seed,
            json.dumps(individual.thresholds),
            individual.told,
            individual.parameters,
            json.dumps(individual.attempts),
            elapsed,
        )
        self._append("INSERT INTO individuals VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)

    def append_outcome(self, number: int, outcome: Outcome, elapsed: float) -> None:
        fitness = outcome.fitness if math.isfinite(outcome.fitness) else None
        text = json.dumps(outcome.to_dict())
        row = (number, outcome.status.value, fitness, text, elapsed)
        columns = "id, status, fitness, outcome, elapsed"
        self._append(f"INSERT INTO outcomes ({columns}) VALUES (?,?,?,?,?)", row)

    def append_event(self, kind: str, data: dict[str, Any], elapsed: float) -> None:
        row = (kind, json.dumps(data), self.asked(), self.told(), time.time(), elapsed)
        columns = "kind, data, asked, told, time, elapsed"
        self._append(f"INSERT INTO events ({columns}) VALUES (?,?,?,?,?,?)", row)

    def _append(self, statement: str, row: tuple[Any, ...]) -> None:
        try:
            self._connection.execute(statement, row)
        except sqlite3.Error as error:
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
        return max(float(row[0]) for table in tables for row in self._rows(last.format(*table)))

    def meta(self, key: str) -> str:
        """What was noted when the run was made: seeds, primeval (its version)."""
        found = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return str(next(found, ("",))[0])

    def individual(self, number: int) -> Individual | None:
        found = self._rows(f"SELECT {_INDIVIDUAL} FROM individuals WHERE id = ?", (number,))
        return next((self._individual(row) for row in found), None)

    def individuals(self) -> Iterator[Individual]:
        """All of them, in the order they were asked for."""
        for row in self._rows(f"SELECT {_INDIVIDUAL} FROM individuals ORDER BY id"):
            yield self._individual(row)

    def outcome(self, number: int) -> Outcome | None:
        found = self._rows("SELECT outcome FROM outcomes WHERE id = ?", (number,))
        return next((Outcome.from_dict(json.loads(text)) for (text,) in found), None)

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """All of them by individual, in the order they were told."""
        for number, text in self._rows("SELECT id, outcome FROM outcomes ORDER BY seq"):
            yield number, Outcome.from_dict(json.loads(text))

    def ranked(self, count: int | None = None) -> list[int]:
        """Individuals that have an outcome, the fittest first; without a fitness, last."""
        order = "ORDER BY fitness IS NULL, fitness DESC, id LIMIT ?"
        rows = self._rows(f"SELECT id FROM outcomes {order}", (-1 if count is None else count,))
        return [number for (number,) in rows]

    def statuses(self) -> dict[str, int]:
        """How many outcomes there are of each status."""
        return dict(self._rows("SELECT status, COUNT(*) FROM outcomes GROUP BY status"))

    def events(self) -> list[Event]:
        columns = "kind, data, asked, told, time, elapsed"
        rows = self._rows(f"SELECT {columns} FROM events ORDER BY seq")
        return [Event(kind, json.loads(data), *rest) for kind, data, *rest in rows]

    def check(self) -> None:
        """Raise RunError if the file is damaged; reads all of it."""
        problem = self._one("PRAGMA integrity_check(1)")
        if problem != "ok":
            raise schema.damaged(self.path, problem)

    def close(self) -> None:
        self._connection.close()

    def _rows(self, query: str, arguments: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, arguments)
        except sqlite3.DatabaseError as error:
            raise schema.damaged(self.path, error) from None

    def _one(self, query: str) -> Any:
        return next(self._rows(query))[0]

    def _individual(self, row: tuple[Any, ...]) -> Individual:
        (
            number,
            parent,
            edit,
            program,
            fingerprint,
            seed,
            thresholds,
            told,
            parameters,
            tries,
        ) = row
        return Individual(
            number,
            parent,
            None if edit is None else Edit(**json.loads(edit)),
            self._decompress(program),
            fingerprint.hex(),
            seed,
            tuple(json.loads(thresholds)),
            told,
            parameters,
            json.loads(tries),
        )

    def _compress(self, text: str) -> bytes:
        packer = zlib.compressobj(zdict=self._dictionary)
        return packer.compress(text.encode()) + packer.flush()

    def _decompress(self, data: bytes) -> str:
        try:
            return zlib.decompressobj(zdict=self._dictionary).decompress(data).decode()
        except (zlib.error, UnicodeDecodeError) as error:
            raise schema.damaged(self.path, error) from None


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


def _edit_fields(edit: Edit) -> dict[str, Any]:
    return {
        "kind": edit.kind,
        "subprogram": edit.subprogram,
        "place": edit.place,
        "summary": edit.summary,
    }
