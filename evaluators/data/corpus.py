"""From section `data:` of a configuration to tokens: the way in for everything that trains.

The source of text and the tokeniser are chosen here; tokens are made once and opened
memory-mapped. Reading text is for `documents.py`, `files.py` and `tfds.py`; drawing batches is
for `training/batches.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from primeval.evaluators.data.cache import open_or_make, require_space, split_writers
from primeval.evaluators.data.documents import (
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Document,
    Source,
    embedded,
)
from primeval.evaluators.data.tokenizer import (
    BYTES,
    CHUNK,
    SENTENCEPIECE,
    Tokenizer,
    Tokens,
    bytes_tokenizer,
    chunks,
    read_model,
    sentencepiece_tokenizer,
    tokenizer_identity,
    train_sentencepiece,
)
from primeval.evaluators.errors import DataError
from primeval.evaluators.settings import DataSettings, ModelSettings, Task, TrainingSettings

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
        name: Its name, for people.
    """

    train: Tokens
    validation: Tokens
    test: Tokens
    vocabulary: int
    bytes_per_token: dict[str, float]
    name: str


def load_corpus(settings: DataSettings, progress: Progress | None = None) -> Corpus:
    """The tokens of a corpus: from the cache, or made now and kept there.

    Args:
        settings: Section `data:` of the configuration.
        progress: Called while tokens are made.

    Raises:
        DataError: The text cannot be read, the settings do not fit it, or the tokens cannot be
            kept.
    """
    progress = progress or _silent
    source = _source(settings)
    key = {
        "source": source.identity,
        **tokenizer_identity(settings.tokenizer, settings.vocabulary),
    }
    entry = open_or_make(
        cache_dir(settings) / "tokens",
        re.sub(r"[^\w.-]+", "-", source.name),
        key,
        partial(_write_tokens, source, settings, progress),
        lambda: progress(f"{source.name}: another process is making its tokens; waiting", 0.0),
    )
    ratios = {split: entry.text_bytes[split] / entry.tokens[split].size for split in SPLITS}
    return Corpus(
        **entry.tokens,
        vocabulary=settings.vocabulary,
        bytes_per_token=ratios,
        name=source.name,
    )


def open_corpus(task: Task) -> Corpus:
    """The tokens of a task: those that were sent to this machine, or else this machine's own.

    Raises:
        DataError: As `load_corpus`.
    """
    if task.tokens is None:
        return load_corpus(task.data)
    folder = Path(task.tokens.folder)
    return Corpus(
        **{split: np.load(folder / f"{split}.npy", mmap_mode="r") for split in SPLITS},
        vocabulary=task.data.vocabulary,
        bytes_per_token=dict(task.tokens.bytes_per_token),
        name=folder.name,
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
    batch = training.batch_size
    require_windows(corpus.train, model.length, batch, TRAIN)
    held_out = batch * training.validation_batches
    require_windows(getattr(corpus, split), model.length, held_out, split)


def require_windows(tokens: Tokens, length: int, count: int, split: str) -> None:
    """Check that a split holds enough text.

    Args:
        tokens: The split's tokens, (tokens,).
        length: Tokens of a window. Each window needs one token more, the target of its last;
            that token is also the first of the next window.
        count: Windows that are needed, none used twice.
        split: The split's name.

    Raises:
        DataError: There are fewer windows.
    """
    windows = max(0, tokens.size - 1) // length
    if windows >= count:
        return
    needed = "training.batch_size"
    if split != TRAIN:
        needed += " x training.validation_batches"
    raise DataError(
        f"The {split} split is too small: its {tokens.size:,} tokens are {windows:,} windows "
        f"of model.length {length:,}, and {needed} asks for {count:,}. Give more text, or "
        f"lower {needed.replace(' x ', ', ')} or model.length."
    )


def cache_dir(settings: DataSettings) -> Path:
    """The folder of the cache: the setting, else $PRIMEVAL_CACHE, else ~/.cache/primeval."""
    chosen = settings.cache_dir or os.environ.get("PRIMEVAL_CACHE") or "~/.cache/primeval"
    return Path(chosen).expanduser()


def _silent(what: str, done: float) -> None:
    """Report no progress."""


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
        source = embedded(settings.source or "austen")
    if settings.test_source is None:
        return source
    return _with_test(source, embedded(settings.test_source))


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
    # CHOICE: a token of SentencePiece counts as four bytes of text, as measured on our corpora.
    width = tokenizer.dtype.itemsize / (1 if settings.tokenizer == BYTES else 4)
    require_space(folder, round(source.size * width))
    what = f"{source.name}: making tokens"
    progress(what, 0.0)
    shown = 0.0
    with split_writers(folder, tokenizer.dtype) as writers:
        for batch in _batches(source.documents()):
            # the end of a document counts as one byte: see `Corpus.bytes_per_token`.
            size = sum(map(len, batch.texts)) + len(batch.texts) * batch.ends
            writers[batch.split].append(tokenizer.encode(batch.texts, batch.ends), size)
            if shown + 0.01 <= batch.done < 1.0:
                progress(what, batch.done)
                shown = batch.done
    for split, writer in writers.items():
        if writer.tokens == 0:
            raise DataError(
                f"The {split} split of {source.name} is empty. Give more text, or other splits."
            )
    progress(what, 1.0)
    return {split: writer.summary() for split, writer in writers.items()}


class _Batch(NamedTuple):
    """Text of a split: whole documents, or a part of one document.

    Attributes:
        texts: The documents or the part, in UTF-8.
        ends: Whether each text is followed by the end of its document.
        done: The share of the source that has been read after it, 0 to 1.
    """

    split: str
    texts: list[bytes]
    ends: bool
    done: float


def _batches(documents: Iterator[Document]) -> Iterator[_Batch]:
    """Documents in batches of about `CHUNK` bytes; a longer document comes in parts."""
    waiting: dict[str, list[bytes]] = {split: [] for split in SPLITS}
    sizes = dict.fromkeys(SPLITS, 0)
    before = 0.0
    for split, text, done in documents:
        long = len(text) > CHUNK
        if not long:
            waiting[split].append(text)
            sizes[split] += len(text)
        if waiting[split] and (long or sizes[split] >= CHUNK):
            yield _Batch(split, waiting[split], True, done)
            waiting[split], sizes[split] = [], 0
        if long:
            given = 0
            for part in chunks(text, CHUNK):
                given += len(part)
                share = before + (done - before) * given / len(text)
                yield _Batch(split, [part], given == len(text), share)
        before = done
    for split, texts in waiting.items():
        if texts:
            yield _Batch(split, texts, True, 1.0)


def _tokenizer(
    source: Source, settings: DataSettings, progress: Progress, folder: Path
) -> Tokenizer:
    """The tokeniser that the settings name; its model, if any, is kept beside the tokens."""
    if settings.tokenizer == BYTES:
        return bytes_tokenizer()
    if settings.tokenizer == SENTENCEPIECE:
        progress(f"{source.name}: training SentencePiece", 0.0)
        texts = (one.text for one in source.documents() if one.split == TRAIN)
        model = train_sentencepiece(texts, settings.vocabulary)
    else:
        model = read_model(settings.tokenizer)
    tokenizer = sentencepiece_tokenizer(model, settings.vocabulary, settings.tokenizer)
    (folder / "tokenizer.model").write_bytes(model)
    return tokenizer
