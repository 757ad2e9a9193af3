"""From text to tokens: bytes, or SentencePiece with a model that is trained here or loaded.

The setting `data.tokenizer` decides which. Only this file imports sentencepiece, and only where
it is used. What is tokenised, and where the tokens go, is for `corpus.py`.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError

_LOG = logging.getLogger(__name__)
_SAMPLE = "A line, with  two spaces;\nanother: 1851 \u00e9 \u4e2d."

Tokens = npt.NDArray[np.unsignedinteger[Any]]

BYTES, SENTENCEPIECE = "bytes", "sentencepiece"
TRAINED_ON = 16 << 20  # bytes of text, at most, from which a vocabulary is made
CHUNK = 1 << 20  # bytes of text that are tokenised at once; a longer document is cut
LONGEST_SENTENCE = 1 << 14  # bytes of a sentence when a vocabulary is made

# CHOICE: nothing is normalised, and unseen characters become bytes, so that tokens can be
# turned back into the same text and bits per byte are exact. Unigram is the default of
# SentencePiece, and T5's. A line break is a token. One thread makes the same model bit for bit
# every time.
SENTENCEPIECE_OPTIONS: dict[str, Any] = {
    "model_type": "unigram",
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "add_dummy_prefix": False,
    "byte_fallback": True,
    "character_coverage": 0.9995,
    "user_defined_symbols": ["\n"],
    "unk_id": 0,
    "eos_id": 1,
    "bos_id": -1,
    "pad_id": -1,
    "max_sentence_length": LONGEST_SENTENCE + 4,
    "num_threads": 1,
}


class Tokenizer(Protocol):
    """A function that gives the tokens of texts, one text after the other, (tokens,).

    Args:
        texts: Documents, or a part of one, in UTF-8, of at most `CHUNK` bytes each.
        ends: Whether a token for the end of a document follows each of them.
    """

    def __call__(self, texts: Sequence[bytes], ends: bool = True) -> Tokens: ...


def smallest_dtype(vocabulary: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned integer type for tokens 0 to vocabulary - 1."""
    return np.dtype(np.min_scalar_type(vocabulary - 1))


def byte_tokens(texts: Sequence[bytes], ends: bool = True) -> Tokens:
    """The `Tokenizer` with a token per byte. The end of a document is a form feed."""
    end = b"\f" if ends else b""
    return np.frombuffer(b"".join(text + end for text in texts), np.uint8)


def tokenizer_identity(settings: DataSettings) -> dict[str, object]:
    """Everything that decides a tokeniser, except the text it is trained on, as JSON values.

    Raises:
        DataError: There is no such tokeniser, or bytes are to have another vocabulary than 256.
    """
    name, vocabulary = settings.tokenizer, settings.vocabulary
    if name == BYTES:
        if vocabulary != 256:
            raise DataError(
                f"data.vocabulary: bytes have 256 tokens, {vocabulary} were asked for. "
                "Leave it out, or set data.tokenizer to sentencepiece."
            )
        return {"tokenizer": BYTES}
    if name == SENTENCEPIECE:
        trained = {"version": metadata.version("sentencepiece"), "trained_on": TRAINED_ON}
        return {"tokenizer": name, "size": vocabulary, **trained, **SENTENCEPIECE_OPTIONS}
    digest = hashlib.sha256(read_model(name)).hexdigest()
    return {"tokenizer": "model", "size": vocabulary, "sha256": digest}


def read_model(name: str) -> bytes:
    """The bytes of a SentencePiece model file. Raises DataError if it cannot be read."""
    path = Path(name).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"data.tokenizer: {name!r} is neither {BYTES} nor {SENTENCEPIECE}, and no model "
            f"can be read there ({error.strerror}). Give one of the two, or the path of a "
            "SentencePiece .model file."
        ) from error


def sentencepiece_tokenizer(model: bytes, vocabulary: int, name: str) -> Tokenizer:
    """The tokeniser of a SentencePiece model.

    Args:
        model: The bytes of the model file.
        vocabulary: How many tokens it must have.
        name: The model's name, for messages.

    Raises:
        DataError: It is not a model of SentencePiece, or has another number of tokens.
    """
    import sentencepiece

    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise DataError(
            f"data.tokenizer: {name} is not a SentencePiece model. Give the .model file that "
            "SentencePiece wrote, not its .vocab."
        ) from error
    if processor.vocab_size() != vocabulary:
        raise DataError(
            f"data.vocabulary: {name} knows {processor.vocab_size()} tokens, {vocabulary} "
            f"were asked for. Set data.vocabulary to {processor.vocab_size()}."
        )
    if processor.decode(processor.encode(_SAMPLE)) != _SAMPLE:
        # CHOICE: bits per byte count the bytes of the text itself, as is usual, even if some
        # of it is lost in the tokens.
        _LOG.warning("%s loses some of the text, so bits per byte flatter it", name)
    marks = [mark for mark in (processor.eos_id(), processor.bos_id()) if mark >= 0][:1]

    def encode(texts: Sequence[bytes], ends: bool = True) -> Tokens:
        end = marks if ends else []
        rows = ([*row, *end] for row in processor.encode(list(texts)))
        return np.fromiter(itertools.chain.from_iterable(rows), smallest_dtype(vocabulary))

    return encode


def train_sentencepiece(texts: Iterable[bytes], vocabulary: int) -> bytes:
    """Train a SentencePiece model on the first `TRAINED_ON` bytes of some texts.

    Args:
        texts: Documents in UTF-8.
        vocabulary: How many tokens it is to have.

    Returns:
        The bytes of the model file.

    Raises:
        DataError: The text does not support a vocabulary of that size.
    """
    import sentencepiece

    model = io.BytesIO()
    ends = {"sentence_iterator": _sentences(texts), "model_writer": model}
    options = {"vocab_size": vocabulary, "minloglevel": 2, **SENTENCEPIECE_OPTIONS}
    try:
        # in a thread, since it takes minutes, in which Ctrl-C would not reach the main thread
        with ThreadPool(1) as thread:
            thread.apply(sentencepiece.SentencePieceTrainer.train, (), {**ends, **options})
    except RuntimeError as error:
        raise DataError(_explain(str(error), vocabulary)) from error
    return model.getvalue()


def _explain(message: str, vocabulary: int) -> str:
    """A message of SentencePiece about a vocabulary, in the words of our settings."""
    if most := re.search(r"too high.*<= (\d+)", message):
        return (
            f"data.vocabulary: the training text is too small for {vocabulary} tokens; it "
            f"supports at most {most[1]}. Set a smaller vocabulary, or give more text."
        )
    if least := re.search(r"required_chars\. \d+ vs (\d+)", message):
        return (
            f"data.vocabulary: {vocabulary} tokens are too few for sentencepiece, which needs "
            f"{least[1]} for bytes and characters alone. Set it to that or more (a corpus of "
            "a few megabytes supports 8192)."
        )
    return (
        f"data.tokenizer: SentencePiece could not make {vocabulary} tokens from the training "
        f"text: {message}. Set another data.vocabulary, or use data.tokenizer: bytes."
    )


def _sentences(texts: Iterable[bytes]) -> Iterator[str]:
    """The lines of the first `TRAINED_ON` bytes, in pieces short enough for SentencePiece."""
    left = TRAINED_ON
    for text in texts:
        for line in text[:left].split(b"\n"):
            for sentence in chunks(line, LONGEST_SENTENCE):
                yield sentence.decode(errors="ignore")
        left -= len(text)
        if left <= 0:
            return


def chunks(text: bytes, limit: int) -> Iterator[bytes]:
    """Cut UTF-8 text into pieces of at most `limit` bytes, before a space if possible.

    Where there is no space, the cut is between two characters.
    """
    start = 0
    while len(text) - start > limit:
        end = text.rfind(b" ", start + 1, start + limit + 1)
        if end < 0:
            end = start + limit
            while end > start + 1 and text[end] & 0xC0 == 0x80:  # inside a character
                end -= 1
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]
