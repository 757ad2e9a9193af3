"""The run store: one SQLite file, to which every event of a run is appended.

`schema.py` has its tables. Nothing is ever updated or deleted. Each event is a transaction of
its own and costs the same however long the run is. Together the individuals, outcomes and
events repeat the run: `search/drive/replay.py` feeds them back through ask and tell.
Confirmations stand apart: the search never reads them.

The file is in WAL mode with synchronous=NORMAL: when the process dies, at any moment, nothing
that was appended is lost. When the machine loses power, the events since the last checkpoint
(at most 1000 pages of 4 KiB) may be lost, never a part of one, and the file stays sound.
WAL needs a local disk; over NFS a run may be driven from one machine only.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from pathlib import Path
from typing import Any

from primeval.evaluators.outcome import Outcome
from primeval.search.algorithm.population import Individual
from primeval.search.errors import StoreError
from primeval.search.run import schema
from primeval.search.run.reader import Confirmation, Injection, Reader

Statement = tuple[str, tuple[Any, ...]]


class Store(Reader):
    """An open run store. Use `create_store` or `open_store`.

    Every `append` method raises StoreError if the file cannot be written.
    """

    def append_individual(
        self, individual: Individual, elapsed: float, injection: Injection | None = None
    ) -> None:
        """An individual as it was asked for, and the injection it was made from, if any."""
        row = (*self._packer.row(individual), elapsed)
        statements = [("INSERT INTO individuals VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)]
        if individual.of is not None:
            trial = (individual.id, individual.rung, individual.of)
            statements.append(("INSERT INTO trials VALUES (?,?,?)", trial))
        if injection is not None:
            data = {"seq": injection.seq, "name": injection.name, "id": individual.id}
            statements.append(self._event("injected", data, elapsed))
        self._append(*statements)

    def append_outcome(self, number: int, outcome: Outcome, elapsed: float) -> None:
        """The outcome of an individual; each individual has one."""
        fitness = outcome.fitness if math.isfinite(outcome.fitness) else None
        text = json.dumps(outcome.to_dict())
        row: tuple[Any, ...] = (number, outcome.status.value, fitness, text, elapsed)
        columns = "id, status, fitness, outcome, elapsed"
        statements = [(f"INSERT INTO outcomes ({columns}) VALUES (?,?,?,?,?)", row)]
        if outcome.same_as is not None:
            row = (number, outcome.same_as)
            statements.append(("INSERT INTO repeats VALUES (?,?)", row))
        self._append(*statements)

    def append_event(self, kind: str, data: dict[str, Any], elapsed: float) -> None:
        """Something that happened to the run; `data` goes through JSON."""
        self._append(self._event(kind, data, elapsed))

    def append_injection(self, name: str, text: str) -> None:
        """A program for the run's driver, which may be running meanwhile."""
        row = (name, self._packer.compress(text), time.time())
        self._append(("INSERT INTO injections (name, program, time) VALUES (?,?,?)", row))

    def append_confirmation(self, one: Confirmation) -> None:
        """The training of a confirmed program with one of the fresh seeds."""
        fingerprint, seed, name, text, *seeds, outcome, rung = one
        program = (bytes.fromhex(fingerprint), seed, name, self._packer.compress(text))
        row = (*program, *seeds, json.dumps(outcome.to_dict()), time.time(), rung)
        columns = (
            "fingerprint, seed, name, program, weight_seed, data_seed, outcome, time, rung"
        )
        marks = "VALUES (?,?,?,?,?,?,?,?,?)"
        self._append((f"INSERT INTO confirmations ({columns}) {marks}", row))

    def _event(self, kind: str, data: dict[str, Any], elapsed: float) -> Statement:
        row = (kind, json.dumps(data), self.asked(), self.told(), time.time(), elapsed)
        columns = "kind, data, asked, told, time, elapsed"
        return f"INSERT INTO events ({columns}) VALUES (?,?,?,?,?,?)", row

    def _append(self, *statements: Statement) -> None:
        """Append rows in one transaction: all of them or none."""
        try:
            with self._connection:  # commits, or rolls back after an error
                self._connection.execute("BEGIN IMMEDIATE")
                for statement, row in statements:
                    self._connection.execute(statement, row)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} could not be written: {error}.") from error


def create_store(path: Path, seeds: dict[str, str], **meta: str) -> Store:
    """A new, empty store. Programs are compressed against the texts of the seeds.

    Raises StoreError if the file cannot be written.
    """
    try:
        connection = schema.create(path)
        rows = [("seeds", json.dumps(seeds)), *meta.items()]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        return Store(connection, path)
    except sqlite3.Error as error:
        raise StoreError(f"{path} could not be written: {error}.") from error


def open_store(path: Path, write: bool = False) -> Store:
    """The store at a path. Raises RunError if it is none, damaged, or of another schema."""
    return Store(schema.connect(path, write), path)
