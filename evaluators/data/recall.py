"""`source: recall`: a task without text, which asks a model for what it has read before.

An example has pairs of a key and a value, each key once. Later some keys come again, and only
the prediction of their values counts. Programs that look back by content find the value; those
that see only what is nearby must guess.

A corpus is a row of examples, length + 1 tokens each, and windows start where examples do.
Token 0 is a blank, then come the keys, then the values. A value that counts is written as
value + vocabulary: so a mask needs no file of its own, and goes wherever the tokens go. Models
read a blank in its place (`training/batches.py`): otherwise they could guess by exclusion, as
values that have been answered do not come again.

CHOICE: two tasks. `mqar` is the multi-query associative recall of Zoology (arXiv 2312.04927):
first all pairs, then the queries, with blanks between them. Their distances are uniform, not
by a power law, so that few can be answered from nearby. `induction` is the noisy recall of MAD
(arXiv 2403.17844), of which the induction heads' task is the case of one pair: pairs at random
places among values without a key. A key is asked for once at most: the answer to the same
question is never to be found nearby. Values are distinct, as in Zoology.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from primeval.evaluators.data.cache import require_space, split_writers
from primeval.evaluators.data.documents import HELD_OUT, SPLITS, TRAIN
from primeval.evaluators.data.tokenizer import smallest_dtype
from primeval.evaluators.data_settings import (
    MQAR,
    RECALL,
    DataSettings,
    RecallSettings,
    places,
)
from primeval.evaluators.errors import DataError, SettingError

BLANK = 0  # the token that stands for nothing
AT_ONCE = 1 << 22  # numbers drawn at a time

Numbers = npt.NDArray[np.int64]


def recall_identity(settings: DataSettings, length: int) -> dict[str, object]:
    """Everything that decides the examples, as JSON values.

    Args:
        settings: Section `data:` of the configuration.
        length: Positions of a sequence.

    Raises:
        DataError: They do not fit into sequences of that length.
    """
    try:
        settings.require_room(length)
    except SettingError as error:
        raise DataError(str(error)) from error
    task = asdict(settings.recalled) | {"queries": settings.recalled.asked}
    return {RECALL: task, "length": length, "vocabulary": settings.vocabulary}


def write_recall(
    settings: DataSettings, length: int, progress: Callable[[str, float], None], folder: Path
) -> Mapping[str, Mapping[str, object]]:
    """Make the examples of all splits in a folder; returns the summaries of the splits.

    Args:
        settings: Section `data:` of the configuration.
        length: Positions of a sequence.
        progress: Called with what is being done, and the share that is done.
        folder: Receives the files, as the token cache has them.
    """
    recall, vocabulary = settings.recalled, settings.vocabulary
    dtype = smallest_dtype(2 * vocabulary)
    held_out = max(1, round(HELD_OUT * recall.examples))
    counts = {split: recall.examples if split == TRAIN else held_out for split in SPLITS}
    total, made, some = sum(counts.values()), 0, max(1, AT_ONCE // max(vocabulary, length))
    require_space(folder, total * (length + 1) * dtype.itemsize)
    with split_writers(folder, dtype) as writers:
        for number, (split, count) in enumerate(counts.items()):
            rng = np.random.default_rng((recall.seed, number))
            for start in range(0, count, some):
                progress(f"{RECALL}: making examples", made / total)
                few = min(some, count - start)
                rows = make_examples(recall, vocabulary, length, few, rng)
                writers[split].append(rows.astype(dtype).reshape(-1), 0)
                made += len(rows)
    progress(f"{RECALL}: making examples", 1.0)
    return {split: writer.summary() for split, writer in writers.items()}


def make_examples(
    settings: RecallSettings, vocabulary: int, length: int, count: int, rng: np.random.Generator
) -> Numbers:
    """Examples, (count, length + 1), in which values that count are value + vocabulary."""
    pairs, queries, room = settings.pairs, settings.asked, places(length)
    keys = (vocabulary - 1) // 2
    key = 1 + _distinct(rng, count, keys, pairs)
    value = 1 + keys + _distinct(rng, count, vocabulary - 1 - keys, pairs)
    asked = _distinct(rng, count, pairs, queries)
    rows: Numbers = np.zeros((count, length + 1), np.int64)
    if settings.task == MQAR:
        given = np.broadcast_to(np.arange(pairs), (count, pairs))
        again = pairs + _distinct(rng, count, room - pairs, queries)
    else:
        chosen = np.sort(_distinct(rng, count, room, pairs + queries), axis=1)
        given, again = chosen[:, :pairs], chosen[:, pairs:]
        rows[:] = rng.integers(1 + keys, vocabulary, rows.shape)
    for first, second, at in (
        (key, value, given),
        (_of(key, asked), _of(value, asked) + vocabulary, again),
    ):
        np.put_along_axis(rows, 2 * at, first, axis=1)
        np.put_along_axis(rows, 2 * at + 1, second, axis=1)
    return rows


def _distinct(rng: np.random.Generator, count: int, among: int, number: int) -> Any:
    """For each example, `number` different numbers below `among` in random order."""
    return rng.random((count, among)).argsort(axis=1)[:, :number]


def _of(values: Numbers, chosen: Numbers) -> Numbers:
    return np.take_along_axis(values, chosen, axis=1)
