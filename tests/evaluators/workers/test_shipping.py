"""What is sent to machines of a cluster: this primeval, users' primitives, the tokens."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.training import task

from primeval.evaluators.data.corpus import open_corpus
from primeval.evaluators.data.ladder import load_corpora
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.task import Task
from primeval.evaluators.workers.shipping import pack, write_wheel


def test_the_wheel_is_complete_and_names_no_dependencies(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    assert wheel.read_bytes() == write_wheel(tmp_path).read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        assert b"Requires-Dist" not in archive.read(metadata)
    assert "primeval/evaluators/data/corpora/PROVENANCE.md" in names
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--target"]
    subprocess.run([*install, str(target), str(wheel)], check=True)
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); sys.meta_path = "
        "[f for f in sys.meta_path if 'editable' not in repr(f)]; "
        "import primeval.dna.library as l; print(l.__file__, len(l.seed_text('primer_ez')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.startswith(str(target)), done.stderr


def ladder(*data: DataSettings) -> Task:
    """A task whose rungs have these data."""
    first, *higher = (replace(task(), data=one) for one in data)
    return replace(first, higher=tuple(higher))


def test_tokens_are_used_in_place_where_the_disk_is_shared(tmp_path: Path) -> None:
    settings = task()
    shipment, _ = pack(settings, load_corpora(settings))
    there = shipment.unpack(
        settings, tmp_path, lambda digest: pytest.fail("nothing is to be brought")
    )
    assert there.tokens == shipment.labels[0].files


def test_tokens_are_brought_once_to_a_machine_without_the_files(tmp_path: Path) -> None:
    # rungs 1 and 3 have equal data
    sources = ("austen", "moby-dick", "austen")
    settings = ladder(*(DataSettings(source=source) for source in sources))
    corpora = load_corpora(settings)
    shipment, tokens = pack(settings, corpora)
    cache = str(tmp_path / "cache")
    elsewhere = ladder(*(DataSettings(source=source, cache_dir=cache) for source in sources))
    lost = (
        replace(one, files=replace(one.files, folder="/nowhere")) for one in shipment.labels
    )
    shipment = replace(shipment, labels=tuple(lost))
    fetched = list[str]()

    def fetch(digest: str) -> dict[str, Any]:
        fetched.append(digest)
        return tokens[digest]

    places = [shipment.unpack(elsewhere, tmp_path, fetch) for _ in range(2)]
    assert sorted(fetched) == sorted(tokens)
    assert len(fetched) == 2
    for rung, here in enumerate(corpora, 1):
        there = open_corpus(places[1].on(rung))
        for split in ("train", "validation", "test"):
            assert np.array_equal(getattr(there, split), getattr(here, split))
        assert there.bytes_per_token == here.bytes_per_token


def test_users_primitives_travel_as_text(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text("x = 1\n", encoding="utf-8")
    settings = replace(task(), modules=(str(module), "package.module"))
    shipment, tokens = pack(settings, load_corpora(settings))
    module.unlink()
    (tmp_path / "there").mkdir()
    unpacked = shipment.unpack(settings, tmp_path / "there", tokens.__getitem__)
    path, dotted = unpacked.modules
    assert Path(path).read_text(encoding="utf-8") == "x = 1\n"
    assert dotted == "package.module"


def test_two_modules_of_one_file_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    modules = [tmp_path / "ours" / "ops.py", tmp_path / "theirs" / "ops.py"]
    for module in modules:
        module.parent.mkdir()
        module.write_text(f"x = {module.parent.name!r}\n", encoding="utf-8")
    settings = replace(task(), modules=tuple(str(module) for module in modules))
    shipment, tokens = pack(settings, load_corpora(settings))
    for module in modules:
        module.unlink()
    unpacked = shipment.unpack(settings, tmp_path, tokens.__getitem__)
    texts = [Path(path).read_text(encoding="utf-8") for path in unpacked.modules]
    assert texts == ["x = 'ours'\n", "x = 'theirs'\n"]
