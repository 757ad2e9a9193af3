"""Which examples of a tfds data set are trained on, and which of their features is the text.

Decided from what the data set says of itself; nothing here reads it, or imports its library.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from primeval.evaluators.data.documents import HELD_OUT, SPLITS, TEST, TRAIN, VALIDATION
from primeval.evaluators.errors import DataError
from primeval.evaluators.settings import DataSettings
from primeval.primitives.errors import did_you_mean

USUAL_FEATURES = ("text", "book_text")  # lm1b, c4, wiki40b and most others; pg19


def find_feature(features: Mapping[str, Any], asked: str | None, name: str) -> str:
    """The feature that holds the text: the one asked for, a usual one, or the only one."""
    texts = sorted(  # tfds gives features in an order that changes from run to run
        key for key, one in features.items() if one.shape == () and one.tf_dtype == "string"
    )
    if asked is not None and asked in texts:
        return asked
    usual = [key for key in (*USUAL_FEATURES, *texts) if key in texts]
    if asked is None and (len(texts) == 1 or (usual[:1] and usual[0] in USUAL_FEATURES)):
        return usual[0]
    wrong = f"{asked!r} is not a text feature" if asked else "it is not clear which is the text"
    raise DataError(
        f"data.text_feature: {wrong} of {name!r}; its text features are "
        f"{', '.join(texts) or 'none: it is not a text data set'}."
        + (did_you_mean(asked or "", texts, 1) or " Set data.text_feature to one of them.")
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


def count_examples(info: Any, spec: str, split: str, settings: DataSettings) -> int:
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


def check_disjoint(info: Any, specs: Mapping[str, str]) -> None:
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
