"""Run folders: making one, opening one, and opening one to continue it.

    run.sqlite      everything that happened (`store.py`); nothing else is ever read back
    config.yaml     the settings, resolved, for people; the store has every version
    seeds/*.dna     the programs it started from, for people
    weights/*.npz   trained weights of the best (`kept_weights.py`)
    run.lock        held by the process that drives the run

`search/drive/` drives a run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TextIO, TypeVar

from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.evaluators.whole_files import remove_drafts, replacing
from primeval.primitives.errors import did_you_mean
from primeval.primitives.language import Language
from primeval.primitives.user import PrimitiveError
from primeval.search.config.changes import refuse_incomparable
from primeval.search.config.config import parse_config, to_yaml
from primeval.search.config.settings import RunConfig
from primeval.search.errors import LanguageError, RunError
from primeval.search.run.environment import META, environment
from primeval.search.run.locking import take_lock
from primeval.search.run.schema import FILE_NAME, SCHEMA_VERSION
from primeval.search.run.store import Store, create_store, open_store

SCHEMA_META = "schema"  # the schema that a run was made with
BEFORE_REPLICATES = ("candidate.replicates=1",)

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """An open run.

    Attributes:
        folder: Its folder.
        config: Its settings, as of the last change.
        store: What happened in it.
        lock: Held while it is driven; None for readers.
    """

    folder: Path
    config: RunConfig
    store: Store = field(repr=False)
    lock: TextIO | None = None

    @property
    def reference(self) -> str:
        """Text of the first seed, the program by which compute is measured."""
        return first_seed(self.store.seeds)

    @property
    def seed_name(self) -> str:
        """Name of the first seed."""
        return next(iter(self.store.seeds))

    @cached_property
    def language(self) -> Language:
        """What its programs are written in. Imports the modules that its settings name.

        Raises LanguageError if they are not there, or not usable.
        """
        try:
            return self.config.make_language()
        except PrimitiveError as error:
            raise LanguageError(
                f"The primitives of {self.folder} cannot be loaded: {error} The run needs the "
                "modules as they were. Without them, `primeval top` and `primeval lineage` "
                "work, and `primeval show` prints the text of an individual."
            ) from None

    def close(self) -> None:
        """Close the store and release the lock."""
        self.store.close()
        if self.lock is not None:
            self.lock.close()


def first_seed(by_name: Mapping[str, T]) -> T:
    """What belongs to the first seed: its program, text or cost, of those of all seeds."""
    return next(iter(by_name.values()))


def create_run(config: RunConfig, seeds: dict[str, Program]) -> Run:
    """A new run.

    Raises RunError, and writes nothing, if its folder cannot take one; StoreError if the store
    cannot be written.
    """
    folder = Path(config.run_dir)
    check_free(folder)
    lock = _locked(folder)
    check_free(folder)  # again, now that the lock keeps other processes from making one
    try:
        texts = {name: format_program(program) for name, program in seeds.items()}
        (folder / "seeds").mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / "seeds" / f"{name}.dna").write_text(text, encoding="utf-8")
        _write_config(folder, config)
        from importlib import metadata  # slow to import, and readers do without

        noted = {"primeval": metadata.version("primeval"), META: json.dumps(environment())}
        noted[SCHEMA_META] = str(SCHEMA_VERSION)
        remove_drafts(folder / FILE_NAME)
        with replacing(folder / FILE_NAME) as new:  # a folder must never hold half a run
            store = create_store(new, texts, **noted)
            store.append_event("started", {"config": to_yaml(config)}, 0.0)
            store.close()
    except OSError as error:
        lock.close()
        raise _unwritable(folder, error) from None
    return Run(folder, config, open_store(folder / FILE_NAME, write=True), lock)


def open_run(path: str | Path, write: bool = False) -> Run:
    """A run, for reading; also while it is driven. Raises RunError if there is none.

    With `write`, injections and confirmations may be appended, which do not disturb a driver.
    No module of users' primitives is imported before `Run.language` is asked for.
    """
    folder = _existing(Path(path))
    store = open_store(folder / FILE_NAME, write)
    return Run(folder, _config(store, folder), store)


def reopen_run(path: str | Path, sets: Sequence[str] = (), lasting: bool = True) -> Run:
    """A run, locked, to continue it with its settings and `sets`.

    Args:
        path: Its folder.
        sets: Overrides, `key.path=value` each.
        lasting: Whether the search continues, with these settings from now on. Otherwise they
            hold until the run is closed, and are not recorded.

    Raises:
        RunError: There is no run, it is driven by another process, or its store is damaged.
        ConfigError: A setting is wrong, or would make outcomes incomparable.
    """
    folder = _existing(Path(path))
    lock = _locked(folder)
    try:
        store = open_store(folder / FILE_NAME, write=True)
        store.check()
        before = _config(store, folder)
        config = parse_config(to_yaml(before), sets, source=f"{folder}/config.yaml")
        refuse_incomparable(before, config)
        run = Run(folder, config, store, lock)
        _ = run.language  # if it cannot be made, nothing has been written
        if lasting:
            changed = {} if config == before else {"config": to_yaml(config), "set": list(sets)}
            store.append_event("resumed", changed, store.elapsed())
            if changed:
                _write_config(folder, config)
    except BaseException:
        lock.close()
        raise
    return run


def _locked(folder: Path) -> TextIO:
    """The lock of a folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return take_lock(folder)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _config(store: Store, folder: Path) -> RunConfig:
    versions = [event.data["config"] for event in store.events() if event.data.get("config")]
    if not versions:
        raise RunError(
            f"{folder / FILE_NAME} holds no settings: its run was made in part only."
        )
    return stored_config(store, versions[-1], str(folder / FILE_NAME))


def stored_config(store: Store, text: str, source: str) -> RunConfig:
    """The settings that a run noted. One made before there were replicates had none."""
    return parse_config(
        text, [] if store.meta(SCHEMA_META) else BEFORE_REPLICATES, source=source
    )


def _write_config(folder: Path, config: RunConfig) -> None:
    with replacing(folder / "config.yaml") as new:
        new.write_text(f"# The settings of this run, resolved.\n{to_yaml(config)}", "utf-8")


def _existing(path: Path) -> Path:
    folder = path.parent if path.name == FILE_NAME else path
    if (folder / FILE_NAME).is_file():
        return folder
    if folder.is_dir():
        raise RunError(f"{folder} holds no run: there is no {FILE_NAME} in it.")
    beside = [str(file.parent) for file in folder.parent.glob(f"*/{FILE_NAME}")]
    raise RunError(f"There is no run {str(path)!r}.{did_you_mean(str(folder), beside, 1)}")


def check_free(folder: Path) -> None:
    """Raise RunError if a new run cannot go into this folder. Writes nothing."""
    if (folder / FILE_NAME).exists():
        raise RunError(
            f"{folder} holds a run already. To continue it: primeval resume {folder}. "
            "For a new one, give another folder: --run-dir DIR."
        )
    parent = existing_parent(folder)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        what = "is not a folder" if not parent.is_dir() else "cannot be written to"
        raise RunError(f"The run folder {folder} cannot be made: {parent} {what}.")


def existing_parent(folder: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _unwritable(folder: Path, error: OSError) -> RunError:
    return RunError(f"The run folder {folder} cannot be written to: {error.strerror}.")
