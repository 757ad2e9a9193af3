"""Text in, tokens out: embedded corpora, local files and their splits."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import lzma
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from primeval.evaluators.data import (
    Corpus,
    DataError,
    cache_dir,
    load_corpus,
    require_windows,
)
from primeval.evaluators.settings import DataSettings
from primeval.evaluators.text_files import split_file
from primeval.evaluators.texts import SPLITS, embedded, embedded_text, split_documents

SHA256 = {
    "austen": "6d5776bfe4f44c675652444d1de8d4d863ae0b254262ab17340ffce9703b1773",
    "moby-dick": "fb9bcb0acf6209907f842a2ccda5cd31c5f99289106fc5397e8d9ca09c8dd3b3",
}
PROSE = (
    "It is a truth universally acknowledged, that a paragraph must be in want.\n\n" * 40
).encode()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A token cache of the test's own."""
    monkeypatch.setenv("PRIMEVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokens"


def entries(cache: Path) -> list[str]:
    """What lies in the cache, locks apart: those are empty files."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def load_files(*patterns: Path | str) -> Corpus:
    return load_corpus(DataSettings(files=tuple(map(str, patterns))))


def text_of(tokens: np.ndarray) -> bytes:
    return tokens.astype(np.uint8).tobytes()


def run_python(code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> str:
    command = [*prefix, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


# The embedded corpora


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
        from primeval.evaluators.data import load_corpus
        from primeval.evaluators.settings import DataSettings
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


# Local files


def test_packed_files_give_the_tokens_of_plain_ones(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(PROSE)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(PROSE))
    (tmp_path / "c.txt.xz").write_bytes(lzma.compress(PROSE))
    (tmp_path / "d.txt.bz2").write_bytes(bz2.compress(PROSE))
    loaded = [load_files(path) for path in sorted(tmp_path.glob("?.txt*"))]
    assert len(loaded) == 4
    for corpus in loaded[1:]:
        assert all(
            np.array_equal(getattr(corpus, split), getattr(loaded[0], split))
            for split in SPLITS
        )


def test_a_pattern_stands_for_its_files_once_and_in_order(tmp_path: Path) -> None:
    for name in "ba":
        (tmp_path / f"{name}.txt").write_bytes(PROSE.replace(b"truth", name.encode() * 5))
    train = text_of(load_files(tmp_path / "*.txt", tmp_path / "a.txt").train)
    assert train.find(b"aaaaa") < train.find(b"bbbbb")
    assert train.count(b"\f") == 2


def test_marks_of_other_systems_are_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbf" + PROSE.replace(b"\n", b"\r\n"))
    corpus = load_files(path)
    text = b"".join(text_of(getattr(corpus, split)) for split in SPLITS)
    assert text.replace(b"\f", b"") == PROSE


def test_a_file_of_many_documents_is_split_by_document(tmp_path: Path) -> None:
    path = tmp_path / "poems.txt"
    path.write_bytes(b"".join(b"\fpoem %d\n" % number for number in range(40)))
    corpus = load_files(path)
    assert text_of(corpus.validation) == b"poem 36\n\fpoem 37\n\f"
    assert text_of(corpus.test) == b"poem 38\n\fpoem 39\n\f"


def test_many_small_files_are_split_by_file(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.txt").write_text(f"speech {number}\n")
    corpus = load_files(tmp_path / "*.txt")
    assert text_of(corpus.validation) == b"speech 18\n\fspeech 38\n\f"
    assert text_of(corpus.test) == b"speech 19\n\fspeech 39\n\f"


def test_one_long_text_is_cut_at_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "novel.txt"
    path.write_bytes(PROSE * 10)
    corpus = load_files(path)
    for split, share in (("train", 0.9), ("validation", 0.05), ("test", 0.05)):
        text = text_of(getattr(corpus, split))
        assert text.startswith(b"It is"), split
        assert text.endswith(b"\n\n\f"), split
        assert len(text) == pytest.approx(share * len(PROSE) * 10, rel=0.2)


@given(st.text(min_size=60, max_size=120).map(str.encode))
@example(("é" * 400).encode())
@example(b"no space" * 100)
def test_cutting_loses_no_text_and_breaks_no_character(text: bytes) -> None:
    with contextlib.suppress(DataError):  # a span of nothing but spaces
        parts = list(split_file(text, None, Path("f")))
        assert b"".join(part for _, part in parts).split() == text.replace(b"\f", b"").split()
        assert all(part.decode() for _, part in parts)


@given(st.integers(3, 500))
def test_every_split_gets_its_documents_in_order(count: int) -> None:
    splits = [split for split, _ in split_documents([b"x"] * count)]
    assert splits == sorted(splits, key=SPLITS.index)
    assert splits.count("validation") == splits.count("test") == max(1, round(count / 20))


MISTAKES = {
    "empty.txt": (b"", "empty"),
    "blank.txt": (b" \n\n", "empty"),
    "one-line.txt": (b"hi\n", "too short to be split"),
    "binary.txt": (b"text\0\x01\x02" * 99, "not text: byte 4 of it is zero"),
    "latin-1.txt": ("caf\xe9 ".encode("latin-1") * 99, "not UTF-8: byte 0xe9 at 3"),
    "cut.gz": (gzip.compress(PROSE)[:-20], "cannot be read"),
    "plain.gz": (PROSE, "cannot be read: Not a gzipped file"),
    "plain.xz": (PROSE, "cannot be read"),
    "plain.bz2": (PROSE, "cannot be read"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_file_that_is_no_text_is_named_and_leaves_nothing(
    name: str, tmp_path: Path, cache: Path
) -> None:
    content, message = MISTAKES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_files(tmp_path / name)
    assert message in str(caught.value)
    assert name in str(caught.value)
    assert entries(cache) == []


def test_a_missing_file_is_offered_its_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_bytes(PROSE)
    with pytest.raises(DataError, match=r"Did you mean corpus\.txt\?"):
        load_files(tmp_path / "corpsu.txt")
    with pytest.raises(DataError, match=r"its folder .* does not exist"):
        load_files(tmp_path / "texts" / "corpus.txt")
    with pytest.raises(DataError, match="no file matches"):
        load_files(tmp_path / "*.text")
    with pytest.raises(DataError, match=r"is a folder. Name the files in it.*\*\.txt"):
        load_files(tmp_path)


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "austen", "files": ("a.txt",)}, "source and files exclude each other"),
        ({"source": "moby"}, "no embedded corpus 'moby'. Choose austen or moby-dick"),
        ({"test_source": "lm1b"}, "data.test_source: there is no embedded corpus 'lm1b'"),
        ({"download": True}, "data.download is about .* data.tfds is not given"),
        ({"tfds": "lm1b", "examples": 0}, "data.examples must be at least 1, not 0"),
        ({"files": "a.txt"}, "data.files is a list"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DataSettings(**settings)


def test_the_cache_is_where_the_setting_the_variable_or_the_habit_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PRIMEVAL_CACHE", "/some/where")
    assert cache_dir(DataSettings(cache_dir="~/mine")) == Path.home() / "mine"
    assert cache_dir(DataSettings()) == Path("/some/where")
    monkeypatch.delenv("PRIMEVAL_CACHE")
    assert cache_dir(DataSettings()) == Path.home() / ".cache" / "primeval"


def test_a_split_too_small_for_the_batches_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(PROSE)
    validation = load_files(tmp_path / "a.txt").validation
    most = (validation.size - 1) // 16
    require_windows(validation, 16, most, "validation")
    with pytest.raises(DataError, match=rf"validation split is too small.* {most} windows"):
        require_windows(validation, 16, most + 1, "validation")


def test_bits_per_byte_follow_from_nats_per_token() -> None:
    corpus = load_corpus(DataSettings())
    uniform = math.log(corpus.vocabulary)  # nats per token of a model that knows nothing
    assert uniform / math.log(2) / corpus.bytes_per_token["validation"] == pytest.approx(8)
