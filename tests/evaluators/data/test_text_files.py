"""Local text files: packed and plain ones, patterns, splits, and messages about faults."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from helpers.corpora import PROSE, entries, load_files, text_of
from hypothesis import example, given
from hypothesis import strategies as st

from primeval.evaluators.data.corpus import load_corpus
from primeval.evaluators.data.documents import SPLITS, split_documents
from primeval.evaluators.data.files import split_file
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError


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


def test_windows_line_ends_and_byte_order_marks_are_removed(tmp_path: Path) -> None:
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
@example(b"some words" * 50 + b"\r\f0")
def test_cutting_loses_no_text_and_breaks_no_character(text: bytes) -> None:
    with contextlib.suppress(DataError):  # if a span holds only spaces
        parts = list(split_file(text, None, Path("f")))
        kept = b"".join(b"".join(part.split()) for _, part in parts)
        assert kept == b"".join(text.split())  # but for spaces: a blank document is dropped
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
    "utf-16.txt": (PROSE.decode().encode("utf-16"), "it is UTF-16. Convert it: iconv"),
    "random.txt": (bytes(range(1, 255)) * 9, "not UTF-8: byte 0x80 at 127"),
    "packed.txt": (gzip.compress(PROSE), "packed by gzip. Give its name the ending .gz"),
    "report.pdf": (b"%PDF-1.4\n\xe2\xe3\0" * 99, "it is a PDF"),
    "cut.gz": (
        gzip.compress(PROSE)[:-20],
        "not a complete .gz file: Compressed file ended before",
    ),
    "cut.xz": (
        lzma.compress(PROSE)[:-20],
        "not a complete .xz file: Compressed data ended before",
    ),
    "cut.bz2": (
        bz2.compress(PROSE)[:-20],
        "not a complete .bz2 file: Compressed data ended before",
    ),
    "plain.gz": (PROSE, "not a complete .gz file: Not a gzipped file"),
    "plain.xz": (PROSE, "not a complete .xz file"),
    "plain.bz2": (PROSE, "not a complete .bz2 file"),
    "empty.gz": (b"", "empty"),
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
    with pytest.raises(DataError, match=r"Did you mean 'corpus\.txt'\?"):
        load_files(tmp_path / "corpsu.txt")
    with pytest.raises(DataError, match=r"its folder .* does not exist"):
        load_files(tmp_path / "texts" / "corpus.txt")
    with pytest.raises(DataError, match="no file matches"):
        load_files(tmp_path / "*.text")
    with pytest.raises(DataError, match=r"is a folder. Name the files in it.*\*\.txt"):
        load_files(tmp_path)


def test_a_path_that_cannot_be_looked_up_is_reported() -> None:
    with pytest.raises(DataError, match="cannot be looked up: File name too long"):
        load_files("x" * 5000)


def test_a_file_larger_than_a_chunk_is_one_document_and_its_progress_is_shown(
    tmp_path: Path,
) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(PROSE * 2000)  # 6 MB
    heard: list[float] = []
    corpus = load_corpus(
        DataSettings(files=(str(path),)), lambda what, done: heard.append(done)
    )
    assert len(heard) > 5
    assert heard == sorted(heard)
    assert text_of(corpus.train).count(b"\f") == 1
    text = b"".join(text_of(getattr(corpus, split))[:-1] for split in SPLITS)
    assert text == PROSE * 2000
