"""The recall task: what its examples hold, that nothing gives the answers away, settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from primeval.evaluators.data.corpus import Corpus, load_corpus, require_batches
from primeval.evaluators.data.ladder import load_corpora
from primeval.evaluators.data.recall import BLANK
from primeval.evaluators.data_settings import DataSettings, RecallSettings
from primeval.evaluators.errors import DataError, SettingError
from primeval.evaluators.settings import ModelSettings, TrainingSettings

LENGTH, VOCABULARY, KEYS = 32, 20, 9  # tokens 1 to 9 are keys, 10 to 19 values


def corpus_of(length: int = LENGTH, **settings: object) -> Corpus:
    recall = RecallSettings(examples=200, **settings)  # type: ignore[arg-type]
    return load_corpus(settings_of(recall), length=length)


def settings_of(recall: RecallSettings | None = None) -> DataSettings:
    return DataSettings(source="recall", vocabulary=VOCABULARY, recall=recall)


def rows_of(corpus: Corpus, split: str = "train") -> np.ndarray:
    return np.asarray(getattr(corpus, split)).reshape(-1, corpus.example).astype(int)


@pytest.mark.parametrize("task", ["mqar", "induction"])
@pytest.mark.parametrize(
    ("length", "pairs", "queries"), [(32, 6, 4), (32, 8, 8), (31, 8, 8), (3, 1, 1)]
)
def test_the_value_after_a_key_is_the_one_that_counts_when_it_comes_again(
    task: str, length: int, pairs: int, queries: int
) -> None:
    rows = rows_of(corpus_of(length, task=task, pairs=pairs, queries=queries))
    assert rows.shape == (200, length + 1)
    for row in rows:
        at = [place for place, token in enumerate(row) if 1 <= token <= KEYS]
        asked = [place for place in at if row[place + 1] >= VOCABULARY]
        given = {row[place]: row[place + 1] for place in at if place not in asked}
        assert (len(given), len(asked)) == (pairs, queries)
        assert len(set(given.values())) == pairs
        assert max(place for place in at if place not in asked) < min(asked)
        assert len({row[place] for place in asked}) == queries
        for place in asked:
            assert row[place + 1] == given[row[place]] + VOCABULARY
        assert (row >= VOCABULARY).sum() == queries
        rest = np.delete(row, [*at, *(place + 1 for place in at)])
        assert all(token == BLANK if task == "mqar" else token > KEYS for token in rest)


def test_queries_are_anywhere_after_the_pairs() -> None:
    rows = rows_of(corpus_of(pairs=4, queries=2))
    places = np.nonzero(rows >= VOCABULARY)[1]
    assert set(places) == set(range(9, LENGTH, 2))


def test_splits_differ_and_follow_from_the_seed() -> None:
    first, other = corpus_of(), corpus_of(seed=1)
    assert len(rows_of(first, "validation")) == len(rows_of(first, "test")) == 10
    assert not np.array_equal(first.validation, first.test)
    assert not np.array_equal(first.train, other.train)
    assert np.array_equal(first.train, load_corpus(first_settings(), length=LENGTH).train)


def first_settings() -> DataSettings:
    return settings_of(RecallSettings(examples=200))


def test_there_are_no_bytes_without_text() -> None:
    assert corpus_of().bytes_per_token == {}


def test_every_length_has_examples_of_its_own_but_text_is_shared_by_all_lengths() -> None:
    from helpers.training import task

    for data, corpora in ((first_settings(), 2), (DataSettings(), 1)):
        one = replace(task(), data=data, model=ModelSettings(length=40, width=16))
        longer = replace(one, model=ModelSettings(length=48, width=16))
        found = load_corpora(replace(one, higher=(longer,)))
        assert len(set(map(id, found))) == corpora
    assert [one.example for one in found] == [0, 0]


def test_too_few_examples_are_refused_with_the_setting_that_makes_more() -> None:
    model, corpus = ModelSettings(length=LENGTH, width=8), corpus_of()
    require_batches(corpus, model, TrainingSettings(batch_size=5, validation_batches=2))
    with pytest.raises(DataError, match=r"it has 10 examples.* Raise data\.recall\.examples"):
        require_batches(corpus, model, TrainingSettings(batch_size=5, validation_batches=3))


def test_examples_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"take 31 tokens, and model\.length is 30"):
        corpus_of(30)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokenizer": "sentencepiece"}, "tokenizer is about text"),
        ({"test_source": "austen"}, "test_source is about text"),
        ({"vocabulary": 16}, "8 pairs need 8 keys, 8 values and a blank, at least 17"),
        ({"source": "austen", "recall": RecallSettings()}, "recall is the task of data.source"),
    ],
)
def test_settings_that_make_no_sense_with_recall_are_refused(
    settings: dict, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        DataSettings(**{"source": "recall", **settings})


def test_a_key_is_not_asked_for_twice() -> None:
    with pytest.raises(SettingError, match=r"there are 4 pairs\. Received: 5"):
        RecallSettings(pairs=4, queries=5)
