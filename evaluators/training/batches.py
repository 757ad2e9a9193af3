"""Which windows of the text a step sees: drawn for training, fixed for validation.

The order of the training data depends on one seed and the step alone. So all candidates of a
run see the same batches in the same order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from primeval.evaluators.data.corpus import Corpus
from primeval.evaluators.settings import TrainingSettings

Tensor = Any


class Batches:
    """A corpus on the device, from which compiled code takes its batches.

    All training tokens come first, then the held-out windows one after the other; these are
    spread evenly over their split and are the same for every candidate.

    Args:
        corpus: The tokens; it must hold enough of them (`require_batches`).
        split: The held-out split, `validation` or `test`.
        settings: How to train: sequences per batch, and batches of validation.
        length: Positions of a sequence.
    """

    def __init__(
        self, corpus: Corpus, split: str, settings: TrainingSettings, length: int
    ) -> None:
        self._batch, self._length = settings.batch_size, length
        held_out = getattr(corpus, split)
        count = settings.validation_batches * settings.batch_size
        starts = np.linspace(0, len(held_out) - length - 1, count).astype(np.int64)
        windows = [np.asarray(held_out[start : start + length + 1]) for start in starts]
        training = np.asarray(corpus.train)
        self._training = len(training)  # tokens that are for training
        self._tokens = tf.constant(np.concatenate([training, *windows]))

    def windows(self, seed: int, step: Tensor, held_out: Tensor) -> Tensor:
        """The batch of a step: tokens, (batch, length + 1) int32.

        A window has one token more than a sequence, since each position predicts the next one.

        Args:
            seed: Seed of the order of the training data.
            step: The step, () int32. In validation it is the number of the held-out batch.
            held_out: Whether to validate, () bool.
        """
        width = self._length + 1
        drawn = tf.random.stateless_uniform(
            [self._batch],
            seed=tf.stack([seed, step]),
            minval=0,
            maxval=self._training - self._length,
            dtype=tf.int32,
            alg="philox",
        )
        fixed = self._training + (step * self._batch + tf.range(self._batch)) * width
        starts = tf.where(held_out, fixed, drawn)  # (batch,)
        windows = tf.gather(self._tokens, starts[:, None] + tf.range(width))
        return tf.cast(windows, tf.int32)
