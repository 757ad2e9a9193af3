"""Which windows of the text a step sees: drawn for training, fixed for validation.

The order of the training data depends on one seed and the step alone. So all candidates of a
run see the same batches in the same order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from primeval.evaluators.data.corpus import Corpus
from primeval.evaluators.data.recall import BLANK
from primeval.evaluators.settings import TrainingSettings

Tensor = Any


class Batches:
    """A corpus on the device, from which compiled code takes its batches.

    All training tokens come first, then the held-out windows one after the other; these are
    spread evenly over their split and are the same for every candidate. If the corpus is a row
    of examples, each window is one of them.

    Args:
        corpus: The tokens; it must hold enough of them (`require_batches`).
        split: The held-out split, `validation` or `test`.
        settings: How to train: sequences per batch, and batches of validation.
        length: Positions of a sequence.

    Attributes:
        partly: Whether only some of the targets count.
    """

    def __init__(
        self, corpus: Corpus, split: str, settings: TrainingSettings, length: int
    ) -> None:
        self._batch, self._length = settings.batch_size, length
        held_out = getattr(corpus, split)
        self.partly, self._vocabulary = corpus.example > 0, corpus.vocabulary
        self._stride = corpus.example or 1  # tokens from a place for a window to the next
        count = settings.validation_batches * settings.batch_size
        last = (len(held_out) - length - 1) // self._stride
        starts = np.linspace(0, last, count).astype(np.int64) * self._stride
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
            maxval=(self._training - self._length - 1) // self._stride + 1,
            dtype=tf.int32,
            alg="philox",
        )
        if self.partly:
            drawn *= self._stride
        fixed = self._training + (step * self._batch + tf.range(self._batch)) * width
        starts = tf.where(held_out, fixed, drawn)  # (batch,)
        windows = tf.gather(self._tokens, starts[:, None] + tf.range(width))
        return tf.cast(windows, tf.int32)

    def parts(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """What a model reads, and what it is to predict.

        Args:
            windows: Of `windows`, (batch, length + 1) int32.

        Returns:
            The tokens of the sequences and of their targets, (batch, length) int32; and whether
            a target counts, (batch, length) bool, or None if all of them do.
        """
        if not self.partly:
            return windows[:, :-1], windows[:, 1:], None
        counted = windows >= self._vocabulary
        tokens = tf.where(counted, BLANK, windows)
        return tokens[:, :-1], (windows % self._vocabulary)[:, 1:], counted[:, 1:]
