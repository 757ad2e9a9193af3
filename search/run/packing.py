"""Individuals as rows of the store, and back.

Programs are compressed against the seeds they came from, to some tens of bytes each.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from primeval.dna.mutations import Edit
from primeval.search.algorithm.population import Individual

COLUMNS = "id, parent, edit, program, fingerprint, seed, thresholds, told, parameters, attempts"


class DamageError(ValueError):
    """A row that cannot be read back."""


class Packer:
    """Packs and unpacks with a dictionary that never changes: the texts of a run's seeds."""

    def __init__(self, dictionary: str) -> None:
        self._dictionary = dictionary.encode()

    def row(self, individual: Individual) -> tuple[Any, ...]:
        """The values of COLUMNS, in their order."""
        edit = individual.edit
        return (
            individual.id,
            individual.parent,
            None if edit is None else json.dumps(_edit_fields(edit)),
            self.compress(individual.text),
            bytes.fromhex(individual.fingerprint),
            individual.seed,
            json.dumps(individual.thresholds),
            individual.told,
            individual.parameters,
            json.dumps(individual.attempts),
        )

    def individual(self, row: tuple[Any, ...]) -> Individual:
        """The individual with these values of COLUMNS. Raises DamageError."""
        number, parent, edit, program, fingerprint, seed, thresholds, told, *rest = row
        parameters, attempts = rest
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
        )

    def compress(self, text: str) -> bytes:
        """A program's text, packed."""
        packer = zlib.compressobj(zdict=self._dictionary)
        return packer.compress(text.encode()) + packer.flush()

    def decompress(self, data: bytes) -> str:
        """The text that was packed. Raises DamageError."""
        try:
            return zlib.decompressobj(zdict=self._dictionary).decompress(data).decode()
        except (zlib.error, UnicodeDecodeError) as error:
            raise DamageError(str(error)) from None


def _edit_fields(edit: Edit) -> dict[str, Any]:
    return {
        "kind": edit.kind,
        "subprogram": edit.subprogram,
        "place": edit.place,
        "summary": edit.summary,
    }
