"""A candidate in training: many steps inside one compiled call, and fixed validation.

One XLA program holds the training loop (batches drawn inside it) and the validation loop;
how often each runs are arguments, so a candidate is compiled once. The order of the data
depends on the run's seed alone: all candidates see the same batches in the same order.
Weights live in one flat vector where the optimizer works element by element, which leaves
a third fewer kernels to compile. How much to train, and when to stop, is for `trial.py`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from primeval.dna.cost import Cost, Scale
from primeval.evaluators.data import Corpus
from primeval.evaluators.model import LanguageModel
from primeval.evaluators.fast_forms import FAST
from primeval.evaluators.settings import TrainingSettings
from primeval.primitives.kernels import PLAIN

Tensor = Any

# Optimizers whose update of a weight depends on its shape, or on its norm.
SHAPED_OPTIMIZERS = frozenset({"adafactor", "lamb", "muon"})


class TokenTensors(NamedTuple):
    """A corpus on the device.

    Attributes:
        train: All training tokens, (tokens,).
        validation: Held-out windows, (batches, batch, length + 1).
    """

    train: Tensor
    validation: Tensor


def token_tensors(
    corpus: Corpus, split: str, settings: TrainingSettings, length: int
) -> TokenTensors:
    """Training tokens, and windows spread evenly over `split`, the same for everyone."""
    held_out = getattr(corpus, split)
    count = settings.validation_batches * settings.batch_size
    starts = np.linspace(0, len(held_out) - length - 1, count).astype(np.int64)
    windows = np.stack([held_out[start : start + length + 1] for start in starts])
    shape = (settings.validation_batches, settings.batch_size, length + 1)
    return TokenTensors(
        tf.constant(np.asarray(corpus.train)),
        tf.constant(windows.reshape(shape).astype(np.int32)),
    )


class PackedWeights:
    """A model's weights, in one flat variable or in one each."""

    def __init__(self, weights: list[Any], flat: bool) -> None:
        self._shapes = [tuple(weight.shape) for weight in weights]
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self._flat = flat
        values = [weight.numpy() for weight in weights]
        if flat:
            values = [np.concatenate([value.reshape(-1) for value in values])]
        self.variables = [keras.Variable(value) for value in values]
        self._initial = values

    def reset(self) -> None:
        """Give the variables their first values again."""
        for variable, value in zip(self.variables, self._initial, strict=True):
            variable.assign(value)

    def unpacked(self) -> list[Tensor]:
        """The weights in their shapes."""
        if not self._flat:
            return [variable.value for variable in self.variables]
        parts = tf.split(self.variables[0].value, self._sizes)
        return [
            tf.reshape(part, shape) for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def packed(self, gradients: list[Tensor]) -> list[Tensor]:
        """Gradients of the weights as gradients of `variables`."""
        if not self._flat:
            return gradients
        return [tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)]


class Trainer:
    """One program's model, optimizer and compiled loop.

    Args:
        scale: The model around the block.
        cost: The program at that scale, as `measure` gives it.
        settings: How to train.
        data: Tokens on the device.
        seed: Seed of the weights.
        data_seed: Seed of the order of the data.
    """

    def __init__(
        self,
        scale: Scale,
        cost: Cost,
        settings: TrainingSettings,
        data: TokenTensors,
        seed: int,
        data_seed: int,
    ) -> None:
        self.settings, self.scale = settings, scale
        self.model = LanguageModel(scale, cost, seed, FAST if settings.jit else PLAIN)
        self.model.build((settings.batch_size, scale.length))
        self.steps = 0
        self._data, self._data_seed = data, data_seed
        self._horizon = tf.Variable(1.0, trainable=False)
        shaped = settings.optimizer.lower() in SHAPED_OPTIMIZERS
        self._weights = PackedWeights(self.model.trainable_variables, flat=not shaped)
        self._optimizer = _optimizer(settings)
        self._optimizer.build(self._weights.variables)
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        self._run = tf.function(self._loops, jit_compile=settings.jit)

    def restart(self) -> None:
        """Forget all training: the weights and the optimizer as they were at first."""
        self._weights.reset()
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        self.steps = 0

    def compile(self) -> None:
        """Trace and compile; makes no step."""
        self._call(0, validate=False)

    def plan(self, total_steps: int) -> None:
        """Say how long the training will be, for schedules that need to know."""
        self._horizon.assign(float(total_steps))

    def advance(self, steps: int) -> float:
        """Make training steps; their mean loss in nats per token.

        Stops at the first loss that is not finite, and returns it.
        """
        total, _, made = self._call(steps, validate=False)
        self.steps += steps
        return total / max(made, 1)

    def validate(self) -> float:
        """Loss on the held-out windows, in nats per token."""
        _, total, _ = self._call(0, validate=True)
        return total / self.settings.validation_batches

    def store_weights(self) -> None:
        """Copy what was learned into the model."""
        for variable, value in zip(
            self.model.trainable_variables, self._weights.unpacked(), strict=True
        ):
            variable.assign(value)

    def _call(self, steps: int, validate: bool) -> tuple[float, float, int]:
        batches = self.settings.validation_batches if validate else 0
        first, last, held_out = (
            tf.constant(number) for number in (self.steps, self.steps + steps, batches)
        )
        trained, validated, made = self._run(first, last, held_out)
        return float(trained), float(validated), int(made) - self.steps

    def _loops(self, first: Tensor, last: Tensor, batches: Tensor) -> tuple[Tensor, ...]:
        """`last - first` training steps, then validation on the first `batches` batches."""
        zero = tf.constant(0.0)
        made, trained = tf.while_loop(
            lambda step, total: tf.logical_and(step < last, tf.math.is_finite(total)),
            lambda step, total: (step + 1, total + self._step(step)),
            (first, zero),
        )
        weights = self._weights.unpacked()
        windows = self._data.validation
        _, validated = tf.while_loop(
            lambda batch, total: batch < batches,
            lambda batch, total: (batch + 1, total + self._loss(weights, windows[batch])),
            (tf.constant(0), zero),
        )
        return trained, validated, made

    def _step(self, step: Tensor) -> Tensor:
        weights = self._weights.unpacked()
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = self._loss(weights, self._batch(step))
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        self._optimizer.learning_rate.assign(self._learning_rate(step))
        self._optimizer.apply(self._weights.packed(gradients), self._weights.variables)
        return loss

    def _batch(self, step: Tensor) -> Tensor:
        """Random windows of the training text, (batch, length + 1); a function of the step."""
        starts = tf.random.stateless_uniform(
            [self.settings.batch_size],
            seed=tf.stack([self._data_seed, step]),
            minval=0,
            maxval=self._data.train.shape[0] - self.scale.length,
            dtype=tf.int32,
            alg="philox",
        )
        window = tf.range(self.scale.length + 1)
        return tf.cast(tf.gather(self._data.train, starts[:, None] + window), tf.int32)

    def _loss(self, weights: list[Tensor], windows: Tensor) -> Tensor:
        logits, _ = self.model.stateless_call(weights, [], windows[:, :-1])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(windows[:, 1:], logits)
        return tf.reduce_mean(losses)

    def _learning_rate(self, step: Tensor) -> Tensor:
        """The schedule (A.8: linear warm-up, then reciprocal square root)."""
        settings = self.settings
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


def _optimizer(settings: TrainingSettings) -> keras.optimizers.Optimizer:
    clip = settings.gradient_clip or None
    config = {"learning_rate": settings.learning_rate, "global_clipnorm": clip}
    identifier = {"class_name": settings.optimizer, "config": config}
    return keras.optimizers.get(identifier)
