"""Tokens on disk: made once, whole or not at all, and mapped into memory by every worker.

An entry is a folder with an .npy file per split and a manifest with sizes and checksums. Its
name has a digest of everything that decides the tokens. It is written under a lock and a
draft's name, and renamed when it is complete, as in Hugging Face's data sets. So no process
ever sees a part of one. How tokens are made is for `corpus.py`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import filelock
import numpy as np

from primeval.evaluators.data.documents import SPLITS
from primeval.evaluators.data.tokenizer import Tokens
from primeval.evaluators.errors import DataError
from primeval.evaluators.units import rough_bytes
from primeval.evaluators.whole_files import remove_drafts, replacing

FORMAT = 2  # raised when tokens are made or kept in another way
MANIFEST = "manifest.json"
# CHOICE: sizes are checked whenever an entry is opened; checksums only of files up to
# this size, where that takes no noticeable time.
CHECKED = 64 << 20  # bytes
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_LOG = logging.getLogger(__name__)


@dataclass
class SplitWriter:
    """Writes the .npy file of one split piece by piece; its size is known only at the end."""

    file: BinaryIO
    dtype: np.dtype[np.unsignedinteger[Any]]
    tokens: int = 0
    text_bytes: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)

    def append(self, tokens: Tokens, text_bytes: int) -> None:
        """Write some more tokens, (tokens,), which stand for `text_bytes` bytes of text."""
        data = np.ascontiguousarray(tokens, self.dtype).tobytes()
        self.sha256.update(data)
        self.file.write(data)
        self.tokens += tokens.size
        self.text_bytes += text_bytes

    def write_header(self) -> None:
        """Write the header, or write it again in its place: NumPy leaves room for the size."""
        self.file.seek(0)
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.tokens,)}
        np.lib.format.write_array_header_1_0(self.file, header)

    def summary(self) -> dict[str, object]:
        """What the manifest records of the split."""
        return {
            "tokens": self.tokens,
            "text_bytes": self.text_bytes,
            "type": self.dtype.str,
            "sha256": self.sha256.hexdigest(),
        }


Entry = tuple[dict[str, Tokens], dict[str, int]]
"""The tokens of a corpus by split, memory-mapped, (tokens,) of an unsigned type; and by split
the bytes of the text that they stand for."""
Make = Callable[[Path], Mapping[str, Mapping[str, object]]]


def open_or_make(
    root: Path, name: str, key: Mapping[str, object], make: Make, waiting: Callable[[], None]
) -> Entry:
    """The entry of a key, which is made if it is not there yet.

    Args:
        root: The cache's folder.
        name: The corpus's name; a part of the entry's name, for people.
        key: Everything that decides the tokens, as JSON values.
        make: Writes the files of all splits to a folder; returns the splits' summaries.
        waiting: Called before waiting for another process that makes the same entry.

    Raises:
        DataError: The disk is full or faulty, or the cache cannot be written.
    """
    key = {**key, "format": FORMAT}
    folder = root / f"{name}-{_digest(key)[:16]}"
    with _explained(root):
        if entry := _read(folder, key):
            return entry
        root.mkdir(parents=True, exist_ok=True)
        with _lock(root / f".{folder.name}.lock", waiting):
            if entry := _read(folder, key):  # the process waited for has made it
                return entry
            # the lock is held, so every older draft is a dead process's
            remove_drafts(folder)
            with replacing(folder) as draft:  # the entry it replaces, if any, was found damaged
                draft.mkdir()
                splits = make(draft)
                manifest = {"key": key, "splits": splits, "sha256": _digest(splits)}
                text = json.dumps(manifest, indent=1)
                (draft / MANIFEST).write_text(text, encoding="utf-8")
            if entry := _read(folder, key):
                return entry
    raise DataError(f"The tokens just written to {folder} read back wrong: check the disk.")


def _digest(values: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def require_space(folder: Path, size: int) -> None:
    """Check that the disk of a folder has `size` bytes free. Raises DataError if not."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"The tokens would take about {rough_bytes(size)}, and {folder.parent} has "
            f"{rough_bytes(free)} free. Set data.examples (for data.tfds), give less text, "
            "or set data.cache_dir to a folder on a larger disk."
        )


@contextlib.contextmanager
def split_writers(folder: Path, dtype: np.dtype[Any]) -> Iterator[dict[str, SplitWriter]]:
    """A writer of each split's file in a folder; after the block the files are on disk."""
    with contextlib.ExitStack() as stack:
        writers = {
            split: SplitWriter(stack.enter_context((folder / f"{split}.npy").open("wb")), dtype)
            for split in SPLITS
        }
        for writer in writers.values():
            writer.write_header()
        yield writers
        for writer in writers.values():
            writer.write_header()
            writer.file.flush()
            os.fsync(writer.file.fileno())


@contextlib.contextmanager
def _explained(root: Path) -> Iterator[None]:
    """Turn errors of the file system into DataErrors."""
    try:
        yield
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, NotImplementedError):  # filelock raises it on some network disks
            reason = "its disk has no file locks"
        message = (
            f"Tokens cannot be kept in {root}: {reason}. Set data.cache_dir, or the variable "
            "PRIMEVAL_CACHE, to a folder that can be written."
        )
        if getattr(error, "errno", None) in FULL:
            message = (
                f"The disk is full: tokens could not be kept in {root} ({reason}). Nothing "
                "was left there. Free some space, or set data.cache_dir to a folder on another "
                "disk."
            )
        raise DataError(message) from error


def _lock(path: Path, waiting: Callable[[], None]) -> contextlib.AbstractContextManager[object]:
    """Let one process at a time make an entry. If it is killed, the system frees the lock."""
    lock = filelock.FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        waiting()
        return lock.acquire()


def _read(folder: Path, key: Mapping[str, object]) -> Entry | None:
    """An entry if it is there and undamaged, else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        splits = manifest["splits"]
        if (_digest(manifest["key"]), manifest["sha256"]) != (_digest(key), _digest(splits)):
            raise ValueError("its manifest is not what was written")
        tokens = {split: _map(folder / f"{split}.npy", splits[split]) for split in SPLITS}
        return tokens, {split: splits[split]["text_bytes"] for split in SPLITS}
    except FileNotFoundError:
        if folder.exists():
            _LOG.warning("the token cache %s is incomplete and will be made again", folder)
    except OSError:
        raise
    except Exception as error:  # a header is parsed as Python, which can fail in many ways
        _LOG.warning("the token cache %s is damaged (%s) and will be made again", folder, error)
    return None


def _map(path: Path, summary: Mapping[str, Any]) -> Tokens:
    """A split's tokens, (tokens,), mapped. Raises if the file is damaged."""
    tokens: Tokens = np.load(path, mmap_mode="r", allow_pickle=False)
    found, written = (tokens.dtype.str, tokens.shape), (summary["type"], (summary["tokens"],))
    if found != written:
        raise ValueError(f"{path.name} holds {found}, not {written}")
    checked = tokens.nbytes <= CHECKED
    if checked and hashlib.sha256(tokens.data).hexdigest() != summary["sha256"]:
        raise ValueError(f"{path.name} is not what was written")
    return tokens
