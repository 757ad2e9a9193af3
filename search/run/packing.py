"""Individuals as rows of the store, and back.

Programs are compressed against the seeds they came from, to some tens of bytes each.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from typing import Any

from primeval.dna.mutations import Edit
from primeval.search.algorithm.population import Individual

# Of a row of `individuals`, and of the row of `trials` that belongs to it, if there is one.
OWN = "id, parent, edit, program, fingerprint, seed, thresholds, told, parameters, attempts"
COLUMNS = f"{OWN}, rung, trial_of"


class Packer:
    """Packs and unpacks with a dictionary that never changes: the texts of a run's seeds."""

    def __init__(self, dictionary: str) -> None:
        self._dictionary = dictionary.encode()

    def row(self, individual: Individual) -> tuple[Any, ...]:
        """The values of OWN, in their order."""
        edit = individual.edit
        return (
            individual.id,
            individual.parent,
            None if edit is None else json.dumps(asdict(edit)),
            self.compress(individual.text),
            bytes.fromhex(individual.fingerprint),
            individual.seed,
            json.dumps(individual.thresholds),
            individual.told,
            individual.parameters,
            json.dumps(individual.attempts),
        )

    def individual(self, row: tuple[Any, ...]) -> Individual:
        """The individual with these values of COLUMNS. Damaged values raise various errors."""
        number, parent, edit, program, fingerprint, seed, thresholds, told, *rest = row
        parameters, attempts, rung, trial_of = rest
        return Individual(
            number,
            parent,
            None if edit is None else Edit(**json.loads(edit)),
            self.decompress(program),
            fingerprint.hex(),
            seed,
            tuple(json.loads(thresholds)),
            told,
            parameters,
            json.loads(attempts),
            rung or 1,
            trial_of,
        )

    def compress(self, text: str) -> bytes:
        """A program's text, packed."""
        packer = zlib.compressobj(zdict=self._dictionary)
        return packer.compress(text.encode()) + packer.flush()

    def decompress(self, data: bytes) -> str:
        """The text that was packed. Raises zlib.error or ValueError for any other data."""
        return zlib.decompressobj(zdict=self._dictionary).decompress(data).decode()
