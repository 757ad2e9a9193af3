"""Reading a run store: every question about a run that is answered with SQL.

A reader works while the run is driven, and sees each event as soon as it is appended. Every
method raises RunError if the file is damaged.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from primeval.evaluators.outcome import Outcome
from primeval.search.algorithm.known import Mean
from primeval.search.algorithm.population import Individual
from primeval.search.run import schema
from primeval.search.run.packing import COLUMNS, Packer

T = TypeVar("T")

# Every program once, as its original; `mean`, `count` and `repeated` tell whether and how its
# fitness is a mean over several evaluations. mean() is the class that the algorithm uses too.
PROGRAMS = """
WITH evaluations AS (
    SELECT original AS id, fitness, seq FROM repeats JOIN outcomes USING (id)
    UNION ALL SELECT id, fitness, seq FROM outcomes WHERE id IN (SELECT original FROM repeats)
    ORDER BY seq
),
means AS (
    SELECT id, mean(fitness) AS mean, COUNT(fitness) AS count FROM evaluations GROUP BY id
),
programs AS (
    SELECT id, COALESCE(mean, fitness) AS mean, count,
        COALESCE(count > (fitness IS NOT NULL), 0) AS repeated
    FROM outcomes LEFT JOIN means USING (id)
    WHERE id NOT IN (SELECT id FROM repeats) AND id NOT IN (SELECT id FROM trials)
)
"""
BEST_FIRST = "ORDER BY mean IS NULL, mean DESC, id"
BEST = f"{BEST_FIRST} LIMIT COALESCE(?, -1)"  # -1 is "no limit"


class Event(NamedTuple):
    """Something that happened to a run: started, resumed, stopped, injected."""

    kind: str
    data: dict[str, Any]
    asked: int
    told: int
    time: float
    elapsed: float


class Injection(NamedTuple):
    """A program that the user gave to a run; see the table in `schema.py`."""

    seq: int
    name: str
    text: str


class Confirmation(NamedTuple):
    """One program trained with one of the fresh seeds; see the table in `schema.py`."""

    fingerprint: str
    seed: int
    name: str
    text: str
    weight_seed: int
    data_seed: int
    outcome: Outcome
    rung: int = 1


class Standing(NamedTuple):
    """An individual, its outcome, and how its program stands in the ranking.

    Attributes:
        individual: The individual.
        outcome: Its own outcome; None while it is in flight.
        mean: The mean fitness of its program and the number of evaluations behind it; None
            if the program was not evaluated again.
    """

    individual: Individual
    outcome: Outcome | None
    mean: tuple[float, int] | None


class Training(NamedTuple):
    """An individual and its outcome in brief, without program and curve.

    Attributes:
        id, parent, rung, of: As in `Individual`.
        original: The earlier individual that is the same program, as its outcome says.
        status: None while it is in flight.
        fitness: None if it has none.
        seq: Its outcome's place in the order they were told; None while it is in flight.
    """

    id: int
    parent: int | None
    rung: int
    of: int | None
    original: int | None
    status: str | None
    fitness: float | None
    seq: int | None


class Reader:
    """Reads a run store. Use `open_store`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self.path = connection, path
        # typeshed allows aggregates of integers only
        connection.create_aggregate("mean", 1, Mean)  # type: ignore[arg-type]
        self.seeds: dict[str, str] = self.parsed(self.meta("seeds"), dict)  # name to text
        self._packer = Packer("\n".join(self.seeds.values()))

    # -- the run --------------------------------------------------------------------------

    def asked(self) -> int:
        """How many individuals there are."""
        return int(self._one("SELECT COALESCE(MAX(id) + 1, 0) FROM individuals"))

    def told(self) -> int:
        """How many outcomes there are."""
        return int(self._one("SELECT COALESCE(MAX(seq), 0) FROM outcomes"))

    def elapsed(self) -> float:
        """Seconds of running up to the last thing recorded."""
        last = "SELECT elapsed FROM {0} ORDER BY {1} DESC LIMIT 1"
        tables = (("individuals", "id"), ("outcomes", "seq"), ("events", "seq"))
        return max(
            float(row[0]) for table in tables for row in self._select(last.format(*table))
        )

    def meta(self, key: str) -> str:
        """What was noted when the run was made: `seeds`, `primeval` (its version) …"""
        found = self._select("SELECT value FROM meta WHERE key = ?", key)
        return str(next(found, ("",))[0])

    def events(self) -> list[Event]:
        """All events, in order; the first is `started`."""
        columns = "kind, data, asked, told, time, elapsed"
        rows = self._select(f"SELECT {columns} FROM events ORDER BY seq")
        return [Event(kind, self.parsed(data, dict), *rest) for kind, data, *rest in rows]

    # -- individuals and outcomes ---------------------------------------------------------

    def individual(self, number: int) -> Individual | None:
        """An individual; None if there is none of this number."""
        return next(self._individuals("WHERE id = ?", number), None)

    def individuals(self) -> Iterator[Individual]:
        """All individuals, in the order they were asked for."""
        return self._individuals("ORDER BY id")

    def find(self, fingerprint: str) -> Individual | None:
        """The first individual with a fingerprint; None if there is none."""
        first = "WHERE fingerprint = ? ORDER BY id LIMIT 1"
        return next(self._individuals(first, bytes.fromhex(fingerprint)), None)

    def outcome(self, number: int) -> Outcome | None:
        """The outcome of an individual; None if there is none yet."""
        found = self._select("SELECT outcome FROM outcomes WHERE id = ?", number)
        return next((self.parsed(text, Outcome.from_dict) for (text,) in found), None)

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """All outcomes by individual, in the order they were told."""
        for number, text in self._select("SELECT id, outcome FROM outcomes ORDER BY seq"):
            yield number, self.parsed(text, Outcome.from_dict)

    def trainings(self) -> Iterator[Training]:
        """All individuals in brief, in the order they were asked for."""
        tables = "trials", "repeats", "outcomes"
        joined = " ".join(f"LEFT JOIN {table} USING (id)" for table in tables)
        columns = "id, parent, COALESCE(rung, 1), trial_of, original, status, fitness, seq"
        query = f"SELECT {columns} FROM individuals {joined} ORDER BY id"
        return map(Training._make, self._select(query))

    def times(self) -> dict[int, tuple[float, float | None]]:
        """Seconds of running when each individual was asked for and told; None in flight."""
        columns = "id, individuals.elapsed, outcomes.elapsed"
        query = f"SELECT {columns} FROM individuals LEFT JOIN outcomes USING (id)"
        return {number: (asked, told) for number, asked, told in self._select(query)}

    def statuses(self) -> dict[str, int]:
        """How many outcomes there are of each status."""
        return dict(self._select("SELECT status, COUNT(*) FROM outcomes GROUP BY status"))

    def attempts(self) -> dict[str, int]:
        """Mutations that were thrown away, by reason (`Individual.attempts`), in all."""
        columns = "key, CAST(TOTAL(value) AS INTEGER)"
        return dict(
            self._select(f"SELECT {columns} FROM individuals, json_each(attempts) GROUP BY key")
        )

    # -- the ranking ----------------------------------------------------------------------

    def ranked(self, count: int | None = None) -> list[int]:
        """The best `count` individuals, the fittest first; those without a fitness come last.

        Each program comes once, as its original, ranked by its mean fitness.
        """
        query = f"{PROGRAMS} SELECT id FROM programs {BEST}"
        return [number for (number,) in self._select(query, count)]

    def standings(self, count: int | None = None) -> Iterator[Standing]:
        """The individuals of `ranked`, whole."""
        best = f"SELECT id, mean, count, repeated FROM programs {BEST}"
        query = (
            f"{PROGRAMS} SELECT outcome, mean, count, repeated, {COLUMNS} FROM ({best}) "
            "JOIN outcomes USING (id) JOIN individuals USING (id) LEFT JOIN trials USING (id) "
            f"{BEST_FIRST}"
        )
        for text, mean, number, repeated, *row in self._select(query, count):
            yield Standing(
                self._whole(self._packer.individual, tuple(row)),
                self.parsed(text, Outcome.from_dict),
                (mean, number) if repeated else None,
            )

    def means(self) -> dict[int, tuple[float, int]]:
        """Mean fitness, and number of evaluations, of programs that were evaluated again."""
        query = f"{PROGRAMS} SELECT id, mean, count FROM programs WHERE repeated"
        return {number: (mean, count) for number, mean, count in self._select(query)}

    # -- programs from outside ------------------------------------------------------------

    def injection(self, after: int) -> Injection | None:
        """The first program that was given to the run after the one of this `seq`."""
        query = "SELECT seq, name, program FROM injections WHERE seq > ? ORDER BY seq LIMIT 1"
        for seq, name, program in self._select(query, after):
            return Injection(seq, name, self._text(program))
        return None

    def injected_name(self, number: int) -> str:
        """What an injected individual was called; empty for any other."""
        query = (
            "SELECT json_extract(data, '$.name') FROM events "
            "WHERE kind = 'injected' AND json_extract(data, '$.id') = ?"
        )
        return next((str(name) for (name,) in self._select(query, number)), "")

    def confirmations(self) -> Iterator[Confirmation]:
        """All trainings of confirmed programs, in the order they were made."""
        columns = "fingerprint, seed, name, program, weight_seed, data_seed, outcome, rung"
        rows = self._select(f"SELECT {columns} FROM confirmations ORDER BY seq")
        for fingerprint, seed, name, program, weights, data, outcome, rung in rows:
            text, result = self._text(program), self.parsed(outcome, Outcome.from_dict)
            yield Confirmation(fingerprint.hex(), seed, name, text, weights, data, result, rung)

    # -- the file -------------------------------------------------------------------------

    def check(self) -> None:
        """Raise RunError if the file is damaged; reads all of it."""
        problem = self._one("PRAGMA integrity_check(1)")
        if problem != "ok":
            raise schema.damaged(self.path, problem)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def parsed(self, text: str, read: Callable[[Any], T]) -> T:
        """What `read` makes of a JSON text."""
        return self._whole(lambda stored: read(json.loads(stored)), text)

    def _select(self, query: str, *arguments: object) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, arguments)
        except sqlite3.DatabaseError as error:
            raise schema.damaged(self.path, error) from None

    def _individuals(self, clause: str, *arguments: object) -> Iterator[Individual]:
        query = f"SELECT {COLUMNS} FROM individuals LEFT JOIN trials USING (id) {clause}"
        for row in self._select(query, *arguments):
            yield self._whole(self._packer.individual, row)

    def _one(self, query: str) -> Any:
        return next(self._select(query))[0]

    def _text(self, program: bytes) -> str:
        return self._whole(self._packer.decompress, program)

    def _whole(self, read: Callable[[Any], T], stored: Any) -> T:
        """What `read` makes of something stored; its errors mean damage."""
        try:
            return read(stored)
        except (AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
            raise schema.damaged(self.path, f"a row is damaged ({error!r})") from None
