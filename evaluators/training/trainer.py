"""A candidate in training: many steps inside one compiled call, and fixed validation.

One XLA program holds one loop, with the batches drawn inside it; how often it runs, and whether
it trains or validates, are arguments. So a candidate is compiled once, and its block only
once: validation is a step whose changes are dropped, which costs less than to compile a loop of
its own (LOG.md). The order of the data
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
from primeval.evaluators.data.corpus import Corpus
from primeval.evaluators.lowering.cpu_forms import FAST
from primeval.evaluators.lowering.model import LanguageModel
from primeval.evaluators.settings import TrainingSettings
from primeval.primitives.kernels import PLAIN

Tensor = Any

# Optimizers whose update of a weight depends on its shape, or on its norm.
SHAPED_OPTIMIZERS = frozenset({"adafactor", "lamb", "muon"})


class TokenTensors(NamedTuple):
    """A corpus on the device.

    Attributes:
        tokens: All training tokens, then the held-out windows one after the other.
        training: How many of them are for training.
    """

    tokens: Tensor
    training: int


def token_tensors(
    corpus: Corpus, split: str, settings: TrainingSettings, length: int
) -> TokenTensors:
    """Training tokens, and windows spread evenly over `split`, the same for everyone."""
    held_out = getattr(corpus, split)
    count = settings.validation_batches * settings.batch_size
    starts = np.linspace(0, len(held_out) - length - 1, count).astype(np.int64)
    windows = [np.asarray(held_out[start : start + length + 1]) for start in starts]
    training = np.asarray(corpus.train)
    return TokenTensors(tf.constant(np.concatenate([training, *windows])), len(training))


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
        on_cpu = not tf.config.list_physical_devices("GPU")
        forms = FAST if settings.jit and on_cpu else PLAIN
        self.model = LanguageModel(scale, cost, seed, forms, settings.precision)
        part = settings.batch_size // settings.accumulation
        self.model.build((part, scale.length))
        self.steps = 0
        self._data, self._data_seed = data, data_seed
        self._horizon = tf.Variable(1.0, trainable=False)
        shaped = settings.optimizer.lower() in SHAPED_OPTIMIZERS
        self._weights = PackedWeights(self.model.trainable_variables, flat=not shaped)
        self._optimizer = _optimizer(settings)
        self._optimizer.build(self._weights.variables)
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        self._run = tf.function(self._loop, jit_compile=settings.jit)

    def restart(self) -> None:
        """Forget all training: the weights and the optimizer as they were at first."""
        self._weights.reset()
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        self.steps = 0

    def starts_finite(self) -> bool:
        """Whether the first step has a loss and gradients that are finite; compiles nothing.

        True where that cannot be told: users' kernels may do without eager execution.
        """
        batch = self._batch(tf.constant(0), tf.constant(False))
        part = batch[: self.settings.batch_size // self.settings.accumulation]
        try:
            loss, gradients = self._gradients_of_part(part)
        except Exception:  # if it is the program's fault, its training says so
            return True
        return all(bool(tf.reduce_all(tf.math.is_finite(one))) for one in (loss, *gradients))

    def trace(self) -> None:
        """Write the loop down as TensorFlow's graph, which `compile` starts from."""
        number = tf.TensorSpec([], tf.int32)
        self._run.get_concrete_function(number, number, tf.TensorSpec([], tf.bool))

    def compile(self) -> None:
        """Compile; makes no step."""
        self._call(self.steps, self.steps, held_out=False)

    def plan(self, total_steps: int) -> None:
        """Say how long the training will be, for schedules that need to know."""
        self._horizon.assign(float(total_steps))

    def advance(self, steps: int) -> float:
        """Make training steps; their mean loss in nats per token.

        Stops at the first loss that is not finite, and returns it.
        """
        total, made = self._call(self.steps, self.steps + steps, held_out=False)
        self.steps += made
        return total / max(made, 1)

    def validate(self) -> float:
        """Loss on the held-out windows, in nats per token."""
        total, made = self._call(0, self.settings.validation_batches, held_out=True)
        return total / max(made, 1)

    def store_weights(self) -> None:
        """Copy what was learned into the model."""
        for variable, value in zip(
            self.model.trainable_variables, self._weights.unpacked(), strict=True
        ):
            variable.assign(value)

    def _call(self, first: int, last: int, held_out: bool) -> tuple[float, int]:
        """The sum of the losses, and how many there are."""
        total, made = self._run(tf.constant(first), tf.constant(last), tf.constant(held_out))
        return float(total), int(made) - first

    def _loop(self, first: Tensor, last: Tensor, held_out: Tensor) -> tuple[Tensor, Tensor]:
        """Steps `first` to `last`: of training, or of validation on the held-out batches."""
        made, total = tf.while_loop(
            lambda step, total: tf.logical_and(step < last, tf.math.is_finite(total)),
            lambda step, total: (step + 1, total + self._step(step, held_out)),
            (first, tf.constant(0.0)),
        )
        return total, made

    def _step(self, step: Tensor, held_out: Tensor) -> Tensor:
        variables = [*self._weights.variables, *self._optimizer.variables]
        before = [tf.identity(variable.value) for variable in variables]
        loss, gradients = self._gradients(self._batch(step, held_out))
        self._optimizer.learning_rate.assign(self._learning_rate(step))
        self._optimizer.apply(gradients, self._weights.variables)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(tf.where(held_out, value, variable.value))
        return loss

    def _gradients(self, windows: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The loss of a batch and its gradients, in as many parts as the settings say."""
        parts = self.settings.accumulation
        if parts == 1:
            return self._gradients_of_part(windows)
        windows = tf.reshape(windows, (parts, -1, windows.shape[1]))
        start = [tf.zeros_like(variable.value) for variable in self._weights.variables]

        def add(part: Tensor, total: Tensor, sums: list[Tensor]) -> tuple[Tensor, ...]:
            loss, gradients = self._gradients_of_part(windows[part])
            added = [one + other for one, other in zip(sums, gradients, strict=True)]
            return part + 1, total + loss, added

        _, total, sums = tf.while_loop(
            lambda part, total, sums: part < parts, add, (0, tf.constant(0.0), start)
        )
        return total / parts, [gradient / parts for gradient in sums]

    def _gradients_of_part(self, windows: Tensor) -> tuple[Tensor, list[Tensor]]:
        weights = self._weights.unpacked()
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = self._loss(weights, windows)
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        return loss, self._weights.packed(gradients)

    def _batch(self, step: Tensor, held_out: Tensor) -> Tensor:
        """Windows of the text, (batch, length + 1); a function of the step.

        For training anywhere in the training text, for validation the step's own.
        """
        batch, width = self.settings.batch_size, self.scale.length + 1
        drawn = tf.random.stateless_uniform(
            [batch],
            seed=tf.stack([self._data_seed, step]),
            minval=0,
            maxval=self._data.training - self.scale.length,
            dtype=tf.int32,
            alg="philox",
        )
        fixed = self._data.training + (step * batch + tf.range(batch)) * width
        starts = tf.where(held_out, fixed, drawn)
        windows = tf.gather(self._data.tokens, starts[:, None] + tf.range(width))
        return tf.cast(windows, tf.int32)

    def _loss(self, weights: list[Tensor], windows: Tensor) -> Tensor:
        logits, _ = self.model.stateless_call(weights, [], windows[:, :-1])
        logits = tf.cast(logits, tf.float32)
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
