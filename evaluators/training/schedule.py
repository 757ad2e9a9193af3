"""The learning rate of each step."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from primeval.evaluators.settings import TrainingSettings

Tensor = Any


def learning_rate(settings: TrainingSettings, step: Tensor, total_steps: Tensor) -> Tensor:
    """The rate of a step, () float32: it rises in the warm-up and then follows the schedule.

    The paper's schedule is `rsqrt`, the reciprocal square root of the step (A.8).

    Args:
        settings: How to train: the peak of the learning rate, the warm-up and the schedule.
        step: The step's number from 0 on, () int32.
        total_steps: How many steps the training has, () float32; only `cosine` depends on it.
    """
    step, warmup = tf.cast(step, tf.float32) + 1.0, float(max(settings.warmup_steps, 1))
    rising = tf.minimum(step / warmup, 1.0)
    if settings.schedule == "rsqrt":
        falling = tf.math.rsqrt(tf.maximum(step / warmup, 1.0))
    elif settings.schedule == "cosine":
        done = tf.clip_by_value(step / total_steps, 0.0, 1.0)
        falling = 0.55 + 0.45 * tf.cos(math.pi * done)  # ends at a tenth
    else:
        falling = tf.constant(1.0)
    return settings.learning_rate * rising * falling
