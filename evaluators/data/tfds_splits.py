"""Which examples of a tfds data set make each split, and which of their features is the text.

The data set's own description decides this. Nothing here reads examples or imports tfds.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from primeval.evaluators.data.documents import HELD_OUT, SPLITS, TEST, TRAIN, VALIDATION
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError
from primeval.primitives.errors import did_you_mean

USUAL_FEATURES = ("text", "book_text")  # lm1b, c4, wiki40b and most others; pg19


def find_feature(features: Mapping[str, Any], asked: str | None, name: str) -> str:
    """The feature that holds the text: the one asked for, a usual one, or the only one.

    Args:
        features: The data set's features by name, as tfds describes them.
        asked: The setting `data.text_feature`.
        name: The data set's name, for messages.

    Raises:
        DataError: The feature asked for holds no text, or it is not clear which one does.
    """
    texts = sorted(  # the order of tfds changes from run to run
        key for key, one in features.items() if one.shape == () and one.tf_dtype == "string"
    )
    usual = [key for key in USUAL_FEATURES if key in texts]
    chosen = asked or (usual or texts or [""])[0]
    if chosen in texts and (asked or usual or len(texts) == 1):
        return chosen
    wrong = f"{asked!r} is not a text feature" if asked else "it is not clear which is the text"
    raise DataError(
        f"data.text_feature: {wrong} of {name!r}; its text features are "
        f"{', '.join(texts) or 'none: it is not a text data set'}."
        + (did_you_mean(asked or "", texts, 1) or " Set data.text_feature to one of them.")
    )


def choose_splits(available: list[str], settings: DataSettings) -> dict[str, str]:
    """The part of a data set that makes each of our splits, in tfds's notation.

    CHOICE: if a data set has one held-out split, as lm1b and c4 have, its first half is for
    validation and its second half for the test. If it has none, both are slices of its
    training split.

    Args:
        available: The data set's own splits.
        settings: Splits that the user chose, which come first.
    """
    own = [one for one in (VALIDATION, TEST) if one in available]
    chosen = SPLITS
    if len(own) == 1:
        chosen = (TRAIN, f"{own[0]}[:50%]", f"{own[0]}[50%:]")
    elif not own:
        first, second = round(100 * (1 - 2 * HELD_OUT)), round(100 * (1 - HELD_OUT))
        chosen = (f"train[:{first}%]", f"train[{first}%:{second}%]", f"train[{second}%:]")
    return {
        split: getattr(settings, f"{split}_split") or part
        for split, part in zip(SPLITS, chosen, strict=True)
    }


def count_examples(info: Any, spec: str, split: str, settings: DataSettings) -> int:
    """How many examples of a split are used; see `DataSettings.examples`.

    Args:
        info: The data set's description.
        spec: The part of it that makes the split, in tfds's notation.
        split: `train`, `validation` or `test`.
        settings: The largest number of examples.

    Raises:
        DataError: There is no such part, or it is empty.
    """
    try:
        count = int(info.splits[spec].num_examples)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"data.{split}_split: {spec!r} is not a part of {info.full_name}, which has "
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
    """Check that no example is in two splits.

    Args:
        info: The data set's description.
        specs: The part of it that makes each split, in tfds's notation.

    Raises:
        DataError: Two splits share examples.
    """
    for one, other in itertools.combinations(SPLITS, 2):
        pairs = itertools.product(_spans(info, specs[one]), _spans(info, specs[other]))
        if any(
            file == same and first.start < second.stop and second.start < first.stop
            for (file, first), (same, second) in pairs
        ):
            raise DataError(
                f"data.{one}_split and data.{other}_split share examples of {info.full_name}: "
                f"{specs[one]!r} and {specs[other]!r}. Set both, to parts that do not overlap."
            )


def _spans(info: Any, spec: str) -> list[tuple[str, range]]:
    """The examples of a part: each file with the range of its examples."""
    parts = info.splits[spec].file_instructions
    return [(one.filename, range(one.skip, one.skip + one.take)) for one in parts]
