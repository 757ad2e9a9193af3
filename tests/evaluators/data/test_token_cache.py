"""The token cache: tokens are made once, shared, and never left half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.corpora import PROSE, entries, run_python, text_of

from primeval.evaluators.data.corpus import load_corpus
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError


def test_tokens_are_made_once_and_memory_mapped(cache: Path) -> None:
    heard: list[tuple[str, float]] = []
    first = load_corpus(DataSettings(), lambda what, done: heard.append((what, done)))
    shares = [done for _, done in heard]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len(shares) > 2
    heard.clear()
    again = load_corpus(DataSettings(), lambda what, done: heard.append((what, done)))
    assert heard == []
    assert isinstance(again.train, np.memmap)
    assert not again.train.flags.writeable
    assert np.array_equal(first.train, again.train)
    assert len(entries(cache)) == 1


def test_a_changed_file_is_tokenised_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(PROSE)
    before = load_corpus(DataSettings(files=(str(path),)))
    path.write_bytes(PROSE.replace(b"truth", b"falsehood"))
    assert b"falsehood" in text_of(load_corpus(DataSettings(files=(str(path),))).train)
    assert b"falsehood" not in text_of(before.train)


def truncate(entry: Path) -> None:
    os.truncate(entry / "train.npy", 1000)


def flip_a_byte(entry: Path) -> None:
    with (entry / "validation.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"\xff")


def edit(path: Path, before: bytes, after: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(before, after, 1))


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_a_byte,
        lambda entry: (entry / "test.npy").unlink(),
        lambda entry: (entry / "manifest.json").unlink(),
        lambda entry: (entry / "manifest.json").write_text('{"key"'),
        lambda entry: edit(entry / "manifest.json", b'"text_bytes": ', b'"text_bytes": 1'),
        lambda entry: edit(entry / "test.npy", b"|u1", b"|i1"),
        lambda entry: edit(entry / "train.npy", b"(", b"["),
        lambda entry: (entry / "train.npy").write_bytes(b""),
    ],
)
def test_a_damaged_entry_is_made_again(
    damage: Callable[[Path], None], tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(PROSE)
    settings = DataSettings(files=(str(tmp_path / "a.txt"),))
    whole = text_of(load_corpus(settings).train)
    damage(cache / entries(cache)[0])
    corpus = load_corpus(settings)
    assert text_of(corpus.train) == whole
    assert len(entries(cache)) == 1


LOAD = """if True:
    import os, sys, resource, time
    from primeval.evaluators.data.corpus import load_corpus
    from primeval.evaluators.errors import DataError
    from primeval.evaluators.data_settings import DataSettings
    def load(progress=None):
        try:
            return load_corpus(DataSettings(cache_dir=sys.argv[1]), progress)
        except DataError as error:
            print(error)
"""


def test_what_a_process_killed_while_making_tokens_leaves_is_not_used(cache: Path) -> None:
    killed = "    load(lambda what, done: done > 0.3 and os.kill(os.getpid(), 9))\n"
    run_python(LOAD + killed, cache.parent)
    assert entries(cache)[0].endswith(".part")
    assert load_corpus(DataSettings()).train.size == 3586180
    assert [name[:7] for name in entries(cache)] == ["austen-"]


def test_a_second_process_waits_for_the_first_and_shares_its_tokens(
    tmp_path: Path, cache: Path
) -> None:
    go = tmp_path / "go"
    slow = """
    def wait(what, done):
        while not os.path.exists(sys.argv[2]):
            time.sleep(0.01)
    load(wait)
    """
    command = [sys.executable, "-c", LOAD + slow, str(cache.parent), str(go)]
    with subprocess.Popen(command) as first:
        while not list(cache.glob(".*.part")):
            time.sleep(0.01)
        heard: list[str] = []

        def progress(what: str, done: float) -> None:
            heard.append(what)
            go.touch()

        corpus = load_corpus(DataSettings(), progress)
    assert first.returncode == 0
    assert heard == ["austen: another process is making its tokens; waiting"]
    assert corpus.train.size == 3586180


def test_a_full_disk_is_reported_and_nothing_is_left_on_it(cache: Path) -> None:
    limit = "    resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))\n    load()\n"
    assert "The disk is full" in run_python(LOAD + limit, cache.parent)
    assert entries(cache) == []
    assert load_corpus(DataSettings()).train.size == 3586180


def test_a_disk_without_space_is_reported_and_nothing_is_left_on_it(tmp_path: Path) -> None:
    """The true error of the system, where a small disk can be made without rights."""
    if not shutil.which("unshare"):
        pytest.skip("needs Linux")
    mount = f'mount -t tmpfs -o size=1m none {tmp_path} && exec "$@"'
    prefix = ("unshare", "-rm", "sh", "-c", mount, "sh")
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("this machine does not let its users mount anything")
    code = LOAD + "    load()\n    print(sorted(os.listdir(sys.argv[1] + '/tokens'))[1:])\n"
    answer = run_python(code, tmp_path / "cache", prefix=prefix)
    assert "The disk is full" in answer
    assert "No space left on device" in answer
    assert answer.endswith("[]\n"), "only the lock is left"


def test_tokens_that_cannot_fit_on_the_disk_are_not_begun(tmp_path: Path, cache: Path) -> None:
    huge = tmp_path / "huge.txt"
    huge.touch()
    try:
        os.truncate(huge, 8 << 40)  # a file with a hole takes no space
    except OSError:
        pytest.skip("the file system has no files of that size")
    with pytest.raises(DataError, match=r"would take about 8TB"):
        load_corpus(DataSettings(files=(str(huge),)))
    assert entries(cache) == []


def test_a_cache_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"Set data\.cache_dir"):
        load_corpus(DataSettings(cache_dir=str(tmp_path / "file")))
