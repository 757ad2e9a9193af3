"""The tables of a run store, and how its file is made and opened.

A store is recognised by SQLite's own header fields: the application id says that it is ours,
the user version which schema it has. `store.py` says what is written into the tables.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from primeval.search.errors import RunError

FILE_NAME = "run.sqlite"
APPLICATION_ID = 0x7072696D  # "prim": tells our files from other SQLite files

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE individuals (
    id INTEGER PRIMARY KEY, -- in the order they were asked for
    parent INTEGER,         -- null for a seed
    edit TEXT,              -- JSON: kind, subprogram, place, summary
    program BLOB,           -- text, compressed with meta's dictionary
    fingerprint BLOB,       -- SHA-256 of the canonical graph
    seed INTEGER,           -- of its weights
    thresholds TEXT,        -- JSON: the loss to reach at each hurdle
    told INTEGER,           -- outcomes known when it was asked for
    parameters INTEGER,
    attempts TEXT,          -- JSON: mutations thrown away before it, by reason
    elapsed REAL            -- seconds of running since the start
);
CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY, -- in the order they were told, from 1
    id INTEGER UNIQUE,
    status TEXT,
    fitness REAL,            -- null for whoever has none
    outcome TEXT,            -- JSON
    elapsed REAL
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    kind TEXT,
    data TEXT,               -- JSON
    asked INTEGER,           -- individuals when it happened
    told INTEGER,            -- outcomes when it happened
    time REAL,               -- of the clock, for people
    elapsed REAL
);
"""

# What each later schema added, in order: a store of schema 1 + n has had the first n of them.
# Whoever opens an older store to write brings it up to date; readers do without.
UPGRADES = (
    """
CREATE TABLE confirmations (
    seq INTEGER PRIMARY KEY,
    fingerprint BLOB,        -- as in individuals; of one and the same seed the last row counts
    seed INTEGER,            -- 0, 1, …: the same for every program
    name TEXT,               -- what the program was called
    program BLOB,            -- text, compressed with meta's dictionary
    weight_seed INTEGER,     -- both follow from the run's seed and this one
    data_seed INTEGER,
    outcome TEXT,            -- JSON; its losses are of the test split
    time REAL                -- of the clock, for people
);
""",
    """
CREATE TABLE digests (
    digest BLOB PRIMARY KEY, -- of what a program computes (evaluators/training/probe.py)
    id INTEGER               -- the first individual that was evaluated with it
) WITHOUT ROWID;
CREATE TABLE repeats (
    id INTEGER PRIMARY KEY,  -- an individual that is the same program as …
    original INTEGER         -- … this one, and is known, or was evaluated again
);
CREATE TABLE injections (
    seq INTEGER PRIMARY KEY, -- in the order they were given
    name TEXT,               -- what the program was called
    program BLOB,            -- text, compressed with meta's dictionary
    time REAL                -- of the clock, for people
);
""",
)
SCHEMA_VERSION = 1 + len(UPGRADES)

# Every program's mean fitness over its evaluations: the original's, and those that repeat it.
MEANS = """
WITH more AS (
    SELECT original, TOTAL(fitness) AS total, COUNT(fitness) AS count
    FROM repeats JOIN outcomes USING (id) GROUP BY original
),
means AS (
    SELECT id, fitness, count, (COALESCE(fitness, 0) + total) / NULLIF(count, 0) AS mean FROM (
        SELECT o.id AS id, o.fitness AS fitness, COALESCE(more.total, 0) AS total,
            (o.fitness IS NOT NULL) + COALESCE(more.count, 0) AS count
        FROM outcomes AS o LEFT JOIN more ON more.original = o.id
        WHERE o.id NOT IN (SELECT id FROM repeats)
    )
)
"""


def create(path: Path) -> sqlite3.Connection:
    """An empty store. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        f"PRAGMA journal_mode = WAL; PRAGMA application_id = {APPLICATION_ID};"
        f"PRAGMA user_version = {SCHEMA_VERSION}; BEGIN; {SCHEMA} {''.join(UPGRADES)} COMMIT;"
        f"PRAGMA synchronous = NORMAL;"
    )
    return connection


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """An existing store, up to date if it is to be written.

    Raises RunError if the file is none, damaged, or of a newer schema.
    """
    if not path.is_file():
        raise RunError(f"There is no run store {path}.")
    connection = _connection(path, write)
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if write:
            connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from None
    if application != APPLICATION_ID:
        raise RunError(f"{path} is not a run store of primeval.")
    if version > SCHEMA_VERSION:
        raise RunError(
            f"{path} was written by a newer primeval (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION}). Upgrade primeval to read it."
        )
    if write and version < SCHEMA_VERSION:
        _upgrade(connection, path, version)
    return connection


def _upgrade(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Add what an older store lacks; all of it or nothing."""
    missing = "".join(UPGRADES[version - 1 :])
    try:
        connection.executescript(
            f"BEGIN; {missing} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    except sqlite3.Error as error:
        raise RunError(f"{path} cannot be brought up to date: {error}.") from None


def _connection(path: Path, write: bool) -> sqlite3.Connection:
    uri = path.resolve().as_uri()
    mode = "rw" if write else "ro"
    connection = sqlite3.connect(f"{uri}?mode={mode}", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        # a folder that cannot be written to: then nobody is writing, and no WAL is needed
        if write or Path(f"{path}-wal").exists():
            return connection
        return sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None)
    except sqlite3.DatabaseError:
        pass  # connect says what is wrong
    return connection


def damaged(path: Path, problem: object) -> RunError:
    """The error for a file that SQLite, or we, cannot make sense of."""
    return RunError(f"{path} cannot be read as a run store: {problem}.")
