"""From section `data:` of a configuration to tokens: the way in for everything that trains.

The source of text and the tokeniser are chosen here; tokens are made once and opened
memory-mapped. Reading text is for `documents.py`, `packages.py`, `files.py` and `tfds.py`, the
task without text for `recall.py`; drawing batches is for `training/batches.py`.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path

import numpy as np

from primeval.evaluators.data.cache import Make, open_or_make, require_space, split_writers
from primeval.evaluators.data.documents import (
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Document,
    Source,
)
from primeval.evaluators.data.library import named_source
from primeval.evaluators.data.recall import recall_identity, write_recall
from primeval.evaluators.data.tokenizer import (
    BYTES,
    CHUNK,
    SENTENCEPIECE,
    Tokenizer,
    Tokens,
    byte_tokens,
    chunks,
    read_model,
    sentencepiece_tokenizer,
    smallest_dtype,
    tokenizer_identity,
    train_sentencepiece,
)
from primeval.evaluators.data_settings import RECALL, DataSettings
from primeval.evaluators.errors import DataError
from primeval.evaluators.settings import ModelSettings, TrainingSettings
from primeval.evaluators.task import Task

Progress = Callable[[str, float], None]
"""Called with what is being done, in words, and with the share that is done, 0 to 1."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tokens to train on and to validate on.

    Attributes:
        train, validation, test: The tokens of each split, (tokens,) of an unsigned type,
            memory-mapped and read-only: one document after the other, each followed by its end.
        vocabulary: Tokens are 0 to vocabulary - 1. Equals `DataSettings.vocabulary`.
        bytes_per_token: By split, bytes of UTF-8 that a token stands for on average, where the
            end of a document counts as a byte. Bits per byte are nats per token / ln 2 / this.
            Empty where tokens stand for no text.
        name: Its name, for people.
        example: Tokens of an example, if the corpus is a row of examples; windows then start
            where they do, and only tokens above `vocabulary` count (`recall.py`). 0 for text.
    """

    train: Tokens
    validation: Tokens
    test: Tokens
    vocabulary: int
    bytes_per_token: dict[str, float]
    name: str
    example: int = 0


def load_corpus(
    settings: DataSettings, progress: Progress | None = None, length: int = 0
) -> Corpus:
    """The tokens of a corpus: from the cache, or made now and kept there.

    Args:
        settings: Section `data:` of the configuration.
        progress: Called while tokens are made.
        length: Positions of a sequence, which text does not depend on.

    Raises:
        DataError: The text cannot be read, the settings do not fit it, or the tokens cannot be
            kept.
    """
    progress = progress or (lambda what, done: None)
    recalls = settings.source == RECALL
    if recalls:
        name, key = RECALL, recall_identity(settings, length)
        make: Make = partial(write_recall, settings, length, progress)
    else:
        source = _source(settings)
        name, key = source.name, {"source": source.identity, **tokenizer_identity(settings)}
        make = partial(_write_tokens, source, settings, progress)
    tokens, text_bytes = open_or_make(
        cache_dir(settings) / "tokens",
        re.sub(r"[^\w.-]+", "-", name),
        key,
        make,
        lambda: progress(f"{name}: another process is making its tokens; waiting", 0.0),
    )
    ratios = {split: text_bytes[split] / tokens[split].size for split in SPLITS}
    return Corpus(
        **tokens,
        vocabulary=settings.vocabulary,
        bytes_per_token={} if recalls else ratios,
        name=name,
        example=length + 1 if recalls else 0,
    )


def open_corpus(task: Task, progress: Progress | None = None) -> Corpus:
    """The tokens of a task: those that were sent to this machine, or else this machine's own.

    Args:
        task: The task.
        progress: Called while tokens are made.

    Raises:
        DataError: As `load_corpus`.
    """
    length = task.model.length
    if task.tokens is None:
        return load_corpus(task.data, progress, length)
    folder = Path(task.tokens.folder)
    return Corpus(
        **{split: np.load(folder / f"{split}.npy", mmap_mode="r") for split in SPLITS},
        vocabulary=task.data.vocabulary,
        bytes_per_token=dict(task.tokens.bytes_per_token),
        name=folder.name,
        example=length + 1 if task.data.source == RECALL else 0,
    )


def require_batches(
    corpus: Corpus,
    model: ModelSettings,
    training: TrainingSettings,
    split: str = VALIDATION,
) -> None:
    """Check that a corpus is large enough to train and to validate on.

    Args:
        corpus: The tokens.
        model: The length of a sequence.
        training: The sequences of a batch, and the batches of a validation.
        split: The held-out split, `validation` or `test`.

    Raises:
        DataError: The training split is smaller than one batch, or the held-out split is
            smaller than one validation.
    """
    for name, batches, factor in (
        (TRAIN, 1, ""),
        (split, training.validation_batches, " x training.validation_batches"),
    ):
        size: int = getattr(corpus, name).size
        count, others = training.batch_size * batches, factor.replace(" x ", ", ")
        # a window needs one token more, the target of its last, which begins the next window
        windows = max(0, size - 1) // model.length
        has = f"its {size:,} tokens are {windows:,} windows of model.length {model.length:,}"
        advice = f"Give more text, or lower training.batch_size{others} or model.length"
        if corpus.example:
            windows = size // corpus.example
            has = f"it has {windows:,} examples"
            advice = f"Raise data.recall.examples, or lower training.batch_size{others}"
        if windows < count:
            raise DataError(
                f"The {name} split is too small: {has}, and training.batch_size{factor} asks "
                f"for {count:,}. {advice}."
            )


def cache_dir(settings: DataSettings) -> Path:
    """The folder of the cache: the setting, else $PRIMEVAL_CACHE, else ~/.cache/primeval."""
    chosen = settings.cache_dir or os.environ.get("PRIMEVAL_CACHE") or "~/.cache/primeval"
    return Path(chosen).expanduser()


def _source(settings: DataSettings) -> Source:
    """The source of text that the settings name, with the test split that they name."""
    if settings.tfds is not None:
        from primeval.evaluators.runtime import import_tensorflow

        import_tensorflow()
        from primeval.evaluators.data.tfds import tfds_source

        source = tfds_source(settings)
    elif settings.files:
        from primeval.evaluators.data.files import file_source

        source = file_source(settings.files)
    else:
        source = named_source(settings.source or "austen")
    if settings.test_source is None:
        return source
    return _with_test(source, named_source(settings.test_source))


def _with_test(source: Source, other: Source) -> Source:
    """The source with the whole of another one as its test split."""

    def documents() -> Iterator[Document]:
        yield from (one for one in source.documents() if one.split != TEST)
        yield from (Document(TEST, one.text, 1.0) for one in other.documents())

    identity = {"text": source.identity, "test": other.identity}
    return replace(source, identity=identity, documents=documents)


def _write_tokens(
    source: Source, settings: DataSettings, progress: Progress, folder: Path
) -> Mapping[str, Mapping[str, object]]:
    """Make the tokens of all splits in a folder; returns the summaries of the splits."""
    tokenizer = _tokenizer(source, settings, progress, folder)
    dtype = smallest_dtype(settings.vocabulary)
    # CHOICE: a token of SentencePiece counts as four bytes of text, as measured on our corpora.
    width = dtype.itemsize / (1 if settings.tokenizer == BYTES else 4)
    require_space(folder, round(source.size * width))
    what = f"{source.name}: making tokens"
    progress(what, 0.0)
    shown = 0.0
    with split_writers(folder, dtype) as writers:
        parts = _parts(source.documents())
        for (split, ends, _), batch in itertools.groupby(parts, itemgetter(0)):
            _, texts, shares = zip(*batch, strict=True)
            # the end of a document counts as one byte: see `Corpus.bytes_per_token`.
            size = sum(map(len, texts)) + len(texts) * ends
            writers[split].append(tokenizer(texts, ends), size)
            if shown + 0.01 <= shares[-1] < 1.0:
                progress(what, shares[-1])
                shown = shares[-1]
    for split, writer in writers.items():
        if writer.tokens == 0:
            raise DataError(
                f"The {split} split of {source.name} is empty. Give more text, or other splits."
            )
    progress(what, 1.0)
    return {split: writer.summary() for split, writer in writers.items()}


Part = tuple[tuple[str, bool, int], bytes, float]
"""What a part has in common with its batch: the split, whether the document ends with the part,
and the number of the batch. Then its text in UTF-8, and the share done as in `Document`."""


def _parts(documents: Iterator[Document]) -> Iterator[Part]:
    """The documents in order, long ones in parts; a batch has about `CHUNK` bytes of text."""
    before, read = 0.0, 0
    for split, text, done in documents:
        given = 0
        for part in chunks(text, CHUNK):
            given += len(part)
            batch = split, given == len(text), (read + given) // CHUNK
            yield batch, part, before + (done - before) * given / len(text)
        before, read = done, read + len(text)


def _tokenizer(
    source: Source, settings: DataSettings, progress: Progress, folder: Path
) -> Tokenizer:
    """The tokeniser that the settings name; its model, if any, is kept beside the tokens."""
    if settings.tokenizer == BYTES:
        return byte_tokens
    if settings.tokenizer == SENTENCEPIECE:
        progress(f"{source.name}: training SentencePiece", 0.0)
        texts = (one.text for one in source.documents() if one.split == TRAIN)
        model = train_sentencepiece(texts, settings.vocabulary)
    else:
        model = read_model(settings.tokenizer)
    tokenizer = sentencepiece_tokenizer(model, settings.vocabulary, settings.tokenizer)
    (folder / "tokenizer.model").write_bytes(model)
    return tokenizer
