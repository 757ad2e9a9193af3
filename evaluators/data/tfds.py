"""Data sets of tensorflow-datasets as a source of documents, read by the genuine `tfds.load`.

Only this file imports tensorflow-datasets. A prepared data set is read where it is. Nothing is
downloaded unless `data.download` allows it, and then only after its hosts have taken a
connection: without one, tfds would retry for minutes before it gives up (205 s for lm1b).
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import operator
import os
import re
import socket
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tensorflow as tf
import tensorflow_datasets as tfds

from primeval.evaluators.data.documents import SPLITS, Document, Source
from primeval.evaluators.data.tfds_splits import (
    check_disjoint,
    choose_splits,
    count_examples,
    find_feature,
)
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError
from primeval.primitives.errors import did_you_mean

ANSWER_WITHIN = 5.0  # seconds that a host may take to accept a connection
READ = 64  # examples read at a time; a book of pg19 can have megabytes

# tfds warns of every folder that it searches in vain; the errors here report what is missing
logging.getLogger("absl").setLevel(logging.ERROR)


def tfds_source(settings: DataSettings) -> Source:
    """A text data set as a source, with its splits as `choose_splits` gives them.

    Args:
        settings: Section `data:` of the configuration; `tfds` names the data set.

    Raises:
        DataError: There is no such data set, configuration, version, split or feature; or the
            data set is not prepared and cannot or must not be downloaded. When the documents
            are read: its files are damaged.
    """
    name = str(settings.tfds)
    if settings.data_dir is not None:
        settings = replace(settings, data_dir=os.path.expanduser(settings.data_dir))
    info = _prepared(name, settings).info
    feature = find_feature(info.features, settings.text_feature, name)
    specs = choose_splits(list(info.splits), settings)
    counts = {split: count_examples(info, specs[split], split, settings) for split in SPLITS}
    check_disjoint(info, specs)
    identity = {
        "tfds": info.full_name,
        "info": hashlib.sha256(info.as_json.encode()).hexdigest(),
        "folder": str(info.data_dir),
        "splits": specs,
        "examples": counts,
        "feature": feature,
    }
    documents = partial(_documents, settings, specs, counts, feature)
    return Source(name, identity, documents, _size(info, sum(counts.values())))


def _documents(
    settings: DataSettings, specs: dict[str, str], counts: dict[str, int], feature: str
) -> Iterator[Document]:
    """The texts of all splits in the order on disk as documents; empty ones are left out."""
    name, folder = settings.tfds, settings.data_dir
    once = tfds.ReadConfig(try_autocache=False)  # every split is read once
    read, total = 0, sum(counts.values())
    for split, spec in specs.items():
        dataset = tfds.load(name, split=spec, data_dir=folder, download=False, read_config=once)
        texts = dataset.take(counts[split]).map(operator.itemgetter(feature)).batch(READ)
        try:
            for text in itertools.chain.from_iterable(texts.prefetch(1).as_numpy_iterator()):
                read += 1
                if text:
                    yield Document(split, text, read / total)
        except tf.errors.OpError as error:
            raise DataError(
                f"data.tfds: split {spec!r} of {name!r} cannot be read: {_first_line(error)}. "
                "Its files are damaged or of another version: remove them and prepare it again."
            ) from error


def _size(info: Any, examples: int) -> int:
    """Bytes of `examples` examples, by the data set's average; 0 where that is unknown."""
    total = sum(int(split.num_examples) for split in info.splits.values())
    size = sum(int(split.num_bytes or 0) for split in info.splits.values())
    return size * examples // max(total, 1)


def _prepared(name: str, settings: DataSettings) -> Any:
    """The builder of a prepared data set; it is downloaded first if that is allowed.

    Raises:
        DataError: It is not prepared, and cannot or must not be downloaded.
    """
    builder = _builder(name, settings.data_dir)
    if builder.is_prepared():
        return builder
    more = ""
    if not settings.download:
        problem = f"{name!r} is not prepared: nothing is in {builder.data_dir}"
        more = ", or set data.download to true to fetch it here"
    elif silent := _unreachable(map(str, builder.url_infos or ())):
        problem = f"{name!r} cannot be downloaded: {silent} does not answer from this machine"
    else:
        try:
            tfds.load(name, data_dir=settings.data_dir, download=True)
        except Exception as error:  # tfds passes on errors of many libraries
            reason = f"{type(error).__name__}: {_first_line(error)}"
            problem = f"tensorflow-datasets could not prepare {name!r}: {reason}"
        else:
            return _builder(name, settings.data_dir)
    raise DataError(
        f"data.tfds: {problem}. Prepare it (`tfds build {name} --data_dir DIR`, where there is "
        f"a network) and set data.data_dir to DIR{more}."
    )


def _builder(name: str, data_dir: str | None) -> Any:
    """The builder of a data set, from local files alone.

    Raises:
        DataError: There is no such data set, or its files are damaged.
    """
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise DataError(_unknown(name, data_dir)) from error
    except ImportError as error:
        raise DataError(
            f"data.tfds: {name!r} needs a Python package that is missing: {error}. Install it."
        ) from error
    except Exception as error:  # tfds passes on errors of many libraries
        problem = f"the prepared files of {name!r} cannot be read"
        advice = "They are damaged: remove them, and prepare it again."
        named = isinstance(error, ValueError | AssertionError)
        if named and not isinstance(error, UnicodeError):
            problem = f"{name!r} cannot be opened"
            advice = (
                f"{_configurations(name)}Write it as name/configuration:version, such as "
                "c4/en:3.1.0; both may be left out."
            )
        message = f"data.tfds: {problem}: {_first_line(error)}. {advice}"
        raise DataError(message) from error


def _unknown(name: str, data_dir: str | None) -> str:
    """The message that there is no such data set, with similar names."""
    root = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    prepared = [one.name for one in root.iterdir() if one.is_dir()] if root.is_dir() else []
    known = [*prepared, *tfds.list_builders(with_community_datasets=False)]
    short = name.partition("/")[0].partition(":")[0].lower()
    hint = did_you_mean(short, dict.fromkeys(known))
    return (
        f"data.tfds: tensorflow-datasets {tfds.__version__} knows no {name!r}, and none is "
        f"prepared in {root}.{hint} `tfds.list_builders()` names those it knows."
    )


def _configurations(name: str) -> str:
    try:
        known = [*tfds.builder_cls(name.partition("/")[0].partition(":")[0]).builder_configs]
    except (ValueError, ImportError):
        return ""
    return f"Its configurations are {', '.join(known[:10])}. " if known else ""


def _first_line(error: Exception) -> str:
    """The first line of an error of tfds, without its origin and the lists that follow."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    line = re.sub(r"\{\{.*?\}\} | \[Op:.*", "", line)  # the place in TensorFlow
    return line.rpartition('}": ')[2].partition(" Here are")[0].strip().removesuffix(".")


def _unreachable(urls: Iterable[str]) -> str | None:
    """A host of these addresses that accepts no connection; None if all accept one.

    CHOICE: a data set that names no address is left to tfds, which fails at once without a
    network. With a proxy nothing is tried, since the hosts are then reached through it.
    """
    if urllib.request.getproxies():
        return None
    parts = [urlsplit(url) for url in urls]
    hosts = {(one.hostname or "", one.port or _PORTS.get(one.scheme, 443)) for one in parts}
    for host in sorted(hosts):
        try:
            socket.create_connection(host, ANSWER_WITHIN).close()
        except OSError:
            return host[0]
    return None


_PORTS = {"http": 80, "https": 443, "ftp": 21}
