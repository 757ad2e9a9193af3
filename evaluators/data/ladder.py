"""The tokens of every rung of a task, made before anything trains on them."""

from __future__ import annotations

from primeval.evaluators.data.corpus import Corpus, Progress, load_corpus, require_batches
from primeval.evaluators.data_settings import RECALL, DataSettings
from primeval.evaluators.errors import DataError
from primeval.evaluators.task import Task


def load_corpora(task: Task, progress: Progress | None = None) -> tuple[Corpus, ...]:
    """The tokens of each rung; rungs with equal data settings share one corpus.

    Args:
        task: Has the rungs.
        progress: Called while tokens are made.

    Raises:
        DataError: As `load_corpus` and `require_batches`; the message names a higher rung.
    """
    opened: dict[tuple[DataSettings, int], Corpus] = {}
    found = []
    for rung in range(1, task.rungs + 1):
        one = task.on(rung)
        try:
            length = one.model.length if one.data.source == RECALL else 0  # no part of text
            if (one.data, length) not in opened:
                opened[one.data, length] = load_corpus(one.data, progress, length)
            found.append(opened[one.data, length])
            require_batches(found[-1], one.model, one.training, one.split)
        except DataError as error:
            if rung == 1:
                raise
            raise DataError(f"Rung {rung}: {error}") from error
    return tuple(found)
