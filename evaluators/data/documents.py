"""What text is: documents in three splits, and the corpora that are embedded.

A source of text gives its documents one at a time, each with the split that it belongs to,
so that no source has to fit in memory. Local files are in `text_files.py`, data sets of
tensorflow-datasets in `tfds_source.py`; tokens are made in `tokenizer.py`.
"""

from __future__ import annotations

import hashlib
import itertools
import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
HELD_OUT = 0.05  # share of the test split, and of the validation split


class Document(NamedTuple):
    """A piece of text that is trained on as one.

    Attributes:
        split: `train`, `validation` or `test`.
        text: UTF-8.
        done: The share of its source that has been read with it, 0 to 1.
    """

    split: str
    text: bytes
    done: float


@dataclass(frozen=True)
class Source:
    """Where text comes from.

    Attributes:
        name: For people.
        identity: Everything that decides the documents, as values of JSON.
        documents: Reads them from the start, in the same order each time.
        size: Bytes of text expected; 0 where that is not known before reading.
    """

    name: str
    identity: Mapping[str, object]
    documents: Callable[[], Iterator[Document]]
    size: int = 0


def held_out(count: int) -> int:
    """How many of so many documents are the test split, and how many the validation."""
    return max(1, round(HELD_OUT * count))


def split_documents(texts: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Splits three documents or more: the last 5 % are test, the 5 % before validation."""
    held = held_out(len(texts))
    first = len(texts) - 2 * held
    for place, text in enumerate(texts):
        yield (TRAIN if place < first else VALIDATION if place < first + held else TEST), text


def embedded(name: str) -> Source:
    """An embedded corpus, `austen` or `moby-dick`; its documents are chapters."""
    packed = _packed(name)
    identity = {"embedded": name, "sha256": hashlib.sha256(packed).hexdigest()}
    return Source(name, identity, lambda: _chapters(lzma.decompress(packed)))


def embedded_text(name: str) -> bytes:
    """An embedded corpus as it is kept: a form feed and `Book N` before each chapter."""
    return lzma.decompress(_packed(name))


def _packed(name: str) -> bytes:
    folder = resources.files("primeval.evaluators.data") / "corpora"
    return (folder / f"{name}.txt.xz").read_bytes()


def _chapters(text: bytes) -> Iterator[Document]:
    """The chapters of every book, split book by book.

    CHOICE: the line `Book N` is dropped, for its author did not write it; the chapter's own
    heading and everything after it stay as they are.
    """
    marked = [part.partition(b"\n") for part in text.split(b"\f")[1:]]
    done = 0
    for _, book in itertools.groupby(marked, lambda part: part[0].rpartition(b" ")[0]):
        for split, chapter in split_documents([body for _, _, body in book]):
            done += len(chapter)
            yield Document(split, chapter, done / len(text))
