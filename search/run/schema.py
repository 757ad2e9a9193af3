"""The tables of a run store, and how its file is made and opened.

A store is recognised by SQLite's own header fields: the application id tells primeval's files
from others, the user version gives the schema. `store.py` describes what goes into the tables.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from primeval.search.errors import RunError

FILE_NAME = "run.sqlite"
APPLICATION_ID = 0x7072696D  # "prim"
SCHEMA_VERSION = 4
BEFORE_RUNGS = 3  # is read too, and completed when it is opened for writing

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE individuals (
    id INTEGER PRIMARY KEY, -- in the order they were asked for
    parent INTEGER,         -- null for a seed or an injected program
    edit TEXT,              -- JSON: kind, subprogram, place, summary
    program BLOB,           -- text, compressed with meta's dictionary
    fingerprint BLOB,       -- SHA-256 of the canonical graph
    seed INTEGER,           -- random seed of its weights
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
    fitness REAL,            -- null if it has none
    outcome TEXT,            -- JSON
    elapsed REAL
);
CREATE TABLE repeats (
    id INTEGER PRIMARY KEY,  -- an individual that is the same program as …
    original INTEGER         -- … this earlier one: not trained, or trained again
);
CREATE TABLE trials (
    id INTEGER PRIMARY KEY,  -- an individual that trains a program again: on a higher rung …
    rung INTEGER,            -- … this one, or on the first, to measure the noise …
    trial_of INTEGER         -- … and the first individual with the program
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    kind TEXT,
    data TEXT,               -- JSON
    asked INTEGER,           -- individuals when it happened
    told INTEGER,            -- outcomes when it happened
    time REAL,               -- wall clock, for people
    elapsed REAL
);
CREATE TABLE injections (
    seq INTEGER PRIMARY KEY, -- in the order they were given
    name TEXT,               -- what the program was called
    program BLOB,            -- text, compressed with meta's dictionary
    time REAL                -- wall clock, for people
);
CREATE TABLE confirmations (
    seq INTEGER PRIMARY KEY,
    fingerprint BLOB,        -- as in individuals; of rows with the same seed the last counts
    seed INTEGER,            -- 0, 1, …: the same for every program
    name TEXT,               -- what the program was called
    program BLOB,            -- text, compressed with meta's dictionary
    weight_seed INTEGER,     -- random seeds, derived from the run's seed and this one
    data_seed INTEGER,
    outcome TEXT,            -- JSON; its losses are of the test split
    time REAL,               -- wall clock, for people
    rung INTEGER             -- on which rung it was trained
);
"""

# What a store of schema 3 lacks: for good if it is opened for writing, else for a reader.
COMPLETED = f"""
BEGIN;
CREATE TABLE trials (id INTEGER PRIMARY KEY, rung INTEGER, trial_of INTEGER);
ALTER TABLE confirmations ADD COLUMN rung INTEGER DEFAULT 1;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
SEEN_COMPLETED = """
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE trials (id INTEGER PRIMARY KEY, rung INTEGER, trial_of INTEGER);
CREATE TEMP VIEW confirmations AS SELECT *, 1 AS rung FROM main.confirmations;
"""


def create(path: Path) -> sqlite3.Connection:
    """An empty store. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        f"PRAGMA journal_mode = WAL; PRAGMA application_id = {APPLICATION_ID};"
        f"PRAGMA user_version = {SCHEMA_VERSION}; BEGIN; {SCHEMA} COMMIT;"
        f"PRAGMA synchronous = NORMAL;"
    )
    return connection


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """An existing store.

    Raises RunError if there is no file, or it is none of primeval's, damaged, or of another
    schema.
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
    if version == BEFORE_RUNGS:
        connection.executescript(COMPLETED if write else SEEN_COMPLETED)
    elif version != SCHEMA_VERSION:
        newer = version > SCHEMA_VERSION
        remedy = "Upgrade primeval to read it." if newer else "Start the search again."
        raise RunError(
            f"{path} was written by {'a newer' if newer else 'an older'} primeval (schema "
            f"{version}; this one reads {SCHEMA_VERSION}). {remedy}"
        )
    return connection


def _connection(path: Path, write: bool) -> sqlite3.Connection:
    uri = path.resolve().as_uri()
    mode = "rw" if write else "ro"
    connection = sqlite3.connect(f"{uri}?mode={mode}", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        # the folder cannot be written to: then no process is writing, and no WAL is needed
        if write or Path(f"{path}-wal").exists():
            return connection
        return sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None)
    except sqlite3.DatabaseError:
        pass  # `connect` reports what is wrong
    return connection


def damaged(path: Path, problem: object) -> RunError:
    """The error for a file whose content makes no sense."""
    return RunError(f"{path} cannot be read as a run store: {problem}.")
