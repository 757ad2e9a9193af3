"""The learning rate of each step."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from primeval.evaluators.settings import TrainingSettings

Tensor = Any


class Schedule:
    """Linear warm-up, then `rsqrt`, `cosine` or `constant` (A.8: reciprocal square root).

    Args:
        settings: How to train: the peak of the learning rate, the warm-up and the schedule.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._settings = settings
        self._horizon = tf.Variable(1.0, trainable=False)

    def plan(self, total_steps: int) -> None:
        """Set how many steps the training will have; `cosine` depends on it."""
        self._horizon.assign(float(total_steps))

    def learning_rate(self, step: Tensor) -> Tensor:
        """The rate of a step, () float32, for its number from 0 on, () int32."""
        settings = self._settings
        step, warmup = tf.cast(step, tf.float32) + 1.0, float(max(settings.warmup_steps, 1))
        rising = tf.minimum(step / warmup, 1.0)
        if settings.schedule == "rsqrt":
            falling = tf.math.rsqrt(tf.maximum(step / warmup, 1.0))
        elif settings.schedule == "cosine":
            done = tf.clip_by_value(step / self._horizon, 0.0, 1.0)
            falling = 0.55 + 0.45 * tf.cos(math.pi * done)  # ends at a tenth
        else:
            falling = tf.constant(1.0)
        return settings.learning_rate * rising * falling
