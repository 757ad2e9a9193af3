"""Starting a search: its seeds read and checked, and the algorithm set up for a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from primeval.dna.bank import with_bank
from primeval.dna.check import ProgramError, check
from primeval.dna.cost import Cost, measure
from primeval.dna.graph import build_graph
from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.primitives.language import Language
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.primitives.widths import Rejection
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.rung import Rung
from primeval.search.config.settings import LanguageSettings, RunConfig
from primeval.search.errors import ConfigError
from primeval.search.run.programs import program_for

LANGUAGE = LanguageSettings()


def load_seeds(
    references: Sequence[str],
    language: LanguageSettings = LANGUAGE,
    vocabulary: Vocabulary = PRIMITIVES,
) -> dict[str, Program]:
    """The programs to start from, by names that can be file names, with banks of full size.

    Raises:
        UnknownNameError, RunError: There is no such program.
        ProgramError: A file is no program, or one needs a larger bank than the search has.
    """
    seeds: dict[str, Program] = {}
    for reference in references:
        program = program_for(reference, vocabulary)
        try:
            program = with_bank(program, language.constants, language.dims)
        except ProgramError as error:
            raise ProgramError(
                f"The seed {reference} cannot start this search: {error.message} "
                "See language.constants and language.dims."
            ) from None
        stem = Path(reference).stem if reference.endswith(".dna") else reference
        name = base = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.") or "seed"
        number = 2
        while name in seeds:
            name, number = f"{base}-{number}", number + 1
        seeds[name] = program
    return seeds


def make_search(config: RunConfig, seeds: Sequence[str], language: Language) -> Search:
    """The search of a run before its first individual. `seeds` are program texts."""
    programs = [parse(text, vocabulary=language.vocabulary) for text in seeds]
    return Search(config.search, programs, config.seed, rungs_of(config), language.drawn)


def rungs_of(config: RunConfig) -> list[Rung]:
    """What the algorithm needs to know of each rung, the lowest first."""
    promotes = (1.0, *(one.promote for one in config.rungs))  # the first has no meaning
    return [
        Rung(
            hurdles=config.on(number).candidate.budget.hurdles,
            cost=partial(measure, scale=config.on(number).scale),
            replicates=config.replicates(number),
            promote=promote,
        )
        for number, promote in zip(config.rung_numbers, promotes, strict=True)
    ]


def check_seeds(
    config: RunConfig, seeds: dict[str, Program], language: Language
) -> dict[str, Cost]:
    """The cost of each seed, by name. Raises ConfigError if one cannot start this search."""
    if len(seeds) > config.search.population_size:
        raise ConfigError(
            f"search.population_size must be at least {len(seeds)}, the number of seeds. "
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
