"""What a cluster's other machines lack: this primeval, users' primitives, the tokens.

A machine that sees the driver's files, on a shared disk, uses them in place. Others get
values: Ray's object store brings them once to each machine, and the first worker there writes
the tokens into that machine's cache.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata, resources
from pathlib import Path

import filelock
import numpy as np

from primeval.evaluators.data.corpus import cache_dir, load_corpus
from primeval.evaluators.data.documents import SPLITS
from primeval.evaluators.data.tokenizer import Tokens
from primeval.evaluators.settings import Task, TokenFiles

PACKAGES = ("primitives", "dna", "evaluators", "search", "configs", "scripts")


Fetch = Callable[[], dict[str, Tokens]]


@dataclass(frozen=True)
class Shipment:
    """What workers need besides the task; the tokens themselves only if they have to.

    Attributes:
        modules: Text of the files with users' primitives, by path.
        files: Where the driver has the tokens.
        sizes: Bytes of each of those files.
        digest: Of the tokens.
    """

    modules: dict[str, str]
    files: TokenFiles
    sizes: dict[str, int]
    digest: str

    def unpack(self, task: Task, folder: Path, fetch: Fetch) -> Task:
        """The task for this machine.

        Args:
            task: As the driver has it.
            folder: This worker's own.
            fetch: Brings the tokens here.
        """
        modules = []
        for module in task.modules:
            if module in self.modules and not Path(module).is_file():
                path = folder / Path(module).name
                path.write_text(self.modules[module], encoding="utf-8")
                module = str(path)
            modules.append(module)
        return replace(task, modules=tuple(modules), tokens=self.place(task, fetch))

    def place(self, task: Task, fetch: Fetch) -> TokenFiles:
        """The tokens on this machine: the driver's own, or written by the first who asks."""
        if _sizes(Path(self.files.folder)) == self.sizes:
            return self.files
        folder = cache_dir(task.data) / "shipped" / self.digest[:16]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            if _sizes(folder) != self.sizes:
                draft = folder.with_suffix(".part")
                draft.mkdir(exist_ok=True)
                for split, tokens in fetch().items():
                    np.save(draft / f"{split}.npy", tokens)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(draft, folder)
        return replace(self.files, folder=str(folder))


def pack(task: Task) -> tuple[Shipment, dict[str, Tokens]]:
    """What workers on other machines need for a task, and the tokens apart from it."""
    corpus = load_corpus(task.data)
    tokens: dict[str, Tokens] = {split: getattr(corpus, split) for split in SPLITS}
    folder = Path(tokens[SPLITS[0]].filename).parent  # type: ignore[attr-defined]
    digest = hashlib.sha256()
    for part in tokens.values():
        digest.update(f"{part.dtype.str} {part.size} ".encode())
        digest.update(np.ascontiguousarray(part).data)
    modules = {
        module: Path(module).read_text(encoding="utf-8")
        for module in task.modules
        if module.endswith(".py")
    }
    files = TokenFiles(str(folder), corpus.bytes_per_token)
    return Shipment(modules, files, _sizes(folder), digest.hexdigest()), tokens


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of the files of a folder of tokens; of those that are there."""
    files = {split: folder / f"{split}.npy" for split in SPLITS}
    return {split: file.stat().st_size for split, file in files.items() if file.is_file()}


def write_wheel(folder: Path) -> Path:
    """This primeval as a wheel, from a checkout or from where it is installed.

    CHOICE: it names no dependencies. Ray installs it for a run alone, and would fetch a second
    TensorFlow for it; the machines have their own.
    """
    version = metadata.version("primeval")
    path = folder / f"primeval-{version}-py3-none-any.whl"
    info = f"primeval-{version}.dist-info"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:

        def add(name: str, data: bytes) -> None:
            # one date for all, so that the same code is the same wheel
            wheel.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(data)}")

        for package in PACKAGES:
            root = Path(str(resources.files(f"primeval.{package}")))
            for file in sorted(root.rglob("*")):
                if file.is_file() and file.suffix not in (".pyc", ".pyo"):
                    add(f"primeval/{package}/{file.relative_to(root)}", file.read_bytes())
        core = f"Metadata-Version: 2.1\nName: primeval\nVersion: {version}\n"
        add(f"{info}/METADATA", core.encode())
        kind = "Wheel-Version: 1.0\nGenerator: primeval\nRoot-Is-Purelib: true\n"
        add(f"{info}/WHEEL", f"{kind}Tag: py3-none-any\n".encode())
        record.append(f"{info}/RECORD,,\n")
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "\n".join(record))
    return path
