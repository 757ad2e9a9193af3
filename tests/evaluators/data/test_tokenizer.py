"""What tokenisers do to text, and how they refuse settings that cannot work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.corpora import PROSE, entries
from hypothesis import given
from hypothesis import strategies as st

from primeval.evaluators.data.corpus import Corpus, load_corpus
from primeval.evaluators.data.documents import SPLITS, embedded
from primeval.evaluators.data.tokenizer import (
    Tokenizer,
    byte_tokens,
    chunks,
    sentencepiece_tokenizer,
    smallest_dtype,
    train_sentencepiece,
)
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError

AUSTEN = [document.text[:3000] for document in embedded("austen").documents()][:20]


@pytest.fixture(scope="module")
def model() -> bytes:
    """A SentencePiece model of 600 tokens."""
    return train_sentencepiece(AUSTEN, 600)


@pytest.fixture
def novel(tmp_path: Path) -> Path:
    path = tmp_path / "novel.txt"
    path.write_bytes(b"\f".join(AUSTEN))
    return path


def decode(model: bytes, tokens: np.ndarray) -> str:
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_proto=model).decode(tokens.tolist())


@given(st.lists(st.binary(max_size=50)))
def test_bytes_are_their_own_tokens(texts: list[bytes]) -> None:
    tokens = byte_tokens(texts)
    assert tokens.tobytes() == b"".join(text + b"\f" for text in texts)


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u2581")))
def test_sentencepiece_loses_nothing_of_any_text(model: bytes, text: str) -> None:
    tokens = sentencepiece_tokenizer(model, 600, "m")([text.encode()])
    assert tokens[-1] == 1, "the end of the document"
    assert decode(model, tokens[:-1]) == text


def test_sentencepiece_ends_every_document(model: bytes) -> None:
    tokenizer: Tokenizer = sentencepiece_tokenizer(model, 600, "m")
    one_by_one = [tokenizer([text]) for text in AUSTEN]
    together = tokenizer(AUSTEN)
    assert np.array_equal(together, np.concatenate(one_by_one))
    assert (together == 1).sum() == len(AUSTEN)


def test_a_document_in_parts_has_one_end(model: bytes) -> None:
    tokenizer = sentencepiece_tokenizer(model, 600, "m")
    first, second = tokenizer(AUSTEN[:1], ends=False), tokenizer(AUSTEN[1:2])
    assert 1 not in first
    assert list(second).index(1) == len(second) - 1
    assert byte_tokens([b"ab"], ends=False).tobytes() == b"ab"


def test_training_sentencepiece_repeats_bit_for_bit(model: bytes) -> None:
    assert train_sentencepiece(AUSTEN, 600) == model


@given(st.text(max_size=80).map(str.encode), st.integers(4, 20))
def test_chunks_are_short_and_keep_characters_whole(text: bytes, limit: int) -> None:
    parts = list(chunks(text, limit))
    assert b"".join(parts) == text
    assert all(0 < len(part) <= limit and part.decode() for part in parts)


@pytest.mark.parametrize(
    ("vocabulary", "dtype"),
    [(256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.uint32)],
)
def test_tokens_are_kept_in_the_smallest_type(vocabulary: int, dtype: type) -> None:
    assert smallest_dtype(vocabulary) == dtype


def test_a_corpus_can_be_tokenised_by_sentencepiece(novel: Path, cache: Path) -> None:
    settings = DataSettings(files=(str(novel),), tokenizer="sentencepiece", vocabulary=600)
    corpus = load_corpus(settings)
    assert (corpus.vocabulary, corpus.train.dtype) == (600, np.uint16)
    assert corpus.train.max() < 600
    kept = (cache / entries(cache)[0] / "tokenizer.model").read_bytes()
    assert decode(kept, corpus.test[:-1]).encode() == AUSTEN[-1]


def test_bytes_per_token_count_the_same_bytes_for_every_tokeniser(novel: Path) -> None:
    def sizes(corpus: Corpus) -> list[float]:
        return [getattr(corpus, one).size * corpus.bytes_per_token[one] for one in SPLITS]

    files = (str(novel),)
    in_bytes = load_corpus(DataSettings(files=files))
    in_pieces = load_corpus(
        DataSettings(files=files, tokenizer="sentencepiece", vocabulary=600)
    )
    assert in_bytes.bytes_per_token["train"] == 1
    assert in_pieces.bytes_per_token["train"] > 2
    assert sizes(in_pieces) == pytest.approx(sizes(in_bytes))
    assert sum(sizes(in_bytes)) == sum(map(len, AUSTEN)) + len(AUSTEN)


def test_a_model_can_be_loaded(novel: Path, model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    path.write_bytes(model)
    settings = DataSettings(files=(str(novel),), tokenizer=str(path), vocabulary=600)
    corpus = load_corpus(settings)
    assert np.array_equal(corpus.test, sentencepiece_tokenizer(model, 600, "m")(AUSTEN[-1:]))
    with pytest.raises(DataError, match=r"knows 600 tokens, 256 were asked.* to 600"):
        load_corpus(DataSettings(files=(str(novel),), tokenizer=str(path)))


def test_a_model_that_loses_text_causes_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import sentencepiece

    (tmp_path / "in.txt").write_bytes(AUSTEN[0])
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "in.txt"),
        model_prefix=str(tmp_path / "usual"),
        vocab_size=300,
        minloglevel=2,
    )
    model = (tmp_path / "usual.model").read_bytes()
    sentencepiece_tokenizer(model, 300, "usual.model")
    assert "usual.model loses some of the text" in caplog.text


@pytest.mark.parametrize(
    ("tokenizer", "vocabulary", "message"),
    [
        ("bytes", 300, r"bytes have 256 tokens, 300 were asked for"),
        ("sentencepiece", 8192, r"too small for 8192 tokens; it supports at most \d+\. Set a"),
        ("sentencepiece", 256, r"256 tokens are too few for sentencepiece, which needs \d+"),
        ("sentencpiece", 600, r"'sentencpiece' is neither bytes nor sentencepiece"),
        (__file__, 600, r"is not a SentencePiece model"),
    ],
)
def test_an_impossible_tokeniser_is_refused_with_the_reason(
    tokenizer: str, vocabulary: int, message: str, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(PROSE)
    files = (str(tmp_path / "a.txt"),)
    with pytest.raises(DataError, match=message):
        load_corpus(DataSettings(files=files, tokenizer=tokenizer, vocabulary=vocabulary))
    assert not cache.exists() or entries(cache) == []
