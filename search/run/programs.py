"""Program references, the same everywhere: a built-in name, a path, or RUN:ID."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from primeval.dna.library import built_in_names, seed_text
from primeval.dna.parsing import MAX_TEXT, parse
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.primitives.errors import UnknownNameError
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.algorithm.population import Individual
from primeval.search.errors import RunError
from primeval.search.run.folder import Run, open_run
from primeval.search.run.store import Store


@dataclass(frozen=True)
class Reference:
    """What a program reference stands for.

    Attributes:
        name: The reference, as it was given.
        program: The program.
        run: The run it is from; None for a built-in program or a file.
        individual: Its individual there.
    """

    name: str
    program: Program
    run: Run | None = None
    individual: Individual | None = None


def find_program(reference: str, vocabulary: Vocabulary = PRIMITIVES) -> Reference:
    """The program a reference stands for.

    Args:
        reference: A built-in name, a path, or RUN:ID.
        vocabulary: The primitives that a file may name; an individual's are its run's.

    Raises:
        UnknownNameError: There is no such program file.
        RunError: There is no such program, run or individual, or the file cannot be read.
        ProgramError: The file is no program.
    """
    if reference in built_in_names():
        return Reference(reference, parse(seed_text(reference), reference, vocabulary))
    path = Path(reference)
    if path.is_file():
        return Reference(reference, read_program(path, vocabulary))
    folder, colon, _ = reference.rpartition(":")
    if colon and folder:
        run, individual = find_individual(reference)
        program = individual.program(run.language.vocabulary)
        return Reference(reference, program, run, individual)
    if path.is_dir():
        raise RunError(
            f"{reference} is a folder. An individual of the run in it is written RUN:ID, as in "
            f"{reference.rstrip('/') or reference}:17."
        )
    if path.suffix == ".dna" or "/" in reference:
        beside = [str(other) for other in path.parent.glob("*.dna")] if path.parent else []
        raise UnknownNameError("program file", reference, beside)
    raise RunError(
        f"{UnknownNameError('program', reference, built_in_names())} A program is a built-in "
        f"name ({', '.join(built_in_names())}), a file (my.dna) or RUN:ID."
    )


def program_for(reference: str, vocabulary: Vocabulary) -> Program:
    """The program a reference stands for, as one of these primitives.

    An individual may be of a run with other primitives of the same names, so its text counts.
    Raises ProgramError if it has a primitive that is not among them.
    """
    program = find_program(reference, vocabulary).program
    if program.vocabulary is vocabulary:
        return program
    return parse(format_program(program), reference, vocabulary)


def read_program(path: Path, vocabulary: Vocabulary = PRIMITIVES) -> Program:
    """The program in a file. Raises RunError if it cannot be read, or ProgramError."""
    if path.suffix == ".keras":
        raise RunError(
            f"{path} is for `keras.models.load_model`: no program is read back from it. "
            "A program is a built-in name, a file (my.dna) or RUN:ID."
        )
    try:
        with path.open(encoding="utf-8-sig") as file:  # a mark may come first
            text = file.read(MAX_TEXT + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(
            f"{path}: this file cannot be read: {error}. A program is a text in UTF-8."
        ) from None
    return parse(text, str(path), vocabulary)


def find_individual(reference: str) -> tuple[Run, Individual]:
    """The individual RUN:ID. Raises RunError if there is none."""
    folder, colon, number = reference.rpartition(":")
    if not colon or not folder or not number.isdecimal() or len(number) > 15:
        raise RunError(
            "An individual is written RUN:ID, as in runs/quickstart:17. "
            f"Received: {reference!r}."
        )
    run = open_run(folder)
    individual = run.store.individual(int(number))
    if individual is None:
        count = run.store.asked()
        held = f"it has 0 to {count - 1}" if count else "it has none yet"
        raise RunError(f"{folder} has no individual {number}: {held}.")
    return run, individual


def lineage_of(store: Store, number: int) -> list[Individual]:
    """An individual and its ancestors, the seed first. Raises RunError if one is missing."""
    chain: list[Individual] = []
    at: int | None = number
    while at is not None:
        individual = store.individual(at)
        if individual is None or (chain and at >= chain[-1].id):  # damage must not loop
            what = f"parent of individual {chain[-1].id}" if chain else f"individual {at}"
            raise RunError(f"{store.path} has no {what}.")
        chain.append(individual)
        at = individual.parent
    return chain[::-1]


def root_of(store: Store, individual: Individual) -> Individual:
    """The seed an individual descends from. Raises RunError if its lineage is broken."""
    return lineage_of(store, individual.id)[0]
