"""Data sets of tensorflow-datasets, offline, through the real `tfds.load`.

The prepared data sets here are STAND-INS. They have the names, versions, configurations and
features of the real ones, filled with a few paragraphs of the embedded corpus. They test the
loading; no figure taken from them says anything about lm1b, c4 or pg19.
"""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primeval.evaluators.data.corpus import Corpus, load_corpus
from primeval.evaluators.data.documents import SPLITS, embedded
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError

pytestmark = pytest.mark.tf

# Name, version, configuration and examples of each split: the layout of the true ones. Their
# features come from tfds's builders. The last two are our own.
STAND_INS: list[tuple[str, str, str | None, dict[str, int]]] = [
    ("lm1b", "1.1.0", None, {"train": 200, "test": 40}),
    ("c4", "3.1.0", "en", {"train": 100, "validation": 40}),
    ("pg19", "0.1.1", None, {"train": 30, "validation": 6, "test": 7}),
    ("wiki40b", "1.3.0", "en", {"train": 50, "validation": 8, "test": 9}),
    ("notes", "1.0.0", None, {"train": 100}),
    ("letters", "1.0.0", None, {"train": 100}),
]
OWN_FEATURES = {"notes": ("note",), "letters": ("sender", "letter")}
TEXT = ("text", "book_text", "note", "letter")


@functools.cache
def paragraphs() -> list[bytes]:
    chapters = [document.text for document in embedded("austen").documents()][:30]
    return [part for text in chapters for part in text.split(b"\n") if part]


def store(folder: Path, name: str, version: str, config: str | None, sizes: dict) -> None:
    """Prepare a stand-in, whose texts begin with the name of their split."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    if own := OWN_FEATURES.get(name):
        features = tfds.features.FeaturesDict({one: tfds.features.Text() for one in own})
    else:
        features = tfds.builder(f"{name}/{config}" if config else name).info.features
    splits = {}
    for start, (split, size) in enumerate(sizes.items()):
        texts = [b"%s: %s" % (split.encode(), one) for one in paragraphs()[start * 200 :]]
        values = {
            key: texts[:size] if key in TEXT else tf.zeros([size], one.tf_dtype)
            for key, one in features.items()
        }
        splits[split] = tf.data.Dataset.from_tensor_slices(values)
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        config=config,
        features=features,
        split_datasets=splits,
        data_dir=folder,
        disable_shuffling=True,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of stand-ins."""
    folder = tmp_path_factory.mktemp("tfds")
    for stand_in in STAND_INS:
        store(folder, *stand_in)
    return str(folder)


def load(name: str, prepared: str, **settings: Any) -> Corpus:
    return load_corpus(DataSettings(tfds=name, data_dir=prepared, **settings))


def documents(tokens: np.ndarray) -> list[bytes]:
    return tokens.astype(np.uint8).tobytes().split(b"\f")[:-1]


def origins(tokens: np.ndarray) -> set[bytes]:
    """The splits of the data set from which the documents came."""
    return {document.partition(b":")[0] for document in documents(tokens)}


@pytest.mark.parametrize(
    ("name", "validation", "counts"),
    [
        ("lm1b", b"test", (200, 20, 20)),
        ("lm1b:1.1.0", b"test", (200, 20, 20)),
        ("c4/en", b"validation", (100, 20, 20)),
        ("c4/en:3.1.0", b"validation", (100, 20, 20)),
        ("pg19", b"validation", (30, 6, 7)),
        ("wiki40b/en", b"validation", (50, 8, 9)),
        ("notes", b"train", (90, 5, 5)),
    ],
)
def test_text_and_splits_are_found(
    name: str, validation: bytes, counts: tuple[int, ...], prepared: str
) -> None:
    corpus = load(name, prepared)
    assert corpus.name == name
    assert origins(corpus.train) == {b"train"}
    assert origins(corpus.validation) == {validation}
    sets = [documents(getattr(corpus, split)) for split in SPLITS]
    assert tuple(map(len, sets)) == counts
    everything = [one for part in sets for one in part]
    assert len(set(everything)) == len(everything), "no example is in two splits"


def test_text_is_what_the_data_set_holds(prepared: str) -> None:
    found = {
        document.partition(b": ")[2] for document in documents(load("lm1b", prepared).train)
    }
    assert found == set(paragraphs()[:200])


def test_splits_and_feature_can_be_chosen(prepared: str) -> None:
    corpus = load(
        "letters",
        prepared,
        text_feature="letter",
        train_split="train[:50%]",
        validation_split="train[50%:60%]",
        test_split="train[60%:]",
    )
    assert [len(documents(getattr(corpus, split))) for split in SPLITS] == [50, 10, 40]


def test_examples_can_be_capped(prepared: str) -> None:
    corpus = load("lm1b", prepared, examples=100)
    assert [len(documents(getattr(corpus, split))) for split in SPLITS] == [100, 5, 5]
    assert documents(corpus.train) == documents(load("lm1b", prepared).train)[:100]


def test_sentencepiece_is_trained_on_a_data_set(prepared: str) -> None:
    corpus = load("lm1b", prepared, tokenizer="sentencepiece", vocabulary=400)
    in_bytes = load("lm1b", prepared)
    for split in SPLITS:
        size = getattr(corpus, split).size * corpus.bytes_per_token[split]
        assert size == pytest.approx(getattr(in_bytes, split).size)


def test_tokens_of_a_data_set_are_made_once(prepared: str) -> None:
    heard: list[str] = []
    settings = DataSettings(tfds="pg19", data_dir=prepared)
    load_corpus(settings, lambda what, done: heard.append(what))
    assert heard
    heard.clear()
    load_corpus(settings, lambda what, done: heard.append(what))
    assert heard == []


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("wiki40b/de", {}, r"'wiki40b/de' is not prepared.*tfds build wiki40b/de --data_dir"),
        ("lm1c", {}, r"knows no 'lm1c'.* Did you mean 'lm1b'"),
        ("note", {}, r"knows no 'note'.* Did you mean 'notes'"),
        ("c4/eng", {}, r"c4/eng.*Its configurations are .*en, "),
        (
            "lm1b:9.9.9",
            {},
            r"opened: Dataset lm1b .* version 9\.9\.9, only: 1\.1\.0",
        ),
        ("a b", {}, r"Write it as name/configuration:version"),
        ("letters", {}, r"not clear which is the text .*features are letter, sender"),
        (
            "letters",
            {"text_feature": "leter"},
            r"'leter' is not a text.* Did you mean 'letter'\?",
        ),
        ("lm1b", {"validation_split": "valid"}, r"validation_split: 'valid'.*has train, test"),
        ("lm1b", {"train_split": "train[:5%"}, r"train_split: 'train\[:5%'"),
        (
            "lm1b",
            {"train_split": "train[:0]"},
            r"'train\[:0\]' of lm1b/1\.1\.0 holds no example",
        ),
        (
            "lm1b",
            {"test_split": "train[:9]"},
            r"train_split and data\.test_split share examples",
        ),
    ],
)
def test_a_data_set_that_cannot_be_loaded_is_refused_at_once(
    name: str, settings: dict[str, Any], message: str, prepared: str
) -> None:
    start = time.monotonic()
    with pytest.raises(DataError, match=message):
        load(name, prepared, **settings)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("notes-train*", lambda data: data[:3000] + b"x" * 3000),
        ("notes-train*", lambda data: data[:3000]),
        ("notes-train*", lambda data: b""),
        ("dataset_info.json", lambda data: data[:100]),
        ("dataset_info.json", lambda data: b"\xff\xfe\0"),
        ("dataset_info.json", lambda data: b""),
    ],
)
def test_damaged_files_are_reported(
    name: str, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    store(tmp_path, "notes", "1.0.0", None, {"train": 100})
    (file,) = tmp_path.rglob(name)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=r"cannot be read: .* prepare it again") as caught:
        load("notes", str(tmp_path))
    assert "{{" not in str(caught.value), "nothing of TensorFlow's insides"


@pytest.mark.parametrize("name", ["lm1b", "pg19", "c4/en"])
def test_an_impossible_download_fails_at_once(name: str, tmp_path: Path) -> None:
    try:
        socket.create_connection(("www.statmt.org", 80), 5).close()
    except OSError:
        pass
    else:
        pytest.skip("there is a network here: this would fetch gigabytes")
    start = time.monotonic()
    with pytest.raises(DataError, match=r"cannot be downloaded|could not prepare"):
        load(name, str(tmp_path), download=True)
    assert time.monotonic() - start < 10


def test_a_data_set_is_prepared_where_download_allows_it(tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    class OwnText(tfds.core.GeneratorBasedBuilder):
        """A user's own data set; `tfds.load` finds it by its registered name."""

        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = tmp_path

        def _info(self) -> Any:
            features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
            return self.dataset_info_from_configs(features=features)

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict[str, bytes]]]:
            yield from ((key, {"text": one}) for key, one in enumerate(paragraphs()[:60]))

    assert OwnText.name == "own_text"
    with pytest.raises(DataError, match=r"set data\.download to true"):
        load("own_text", str(tmp_path))
    corpus = load("own_text", str(tmp_path), download=True)
    assert len(documents(corpus.train)) == 54
