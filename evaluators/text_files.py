"""Local text files as a source of documents: plain, .gz, .xz or .bz2, in UTF-8.

A document ends at a form feed; a file without one is a single document, which is cut at
blank lines where the splits need it. What documents are for is said in `texts.py`.
"""

from __future__ import annotations

import bz2
import difflib
import glob
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from primeval.evaluators.texts import (
    HELD_OUT,
    TEST,
    TRAIN,
    VALIDATION,
    DataError,
    Document,
    Source,
    split_documents,
)

# CHOICE: from so many documents on, splits are made of whole ones; below that, of spans.
ENOUGH = 20
BOUNDARIES = (b"\f", b"\n\n", b"\n", b" ")  # where a span may end, the best first

_OPENERS: dict[str, Callable[[Path], bytes]] = {
    ".gz": lambda path: gzip.decompress(path.read_bytes()),
    ".xz": lambda path: lzma.decompress(path.read_bytes()),
    ".bz2": lambda path: bz2.decompress(path.read_bytes()),
}


def file_source(patterns: tuple[str, ...]) -> Source:
    """The text of files; a pattern stands for all that it matches, in order of their names.

    CHOICE: files are told apart by path, size and time of change, as `make` does it, so that
    a worker need not read gigabytes to find their tokens in the cache.

    Raises:
        DataError: A file is missing, is a folder or, when it is read, is empty or no text.
    """
    paths = list(dict.fromkeys(path for one in patterns for path in find_files(one)))
    stats = [path.stat() for path in paths]
    seen = [
        [str(path), stat.st_size, stat.st_mtime_ns]
        for path, stat in zip(paths, stats, strict=True)
    ]
    name = paths[0].name + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    size = sum(stat.st_size for stat in stats)
    return Source(name, {"files": seen}, lambda: _documents(paths, size), size)


def find_files(pattern: str) -> list[Path]:
    """The files that a path or a pattern stands for."""
    path = Path(pattern).expanduser()
    if glob.has_magic(pattern) and not path.exists():
        found = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]
        if files := [one.resolve() for one in found if one.is_file()]:
            return files
        raise DataError(
            f"data.files: no file matches {pattern!r} (looked from {Path.cwd()}). Correct the "
            "pattern; `**` stands for folders at any depth."
        )
    if path.is_dir():
        raise DataError(
            f"data.files: {pattern!r} is a folder. Name the files in it, for example "
            f"{str(path / '*.txt')!r}."
        )
    if not path.is_file():
        raise DataError(_missing(path, pattern))
    return [path.resolve()]


def _missing(path: Path, pattern: str) -> str:
    """Says that a file is missing, and what in its folder has a name like it."""
    folder = path.absolute().parent
    if path.exists():
        return f"data.files: {pattern!r} is not a regular file. Name a text file."
    if not folder.is_dir():
        return f"data.files: there is no {pattern!r}: its folder {folder} does not exist."
    near = difflib.get_close_matches(path.name, [one.name for one in folder.iterdir()], n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else " Correct the path."
    return f"data.files: there is no {pattern!r} in {folder}.{hint}"


def read_text(path: Path) -> bytes:
    """The text of a file as UTF-8, unpacked, with Unix line ends and no byte-order mark.

    CHOICE: a file is held in memory while it is read; corpora of many gigabytes come in many
    files.
    """
    try:
        text = _OPENERS.get(path.suffix.lower(), Path.read_bytes)(path)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        raise DataError(f"data.files: {path} cannot be read: {error}.") from error
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if not text.strip():
        raise DataError(f"data.files: {path} is empty. Leave it out, or give a file with text.")
    _check_utf8(text, path)
    return text


def _check_utf8(text: bytes, path: Path) -> None:
    zero = text.find(b"\0")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        place, rule = error.start, error.reason
    else:
        place, rule = zero, "a zero byte"
    if zero >= 0:
        raise DataError(
            f"data.files: {path} is not text: byte {zero} of it is zero. Give text in UTF-8 "
            "(plain, .gz, .xz or .bz2)."
        )
    if place >= 0:
        raise DataError(
            f"data.files: {path} is not UTF-8: byte 0x{text[place]:02x} at {place} ({rule}). "
            f"Convert it, for example: iconv -f latin1 -t utf-8 {path.name}"
        )


def _documents(paths: list[Path], size: int) -> Iterator[Document]:
    done = 0
    for place, path in enumerate(paths):
        text = read_text(path)
        whole = _split_of(place) if len(paths) >= ENOUGH else None
        done += path.stat().st_size
        for split, document in split_file(text, whole, path):
            yield Document(split, document, done / size)


def _split_of(place: int) -> str:
    """The split of a whole file among many: of every 20, the last is test, as `HELD_OUT`.

    CHOICE: held-out files are spread over all, for neighbours in name are alike.
    """
    every = round(1 / HELD_OUT)
    return {every - 1: TEST, every - 2: VALIDATION}.get(place % every, TRAIN)


def split_file(text: bytes, whole: str | None, path: Path) -> Iterator[tuple[str, bytes]]:
    """The documents of a file: split one by one, or into a split given, or cut into spans.

    Args:
        text: All of the file.
        whole: The split that a file of few documents goes to; None cuts it in three.
        path: For messages.
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
    """Where to cut text near a place: after a document, a block, a line, a word, a character.

    The better boundaries are looked for within 1 % of the text after the place.
    """
    reach = place + max(1, len(text) // 100)
    for mark in BOUNDARIES:
        found = text.find(mark, place, reach)
        if found >= 0:
            return found + len(mark)
    while place < len(text) and text[place] & 0xC0 == 0x80:  # inside a character
        place += 1
    return place
