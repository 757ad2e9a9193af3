"""What a cluster's other machines lack: this primeval, users' primitives, the tokens.

A machine that sees the driver's files, on a shared disk, uses them in place. Others receive
values: Ray's object store brings the tokens once to each machine, and the first worker there
writes them into that machine's cache.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import filelock
import numpy as np

from primeval.evaluators.data.corpus import Corpus, cache_dir
from primeval.evaluators.data.documents import SPLITS
from primeval.evaluators.data.tokenizer import Tokens
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.task import Task, TokenFiles
from primeval.evaluators.whole_files import remove_drafts, replacing

ROOT = Path(__file__).parents[2]  # the folder that holds primeval's packages

Splits = dict[str, Tokens]
"""Tokens by split, (tokens,) as in `Corpus`."""

Fetch = Callable[[str], Splits]


@dataclass(frozen=True)
class Label:
    """Which tokens a rung needs, and where the driver has them.

    Attributes:
        files: Where the driver has the tokens.
        sizes: Bytes of the driver's file of each split.
        digest: Hash of the tokens.
    """

    files: TokenFiles
    sizes: dict[str, int]
    digest: str

    def place(self, data: DataSettings, fetch: Fetch) -> TokenFiles:
        """The tokens on this machine: the driver's files, or those that the first worker wrote.

        Args:
            data: Names the folder of the cache.
            fetch: Brings the tokens of a digest to this machine.
        """
        if _sizes(Path(self.files.folder)) == self.sizes:
            return self.files
        folder = cache_dir(data) / "shipped" / self.digest[:16]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if _sizes(folder) != self.sizes:
                remove_drafts(folder)
                with replacing(folder) as draft:
                    draft.mkdir()
                    for split, tokens in fetch(self.digest).items():
                        np.save(draft / f"{split}.npy", tokens)
        return replace(self.files, folder=str(folder))


@dataclass(frozen=True)
class Shipment:
    """What a worker on another machine needs besides the task, apart from the tokens.

    Attributes:
        modules: Texts of the files with users' primitives, by path.
        labels: Those of the tokens, one for each rung.
    """

    modules: dict[str, str]
    labels: tuple[Label, ...]

    def unpack(self, task: Task, folder: Path, fetch: Fetch) -> Task:
        """The task with paths that are valid on this machine.

        Args:
            task: The driver's task.
            folder: A folder of this worker's own, for users' primitives.
            fetch: Brings the tokens of a digest to this machine.
        """
        modules = list(task.modules)
        for number, module in enumerate(task.modules):
            if module in self.modules and not Path(module).is_file():
                path = folder / str(number) / Path(module).name  # two files may share a name
                path.parent.mkdir(exist_ok=True)
                path.write_text(self.modules[module], encoding="utf-8")
                modules[number] = str(path)
        first, *higher = (
            replace(one, tokens=label.place(one.data, fetch))
            for one, label in zip((task, *task.higher), self.labels, strict=True)
        )
        return replace(first, modules=tuple(modules), higher=tuple(higher))


def pack(task: Task, corpora: Sequence[Corpus]) -> tuple[Shipment, dict[str, Splits]]:
    """What workers on other machines need for a task.

    Args:
        task: The driver's task.
        corpora: The tokens of each rung, as `load_corpora` gives them.

    Returns:
        The shipment, and apart from it the tokens by their digest, so that equal ones are sent
        once.
    """
    labels = {corpus: _label(corpus) for corpus in set(corpora)}
    tokens = {
        label.digest: {split: getattr(corpus, split) for split in SPLITS}
        for corpus, label in labels.items()
    }
    modules = {
        module: Path(module).read_text(encoding="utf-8")
        for module in task.modules
        if module.endswith(".py")
    }
    return Shipment(modules, tuple(labels[corpus] for corpus in corpora)), tokens


def _label(corpus: Corpus) -> Label:
    digest = hashlib.sha256()
    for split in SPLITS:
        part: Tokens = getattr(corpus, split)
        digest.update(f"{part.dtype.str} {part.size} ".encode())
        digest.update(np.ascontiguousarray(part).data)
    folder = Path(corpus.train.filename).parent  # type: ignore[attr-defined]
    files = TokenFiles(str(folder), corpus.bytes_per_token)
    return Label(files, _sizes(folder), digest.hexdigest())


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of the token file of each split; a split without a file has no entry."""
    files = {split: folder / f"{split}.npy" for split in SPLITS}
    return {split: file.stat().st_size for split, file in files.items() if file.is_file()}


def write_wheel(folder: Path) -> Path:
    """Pack the primeval that is running, from a checkout or an installation, into a wheel.

    CHOICE: the wheel names no dependencies. Ray installs it for one run, and would download a
    second TensorFlow for it, although the machines have their own.

    Args:
        folder: Where the wheel is written.

    Returns:
        The path of the wheel.
    """
    version = metadata.version("primeval")
    path = folder / f"primeval-{version}-py3-none-any.whl"
    info = f"primeval-{version}.dist-info"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:

        def add(name: str, data: bytes) -> None:
            # all files have one date, so that the same code gives the same wheel
            wheel.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(data)}")

        for package in sorted(ROOT.glob("*/__init__.py")):
            for file in sorted(package.parent.rglob("*")):
                if file.is_file() and file.suffix not in (".pyc", ".pyo"):
                    add(f"primeval/{file.relative_to(ROOT)}", file.read_bytes())
        core = f"Metadata-Version: 2.1\nName: primeval\nVersion: {version}\n"
        add(f"{info}/METADATA", core.encode())
        kind = "Wheel-Version: 1.0\nGenerator: primeval\nRoot-Is-Purelib: true\n"
        add(f"{info}/WHEEL", f"{kind}Tag: py3-none-any\n".encode())
        record.append(f"{info}/RECORD,,\n")
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "\n".join(record))
    return path
