"""Files and folders that are written whole or not at all, however their writer ends."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file or a folder under a draft's name; it takes its place when the block ends.

        with replacing(path) as draft:
            draft.write_bytes(data)

    Readers see the old one or the new one, never a part. If the block raises, the draft is
    removed and the old one stays. Only a writer that is killed leaves its draft behind.

    Args:
        path: Where the file or the folder is wanted. Its parent folder must exist.

    Yields:
        A path in the same folder, where nothing is yet, and which no other process uses.

    Raises:
        OSError: The draft cannot take its place.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    old = path.with_name(f"{draft.name}.old")
    try:
        yield draft
        if draft.is_dir() and path.exists():  # a folder cannot replace one that is not empty
            path.rename(old)
        os.replace(draft, path)
    finally:
        _remove(draft)
        _remove(old)


def remove_drafts(path: Path) -> None:
    """Remove what killed writers of a path left behind. Nothing may be writing it now."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part*"):
        _remove(left)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)  # does nothing to a file
    with contextlib.suppress(OSError):
        path.unlink()
