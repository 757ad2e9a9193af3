"""What a source of text is: documents in three splits. Also the corpora that are embedded.

A source gives its documents one at a time, each with the split that it belongs to, so that it
need not fit in memory. Local files are in `files.py`, text in packages in `packages.py`, data
sets of tensorflow-datasets in `tfds.py`; tokens are made in `tokenizer.py`.
"""

from __future__ import annotations

import hashlib
import itertools
import lzma
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
HELD_OUT = 0.05  # share of all text in the test split, and the same in the validation split
# CHOICE: many files take these splits in turn: held-out files are spread over all files, since
# files with similar names have similar text. One in 20 is `HELD_OUT`.
TURNS = (*[TRAIN] * (round(1 / HELD_OUT) - 2), VALIDATION, TEST)


class Document(NamedTuple):
    """A piece of text; in the tokens its end is marked.

    Attributes:
        split: `train`, `validation` or `test`.
        text: UTF-8.
        done: The share of its source that has been read after it, 0 to 1.
    """

    split: str
    text: bytes
    done: float


@dataclass(frozen=True)
class Source:
    """Where text comes from.

    Attributes:
        name: Its name, for people.
        identity: Everything that decides the documents, as JSON values.
        documents: Reads the documents from the start, in the same order each time.
        size: Bytes of text to expect; 0 where that is not known before reading.
    """

    name: str
    identity: Mapping[str, object]
    documents: Callable[[], Iterator[Document]]
    size: int = 0


def split_documents(texts: Sequence[bytes]) -> Iterable[tuple[str, bytes]]:
    """Each document with its split: the last 5 % are test, the 5 % before them validation.

    Args:
        texts: At least three documents.
    """
    held = max(1, round(HELD_OUT * len(texts)))
    splits = [TRAIN] * (len(texts) - 2 * held) + [VALIDATION] * held + [TEST] * held
    return zip(splits, texts, strict=True)


def embedded(name: str) -> Source:
    """An embedded corpus, `austen` or `moby-dick`, whose documents are chapters.

    Raises FileNotFoundError if there is no corpus of that name.
    """
    corpora = resources.files("primeval.evaluators.data") / "corpora"
    packed = (corpora / f"{name}.txt.xz").read_bytes()
    identity = {"embedded": name, "sha256": hashlib.sha256(packed).hexdigest()}
    return Source(name, identity, lambda: _chapters(lzma.decompress(packed)))


def _chapters(text: bytes) -> Iterator[Document]:
    """The chapters of every book; each book has chapters in all three splits.

    In the file a form feed and a line `Book N` stand before each chapter.

    CHOICE: the line `Book N` is dropped, since the author did not write it. The chapter's own
    heading and everything after it stay as they are.
    """
    marked = [part.partition(b"\n") for part in text.split(b"\f")[1:]]
    done = 0
    for _, book in itertools.groupby(marked, lambda part: part[0].rpartition(b" ")[0]):
        for split, chapter in split_documents([body for _, _, body in book]):
            done += len(chapter)
            yield Document(split, chapter, done / len(text))
