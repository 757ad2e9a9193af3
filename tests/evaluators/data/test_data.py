"""From text to tokens: embedded corpora, settings of data, and how much text is needed."""

from __future__ import annotations

import hashlib
import lzma
import math
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from helpers.corpora import PROSE, load_files, run_python, text_of

from primeval.evaluators.data.corpus import cache_dir, load_corpus, require_batches
from primeval.evaluators.data.documents import SPLITS, embedded
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError, SettingError
from primeval.evaluators.settings import ModelSettings, TrainingSettings

SHA256 = {
    "austen": "6d5776bfe4f44c675652444d1de8d4d863ae0b254262ab17340ffce9703b1773",
    "moby-dick": "fb9bcb0acf6209907f842a2ccda5cd31c5f99289106fc5397e8d9ca09c8dd3b3",
}


# The embedded corpora


def embedded_text(name: str) -> bytes:
    """An embedded corpus as it is kept: a form feed and `Book N` before each chapter."""
    corpora = resources.files("primeval.evaluators.data") / "corpora"
    return lzma.decompress((corpora / f"{name}.txt.xz").read_bytes())


@pytest.mark.parametrize("name", SHA256)
def test_embedded_text_is_the_text_of_its_provenance(name: str) -> None:
    assert hashlib.sha256(embedded_text(name)).hexdigest() == SHA256[name]


def test_last_chapters_of_every_book_are_held_out() -> None:
    splits = [document.split for document in embedded("austen").documents()]
    assert len(splits) == 269
    emma, mansfield_park = splits[:55], splits[55 : 55 + 48]
    assert emma == ["train"] * 49 + ["validation"] * 3 + ["test"] * 3
    assert mansfield_park == ["train"] * 44 + ["validation"] * 2 + ["test"] * 2


@pytest.mark.parametrize("name", SHA256)
def test_chapters_are_the_text_without_the_marker_lines(name: str) -> None:
    texts = [document.text for document in embedded(name).documents()]
    marked = embedded_text(name).split(b"\f")[1:]
    assert texts == [chapter.partition(b"\n")[2] for chapter in marked]
    assert all(text.startswith(b"CHAPTER") or b"\nCHAPTER" in text for text in texts[:3])


def test_default_corpus_is_austen_in_bytes() -> None:
    corpus = load_corpus(DataSettings())
    assert (corpus.name, corpus.vocabulary, corpus.train.dtype) == ("austen", 256, np.uint8)
    assert corpus.bytes_per_token == dict.fromkeys(SPLITS, 1.0)
    assert text_of(corpus.train).startswith(b"CHAPTER I\nEmma Woodhouse, handsome, clever")
    assert text_of(corpus.test).endswith(b"THE END\n\f")


def test_default_corpus_needs_neither_tensorflow_nor_sentencepiece() -> None:
    code = """if True:
        import sys
        from primeval.evaluators.data.corpus import load_corpus
        from primeval.evaluators.data_settings import DataSettings
        load_corpus(DataSettings())
        print(sorted({"tensorflow", "tensorflow_datasets", "sentencepiece"} & set(sys.modules)))
    """
    assert run_python(code) == "[]\n"


def test_moby_dick_can_be_the_test_split_of_austen() -> None:
    plain = load_corpus(DataSettings())
    shifted = load_corpus(DataSettings(test_source="moby-dick"))
    assert np.array_equal(shifted.train, plain.train)
    assert np.array_equal(shifted.validation, plain.validation)
    assert text_of(shifted.test).startswith(b"CHAPTER 1. Loomings.\nCall me Ishmael.")
    assert text_of(shifted.test).count(b"\f") == 131


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "austen", "files": ("a.txt",)}, "source and files exclude each other"),
        (
            {"source": "moby"},
            "source is one of austen, moby-dick, .*, recall. Received: 'moby'",
        ),
        ({"test_source": "lm1b"}, "test_source is one of .* For other text: data.files or"),
        ({"download": True}, "download is about .* data.tfds is not given"),
        ({"tfds": "lm1b", "examples": 0}, "examples is at least 1. Received: 0"),
        ({"files": "a.txt"}, "files is a list"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        DataSettings(**settings)


def test_the_cache_is_where_the_setting_the_variable_or_the_default_puts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PRIMEVAL_CACHE", "/some/where")
    assert cache_dir(DataSettings(cache_dir="~/mine")) == Path.home() / "mine"
    assert cache_dir(DataSettings()) == Path("/some/where")
    monkeypatch.delenv("PRIMEVAL_CACHE")
    assert cache_dir(DataSettings()) == Path.home() / ".cache" / "primeval"


def test_a_split_too_small_for_the_batches_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(PROSE)
    corpus, model = load_files(tmp_path / "a.txt"), ModelSettings(length=16)
    most = (corpus.validation.size - 1) // 16
    require_batches(corpus, model, TrainingSettings(batch_size=1, validation_batches=most))
    with pytest.raises(DataError, match=rf"validation split is too small.* {most} windows"):
        require_batches(
            corpus, model, TrainingSettings(batch_size=1, validation_batches=most + 1)
        )


def test_a_corpus_must_hold_a_training_batch_and_a_whole_validation(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(PROSE)
    corpus = load_files(tmp_path / "a.txt")
    model = ModelSettings(length=16)
    require_batches(corpus, model, TrainingSettings(batch_size=4, validation_batches=2))
    with pytest.raises(
        DataError, match=r"batch_size x training\.validation_batches asks for 40"
    ):
        require_batches(corpus, model, TrainingSettings(batch_size=4, validation_batches=10))
    with pytest.raises(DataError, match=r"train split .* lower training\.batch_size or model"):
        require_batches(corpus, model, TrainingSettings(batch_size=400))


def test_bits_per_byte_follow_from_nats_per_token() -> None:
    corpus = load_corpus(DataSettings())
    uniform = math.log(corpus.vocabulary)  # nats per token if all tokens are equally likely
    assert uniform / math.log(2) / corpus.bytes_per_token["validation"] == pytest.approx(8)
