"""Run folders: making one, opening one, and going on with one.

    run.sqlite      everything that happened (`store.py`); the only thing that counts
    config.yaml     the settings, resolved, for people; the store has every version
    seeds/*.dna     the programs it started from, for people
    weights/*.npz   trained weights of the best (`weights.py`)
    run.lock        held by whoever drives it

Driving a run is `loop.py`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from primeval.dna.check import ProgramError, check
from primeval.dna.cost import Cost, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.evaluators.whole_files import remove_drafts, replacing
from primeval.primitives.errors import did_you_mean
from primeval.primitives.language import Language
from primeval.primitives.user import PrimitiveError
from primeval.primitives.widths import Rejection
from primeval.search.config.changes import refuse_incomparable
from primeval.search.config.config import parse_config, to_yaml
from primeval.search.config.settings import RunConfig
from primeval.search.errors import ConfigError, LanguageError, RunError
from primeval.search.run.environment import META, environment
from primeval.search.run.locking import RunLock
from primeval.search.run.schema import FILE_NAME
from primeval.search.run.store import Store, create_store, open_store

if TYPE_CHECKING:
    from primeval.search.algorithm.evolution import Search


@dataclass(frozen=True)
class Run:
    """An open run.

    Attributes:
        folder: Where it lives.
        config: Its settings, as of the last change.
        store: What happened in it.
        lock: Held while it is driven; None for readers.
    """

    folder: Path
    config: RunConfig
    store: Store = field(repr=False)
    lock: RunLock | None = None

    @property
    def reference(self) -> str:
        """Text of the first seed, which compute is measured against."""
        return next(iter(self.store.seeds.values()))

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
        self.store.close()
        if self.lock is not None:
            self.lock.close()


def create_run(config: RunConfig, seeds: dict[str, Program]) -> Run:
    """A new run. Raises RunError, and writes nothing, if its folder cannot take one."""
    folder = Path(config.run_dir)
    check_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder)
    except OSError as error:
        raise _unwritable(folder, error) from None
    check_free(folder)  # again, now that nobody else can make one
    try:
        texts = {name: format_program(program) for name, program in seeds.items()}
        (folder / "seeds").mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / "seeds" / f"{name}.dna").write_text(text, encoding="utf-8")
        _write_config(folder, config)
        from importlib import metadata  # slow to import, and readers do without

        noted = {"primeval": metadata.version("primeval"), META: json.dumps(environment())}
        remove_drafts(folder / FILE_NAME)
        with replacing(folder / FILE_NAME) as new:  # a folder never holds half a run
            store = create_store(new, texts, **noted)
            store.append_event("started", {"config": to_yaml(config)}, 0.0)
            store.close()
    except OSError as error:
        lock.close()
        raise _unwritable(folder, error) from None
    return Run(folder, config, open_store(folder / FILE_NAME, write=True), lock)


def open_run(path: str | Path, write: bool = False) -> Run:
    """A run, for reading; also while it is being driven. Raises RunError.

    No module of users' primitives is imported before `Run.language` is asked for.
    To `write` is for what does not concern its driver, or waits for it.
    """
    folder = _existing(Path(path))
    store = open_store(folder / FILE_NAME, write)
    return Run(folder, _config(store, folder), store)


def reopen_run(path: str | Path, sets: Sequence[str] = (), lasting: bool = True) -> Run:
    """A run, to go on with it under its settings and `sets`. Raises RunError, ConfigError.

    Args:
        path: Its folder.
        sets: Overrides, `key.path=value` each.
        lasting: Whether the search goes on, under these settings from now on; otherwise they
            hold until the run is closed, and the search's history says nothing of it.
    """
    folder = _existing(Path(path))
    try:
        lock = RunLock(folder)
    except OSError as error:
        raise _unwritable(folder, error) from None
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


def make_search(config: RunConfig, seeds: Sequence[str], language: Language) -> Search:
    """The search of a run, before anything happened. `seeds` are texts."""
    from primeval.search.algorithm.evolution import Search  # readers do without

    scale = config.scale

    def cost(graph: Graph) -> Cost:
        return measure(graph, scale)

    hurdles = config.candidate.budget.hurdles
    programs = [parse(text, vocabulary=language.vocabulary) for text in seeds]
    return Search(config.search, programs, config.seed, hurdles, cost, language.drawn)


def check_seeds(
    config: RunConfig, seeds: dict[str, Program], language: Language
) -> dict[str, Cost]:
    """What each seed costs. Raises ConfigError for one that cannot start this search."""
    if len(seeds) > config.search.population_size:
        raise ConfigError(
            f"search.population_size holds the {len(seeds)} seeds at least. "
            f"Received: {config.search.population_size}."
        )
    costs, known = {}, dict[str, str]()
    for name, program in seeds.items():
        try:
            check(program, language.drawn)
            graph = build_graph(program)
            costs[name] = measure(graph, config.scale)
        except Rejection as rejection:
            raise ConfigError(
                f"The seed {name} cannot be trained at this scale: {rejection}. "
                "Change the seed, or the model section."
            ) from None
        except ProgramError as error:
            raise ConfigError(
                f"The seed {name} cannot start this search: {error} See language.primitives."
            ) from None
        if graph.fingerprint in known:
            raise ConfigError(
                f"The seeds {known[graph.fingerprint]} and {name} mean the same. Keep one."
            )
        known[graph.fingerprint] = name
    return costs


def _config(store: Store, folder: Path) -> RunConfig:
    versions = [event.data["config"] for event in store.events() if event.data.get("config")]
    if not versions:
        raise RunError(f"{folder / FILE_NAME} holds no settings, so it is not a whole run.")
    return parse_config(versions[-1], source=str(folder / FILE_NAME))


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
    """Raise RunError if a new run cannot go into this folder; looks, and writes nothing."""
    if (folder / FILE_NAME).exists():
        raise RunError(
            f"{folder} holds a run already. To go on with it: primeval resume {folder}. "
            "For a new one, give another folder: --run-dir DIR."
        )
    parent = folder
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        what = "is not a folder" if not parent.is_dir() else "cannot be written to"
        raise RunError(f"The run folder {folder} cannot be made: {parent} {what}.")


def _unwritable(folder: Path, error: OSError) -> RunError:
    return RunError(f"The run folder {folder} cannot be written to: {error.strerror}.")
