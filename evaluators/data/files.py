"""Local text files as a source of documents: plain, .gz, .xz or .bz2, in UTF-8.

A document ends at a form feed. A file without one is a single document, which is cut at blank
lines where the splits need it. `documents.py` explains what documents are.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from primeval.evaluators.data.documents import (
    HELD_OUT,
    TEST,
    TRAIN,
    TURNS,
    VALIDATION,
    Document,
    Source,
    split_documents,
)
from primeval.evaluators.errors import DataError
from primeval.primitives.errors import did_you_mean

# CHOICE: with at least this many documents or files, a split consists of whole ones; with
# fewer, the text is cut into spans.
ENOUGH = 20
BOUNDARIES = (b"\f", b"\n\n", b"\n", b" ")  # where a span may end, the best first

_UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
}
# First bytes of files that are often mistaken for text, and what to do with such a file.
_BEGINNINGS: dict[bytes, str] = {
    b"\x1f\x8b": "packed by gzip. Give its name the ending .gz",
    b"\xfd7zXZ\0": "packed by xz. Give its name the ending .xz",
    b"BZh": "packed by bzip2. Give its name the ending .bz2",
    b"\x28\xb5\x2f\xfd": "packed by zstd. Unpack it: zstd -d",
    b"PK\x03\x04": "a zip archive or an office document. Give the text that it holds",
    b"%PDF": "a PDF. Save it as plain text: pdftotext",
    b"\xff\xfe": "UTF-16. Convert it: iconv -f utf-16 -t utf-8",
    b"\xfe\xff": "UTF-16. Convert it: iconv -f utf-16 -t utf-8",
}


def file_source(patterns: tuple[str, ...]) -> Source:
    """The text of local files as a source.

    CHOICE: files are identified by path, size and time of change, as in `make`, so that a
    worker need not read gigabytes to find their tokens in the cache.

    Args:
        patterns: Paths, or patterns that stand for all files they match, in order of names.

    Raises:
        DataError: A file is missing or is a folder. When the documents are read: a file is
            empty, is not text, or cannot be read.
    """
    stats = {path: path.stat() for one in patterns for path in find_files(one)}
    seen = [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats.items()]
    first, *others = stats
    name = first.name + (f" and {len(others)} more" if others else "")
    sizes = {path: stat.st_size for path, stat in stats.items()}
    return Source(name, {"files": seen}, lambda: _documents(sizes), sum(sizes.values()))


def find_files(pattern: str) -> list[Path]:
    """The files that a path or a pattern stands for, sorted, as absolute paths.

    Raises:
        DataError: There is none, the path is a folder, or the path cannot be looked up.
    """
    try:
        path = Path(pattern).expanduser()
        magic = glob.has_magic(pattern) and not path.exists()
        found = sorted(glob.glob(str(path), recursive=True)) if magic else [path]
        if files := [Path(one).resolve() for one in found if Path(one).is_file()]:
            return files
        problem = _missing(path, pattern, magic)
    except (OSError, RuntimeError) as error:  # no such home, a name too long, no permission
        reason = getattr(error, "strerror", None) or error
        problem = f"{pattern[:200]!r} cannot be looked up: {reason}. Correct the path."
    raise DataError(f"data.files: {problem}")


def _missing(path: Path, pattern: str, magic: bool) -> str:
    """Why a path or a pattern stands for no file, with similar names from its folder."""
    folder = path.absolute().parent
    if magic:
        return (
            f"no file matches {pattern!r} (looked from {Path.cwd()}). Correct the pattern; "
            "`**` stands for folders at any depth."
        )
    if path.is_dir():
        example = str(path / "*.txt")
        return f"{pattern!r} is a folder. Name the files in it, for example {example!r}."
    if path.exists():
        return f"{pattern!r} is not a regular file. Name a text file."
    if not folder.is_dir():
        return f"there is no {pattern!r}: its folder {folder} does not exist."
    beside = [one.name for one in folder.iterdir()]
    hint = did_you_mean(path.name, beside) or " Correct the path."
    return f"there is no {pattern!r} in {folder}.{hint}"


def read_text(path: Path) -> bytes:
    """The text of a file in UTF-8, unpacked, with Unix line ends and no byte-order mark.

    CHOICE: a file is held in memory while it is read; a corpus of many gigabytes usually comes
    in many files.

    Raises:
        DataError: The file cannot be read, does not fit in memory, is empty, or is not text.
    """
    try:
        text = _unpacked(path.read_bytes(), path)
    except OSError as error:
        raise DataError(f"data.files: {path} cannot be read: {error.strerror}.") from error
    except MemoryError as error:
        raise DataError(
            f"data.files: {path} does not fit in memory. Cut it into several files, for "
            "example: split --line-bytes 500M"
        ) from error
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if not text.strip():
        raise DataError(f"data.files: {path} is empty. Leave it out, or give a file with text.")
    _check_utf8(text, path)
    return text


def _unpacked(data: bytes, path: Path) -> bytes:
    ending = path.suffix.lower()
    if ending not in _UNPACKERS or not data:
        return data
    try:
        return _UNPACKERS[ending](data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        reason = str(error).rstrip(".")
        raise DataError(
            f"data.files: {path} is not a complete {ending} file: {reason}. Fetch it again "
            f"if it was cut short; take {ending} off its name if it was never packed."
        ) from error


def _check_utf8(text: bytes, path: Path) -> None:
    """Raise DataError unless a file is text in UTF-8 without zero bytes.

    CHOICE: the tokeniser `bytes` requires this too, since models are meant to write text.
    """
    try:
        if (zero := text.find(b"\0")) < 0:
            text.decode()
            return
        problem = (
            f"is not text: byte {zero} of it is zero. Give text in UTF-8 (plain, .gz, .xz or "
            ".bz2)."
        )
    except UnicodeDecodeError as error:
        problem = (
            f"is not UTF-8: byte 0x{text[error.start]:02x} at {error.start} ({error.reason}). "
            f"Convert it, for example: iconv -f latin1 -t utf-8 {path.name}"
        )
    known = (advice for start, advice in _BEGINNINGS.items() if text.startswith(start))
    problem = next((f"is not text: it is {advice}." for advice in known), problem)
    raise DataError(f"data.files: {path} {problem}")


def _documents(sizes: dict[Path, int]) -> Iterator[Document]:
    done, total = 0, max(1, sum(sizes.values()))
    for place, (path, size) in enumerate(sizes.items()):
        text = read_text(path)
        whole = TURNS[place % len(TURNS)] if len(sizes) >= ENOUGH else None
        given = 0
        for split, document in split_file(text, whole, path):
            given += len(document)
            yield Document(split, document, (done + size * given / len(text)) / total)
        done += size


def split_file(text: bytes, whole: str | None, path: Path) -> Iterator[tuple[str, bytes]]:
    """The documents of a file, each with its split.

    Args:
        text: The text of the file.
        whole: The split that a file of few documents belongs to; None cuts such a file into
            three spans. A file of many documents is split by documents.
        path: The file's path, for messages.

    Raises:
        DataError: The file is too short to be cut in three.
    """
    documents = [one for one in text.split(b"\f") if one.strip()]
    if len(documents) >= ENOUGH:
        yield from split_documents(documents)
    elif whole is not None:
        yield from ((whole, one) for one in documents)
    else:
        first = boundary(text, round(len(text) * (1 - 2 * HELD_OUT)))
        second = boundary(text, round(len(text) * (1 - HELD_OUT)))
        spans = ((TRAIN, text[:first]), (VALIDATION, text[first:second]), (TEST, text[second:]))
        for split, span in spans:
            parts = [one for one in span.split(b"\f") if one.strip()]
            if not parts:
                raise DataError(
                    f"data.files: {path} is too short to be split into training, validation "
                    f"and test text: it holds {len(text)} bytes. Give more text."
                )
            yield from ((split, part) for part in parts)


def boundary(text: bytes, place: int) -> int:
    """Where to cut UTF-8 text near a byte: after a document, a block, a line or a word.

    The best of these boundaries that is found within 1 % of the text after the place is taken.
    If there is none, the cut is at the next boundary between characters.
    """
    reach = place + max(1, len(text) // 100)
    for mark in BOUNDARIES:
        if (found := text.find(mark, place, reach)) >= 0:
            return found + len(mark)
    while place < len(text) and text[place] & 0xC0 == 0x80:  # inside a character
        place += 1
    return place
