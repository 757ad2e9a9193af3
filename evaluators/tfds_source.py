"""Data sets of tensorflow-datasets as a source of documents, read by the genuine `tfds.load`.

The only file that imports tensorflow-datasets. A data set that has been prepared is read
where it lies; nothing is fetched unless `data.download` says so, and then only after its
hosts have answered, since tfds would retry for minutes (205 s for lm1b).
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tensorflow as tf
import tensorflow_datasets as tfds

from primeval.evaluators.settings import DataSettings
from primeval.evaluators.texts import (
    HELD_OUT,
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    DataError,
    Document,
    Source,
)

USUAL_FEATURES = ("text", "book_text")  # lm1b, c4, wiki40b and most others; pg19
ANSWER_WITHIN = 5.0  # seconds
READ = 64  # examples at a time: a book of pg19 can have megabytes


def tfds_source(settings: DataSettings) -> Source:
    """A prepared text data set, its splits chosen; see `choose_splits`.

    Raises:
        DataError: There is no such data set, configuration, version, split or feature, or
            it is not prepared.
    """
    name = str(settings.tfds)
    if settings.data_dir is not None:
        settings = replace(settings, data_dir=os.path.expanduser(settings.data_dir))
    info = _prepared(name, settings).info
    feature = find_feature(info.features, settings.text_feature, name)
    specs = choose_splits(list(info.splits), settings)
    counts = {split: _count(info, specs[split], split, settings) for split in SPLITS}
    _check_disjoint(info, specs)
    identity = {
        "tfds": info.full_name,
        "info": hashlib.sha256(info.as_json.encode()).hexdigest(),
        "folder": str(info.data_dir),
        "splits": specs,
        "examples": counts,
        "feature": feature,
    }

    def documents() -> Iterator[Document]:
        read = 0
        for split in SPLITS:
            for text in _texts(settings, specs[split], counts[split], feature):
                read += 1
                if text:
                    yield Document(split, text, read / sum(counts.values()))

    return Source(name, identity, documents, _size(info, sum(counts.values())))


def _texts(settings: DataSettings, spec: str, count: int, feature: str) -> Iterator[bytes]:
    """The text of the first examples of a split, in the order in which they are kept."""
    dataset = tfds.load(
        settings.tfds,
        split=spec,
        data_dir=settings.data_dir,
        download=False,
        read_config=tfds.ReadConfig(try_autocache=False),  # it is read once
    )
    texts = dataset.take(count).map(lambda example: example[feature]).batch(READ).prefetch(1)
    try:
        for batch in texts.as_numpy_iterator():
            yield from batch.tolist()
    except tf.errors.OpError as error:
        raise DataError(
            f"data.tfds: split {spec!r} of {settings.tfds!r} cannot be read: "
            f"{_first_line(error)}. Its files are damaged or of another version: remove them "
            "and prepare it again."
        ) from error


def _size(info: Any, examples: int) -> int:
    """Bytes that so many examples take, at the data set's average; 0 where it is unknown."""
    total = sum(int(split.num_examples) for split in info.splits.values())
    size = sum(int(split.num_bytes or 0) for split in info.splits.values())
    return size * examples // max(total, 1)


def _prepared(name: str, settings: DataSettings) -> Any:
    """The builder of a data set that lies ready, after a download if that is allowed."""
    builder = _builder(name, settings.data_dir)
    if builder.is_prepared():
        return builder
    if not settings.download:
        raise DataError(
            f"data.tfds: {name!r} is not prepared: nothing lies in {builder.data_dir}. "
            f"{_ADVICE.format(name=name)}, or set data.download to true to fetch it here."
        )
    if silent := _unreachable([str(url) for url in builder.url_infos or ()]):
        raise DataError(
            f"data.tfds: {name!r} cannot be downloaded: {silent} does not answer from this "
            f"machine. {_ADVICE.format(name=name)}."
        )
    try:
        tfds.load(name, data_dir=settings.data_dir, download=True)
    except Exception as error:  # tfds passes on errors of any kind from its many parts
        raise DataError(
            f"data.tfds: tensorflow-datasets could not prepare {name!r}: "
            f"{type(error).__name__}: {_first_line(error)}. {_ADVICE.format(name=name)}."
        ) from error
    return _builder(name, settings.data_dir)


_ADVICE = (
    "Prepare it (`tfds build {name} --data_dir DIR`, where there is a network) and set "
    "data.data_dir to DIR"
)


def _builder(name: str, data_dir: str | None) -> Any:
    """The builder of a data set. Opens nothing but local files."""
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise DataError(_unknown(name, data_dir)) from error
    except ImportError as error:
        raise DataError(
            f"data.tfds: {name!r} needs a Python package that is missing: {error}. Install it."
        ) from error
    except (ValueError, AssertionError) as error:
        raise DataError(
            f"data.tfds: {name!r} cannot be opened: {_first_line(error)}. "
            f"{_configurations(name)}Write it as name/configuration:version, such as "
            "c4/en:3.1.0; both may be left out."
        ) from error


def _unknown(name: str, data_dir: str | None) -> str:
    """Says that there is no such data set, and which have a name like it."""
    root = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    prepared = [one.name for one in root.iterdir() if one.is_dir()] if root.is_dir() else []
    known = [*prepared, *tfds.list_builders(with_community_datasets=False)]
    short = name.partition("/")[0].partition(":")[0].lower()
    near = list(dict.fromkeys(difflib.get_close_matches(short, known, n=3)))
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
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
    """An error of tfds without how it came to it, and without the lists that follow."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line.rpartition('}": ')[2].partition(" Here are")[0].strip().removesuffix(".")


def _unreachable(urls: list[str]) -> str | None:
    """A host of these addresses that does not take a connection; None where all do.

    CHOICE: data sets that tell no address are left to tfds, which gives up on them at once;
    and with a proxy nothing is tried, since the hosts are then reached through it.
    """
    if urllib.request.getproxies():
        return None
    parts = [urlsplit(url) for url in urls]
    hosts = {(one.hostname or "", one.port or _PORTS.get(one.scheme, 443)) for one in parts}
    answered: set[tuple[str, int]] = set()

    def connect(host: tuple[str, int]) -> None:
        try:
            with socket.create_connection(host, timeout=ANSWER_WITHIN):
                answered.add(host)
        except OSError:
            return

    threads = [threading.Thread(target=connect, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:  # daemons: a name server that hangs must not hold us up
        thread.join(ANSWER_WITHIN)
    return min((name for name, _ in hosts - answered), default=None)


_PORTS = {"http": 80, "https": 443, "ftp": 21}


def find_feature(features: Mapping[str, Any], asked: str | None, name: str) -> str:
    """The feature that holds the text: the one asked for, a usual one, or the only one."""
    texts = sorted(  # tfds gives features in an order that changes from run to run
        key for key, one in features.items() if one.shape == () and one.tf_dtype == tf.string
    )
    if asked is not None and asked in texts:
        return asked
    usual = [key for key in (*USUAL_FEATURES, *texts) if key in texts]
    if asked is None and (len(texts) == 1 or (usual[:1] and usual[0] in USUAL_FEATURES)):
        return usual[0]
    wrong = f"{asked!r} is not a text feature" if asked else "it is not clear which is the text"
    near = difflib.get_close_matches(asked or "", texts, n=1)
    raise DataError(
        f"data.text_feature: {wrong} of {name!r}; its text features are "
        f"{', '.join(texts) or 'none: it is not a text data set'}."
        + (f" Did you mean {near[0]}?" if near else " Set data.text_feature to one of them.")
    )


def choose_splits(available: list[str], settings: DataSettings) -> dict[str, str]:
    """Which part of the data set is which split, in tfds's notation.

    CHOICE: a data set with one held-out split, as lm1b and c4 have it, gives its first half
    for validation and its second for the test; one with none, slices of its training split.
    """
    own = [one for one in (VALIDATION, TEST) if one in available]
    chosen = {TRAIN: TRAIN, VALIDATION: VALIDATION, TEST: TEST}
    if len(own) == 1:
        chosen = {TRAIN: TRAIN, VALIDATION: f"{own[0]}[:50%]", TEST: f"{own[0]}[50%:]"}
    elif not own:
        first, second = round(100 * (1 - 2 * HELD_OUT)), round(100 * (1 - HELD_OUT))
        chosen = {
            TRAIN: f"train[:{first}%]",
            VALIDATION: f"train[{first}%:{second}%]",
            TEST: f"train[{second}%:]",
        }
    asked = {split: getattr(settings, f"{split}_split") for split in SPLITS}
    return {split: asked[split] or chosen[split] for split in SPLITS}


def _count(info: Any, spec: str, split: str, settings: DataSettings) -> int:
    """Examples of a split that are used; see `DataSettings.examples`."""
    try:
        count = int(info.splits[spec].num_examples)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"data.{split}_split: {spec!r} is no part of {info.full_name}, which has "
            f"{', '.join(info.splits)}. Name one of them, sliced if you like: train[:90%]."
        ) from error
    if count == 0:
        raise DataError(
            f"data.{split}_split: {spec!r} of {info.full_name} holds no example. "
            "Name a larger part."
        )
    if settings.examples is None:
        return count
    share = 1.0 if split == TRAIN else HELD_OUT
    return min(count, max(1, round(settings.examples * share)))


def _check_disjoint(info: Any, specs: Mapping[str, str]) -> None:
    """No example may be in two splits: raises DataError."""
    for one, other in itertools.combinations(SPLITS, 2):
        pairs = itertools.product(_spans(info, specs[one]), _spans(info, specs[other]))
        for first, second in pairs:
            if first[0] == second[0] and first[1] < second[2] and second[1] < first[2]:
                raise DataError(
                    f"data.{one}_split and data.{other}_split share examples of "
                    f"{info.full_name}: {specs[one]!r} and {specs[other]!r}. Set both, "
                    "to parts that do not overlap."
                )


def _spans(info: Any, spec: str) -> list[tuple[str, int, int]]:
    """The examples of a split: file, first and one past the last."""
    return [
        (
            one.filename,
            one.skip,
            one.skip + (one.take if one.take >= 0 else one.examples_in_shard),
        )
        for one in info.splits[spec].file_instructions
    ]
