"""From `data:` of a configuration to tokens: the way in for everything that trains.

Chooses the source of text and the tokeniser, makes the tokens once and hands them out
memory-mapped. Reading text is for `texts.py`, `text_files.py` and `tfds_source.py`; drawing
batches is for the trainer.
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

from primeval.evaluators.data import cache as token_cache
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

__all__ = [
    "Corpus",
    "DataError",
    "Progress",
    "load_corpus",
    "require_batches",
    "require_windows",
]

Progress = Callable[[str, float], None]
"""Called with what is being done and the share that is done, 0 to 1."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tokens to train and to measure on.

    Attributes:
        train, validation, test: Tokens of the documents in a row, each followed by its end;
            one-dimensional, memory-mapped, read-only.
        vocabulary: Tokens are 0 to vocabulary - 1; always `DataSettings.vocabulary`.
        bytes_per_token: Per split, bytes of UTF-8 a token stands for on average, the end of
            a document counted as a byte. Bits per byte are nats per token / ln 2 / this.
        name: For people.
    """

    train: Tokens
    validation: Tokens
    test: Tokens
    vocabulary: int
    bytes_per_token: dict[str, float]
    name: str


def load_corpus(settings: DataSettings, progress: Progress | None = None) -> Corpus:
    """The tokens of a corpus: out of the cache, or made and kept there.

    Args:
        settings: Section `data:` of the configuration.
        progress: Called while tokens are made.

    Raises:
        DataError: The text cannot be had, or the settings do not fit it.
    """
    progress = progress or _silent
    source = _source(settings)
    key = {
        "source": source.identity,
        **tokenizer_identity(settings.tokenizer, settings.vocabulary),
    }
    entry = token_cache.open_or_make(
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


def require_batches(
    corpus: Corpus,
    model: ModelSettings,
    training: TrainingSettings,
    split: str = VALIDATION,
) -> None:
    """Checks that a corpus holds a batch to train on, and all those of a held-out split.

    Raises:
        DataError: It does not.
    """
    batch = training.batch_size
    require_windows(corpus.train, model.length, batch, TRAIN)
    held_out = batch * training.validation_batches
    require_windows(getattr(corpus, split), model.length, held_out, split)


def require_windows(tokens: Tokens, length: int, count: int, split: str) -> None:
    """Checks that a split holds enough text.

    Args:
        tokens: The split.
        length: Tokens of a window; each needs one more, the last one's target, which is
            also the first of the next window.
        count: Windows needed, none used twice.
        split: Its name.

    Raises:
        DataError: There are fewer.
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
    """Folder of everything that is made once: the setting, $PRIMEVAL_CACHE or ~/.cache."""
    chosen = settings.cache_dir or os.environ.get("PRIMEVAL_CACHE") or "~/.cache/primeval"
    return Path(chosen).expanduser()


def _silent(what: str, done: float) -> None:
    """Nobody watches."""


def _source(settings: DataSettings) -> Source:
    """The source of text that was asked for, with the test split that was asked for."""
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
    """A source whose test split is the whole of another one."""

    def documents() -> Iterator[Document]:
        yield from (one for one in source.documents() if one.split != TEST)
        yield from (Document(TEST, one.text, 1.0) for one in other.documents())

    identity = {"text": source.identity, "test": other.identity}
    return replace(source, identity=identity, documents=documents)


def _write_tokens(
    source: Source, settings: DataSettings, progress: Progress, folder: Path
) -> Mapping[str, Mapping[str, object]]:
    """Makes the tokens of all splits in a folder; the summaries of the splits."""
    tokenizer = _tokenizer(source, settings, progress, folder)
    # CHOICE: a token of SentencePiece is taken for four bytes of English, as measured on ours.
    width = tokenizer.dtype.itemsize / (1 if settings.tokenizer == BYTES else 4)
    token_cache.require_space(folder, round(source.size * width))
    what = f"{source.name}: making tokens"
    progress(what, 0.0)
    shown = 0.0
    with token_cache.split_writers(folder, tokenizer.dtype) as writers:
        for batch in _batches(source.documents()):
            # The end of a document counts as one byte: see `Corpus.bytes_per_token`.
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
    """Text of a split: whole documents, or a part of one, which may be its end."""

    split: str
    texts: list[bytes]
    ends: bool
    done: float


def _batches(documents: Iterator[Document]) -> Iterator[_Batch]:
    """Documents in batches of about a megabyte, long ones in parts."""
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
    """The tokeniser that was asked for; a model is kept beside the tokens."""
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


def open_corpus(task: Task) -> Corpus:
    """The tokens of a task: those that were sent to this machine, or its own."""
    if task.tokens is None:
        return load_corpus(task.data)
    folder = Path(task.tokens.folder)
    return Corpus(
        **{split: np.load(folder / f"{split}.npy", mmap_mode="r") for split in SPLITS},
        vocabulary=task.data.vocabulary,
        bytes_per_token=dict(task.tokens.bytes_per_token),
        name=folder.name,
    )
