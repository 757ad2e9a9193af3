"""A candidate in training: many steps inside one compiled call, and fixed validation.

One XLA program holds one loop, which draws its batches itself. How many steps it makes, and
whether it trains or validates, are arguments. So a candidate is compiled once, and its block is
compiled once: validation is a training step whose changes are dropped, which costs less than
compiling a second loop (LOG.md). How much to train, and when to stop, is for `trial.py`.
"""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from primeval.dna.cost import Cost, Scale
from primeval.evaluators.lowering.cpu_forms import FAST
from primeval.evaluators.lowering.model import LanguageModel
from primeval.evaluators.settings import TrainingSettings
from primeval.evaluators.training.batches import Batches
from primeval.evaluators.training.packed_weights import PackedWeights
from primeval.evaluators.training.schedule import learning_rate
from primeval.primitives.kernels import PLAIN

Tensor = Any

# Optimizers whose update of a weight depends on its shape, or on its norm.
SHAPED_OPTIMIZERS = frozenset({"adafactor", "lamb", "muon"})


class Trainer:
    """One program's model, optimizer and compiled loop.

    Args:
        scale: The model around the block.
        cost: The program at that scale, as `measure` gives it.
        settings: How to train.
        batches: The data, on the device.
        seed: Seed of the weights.
        data_seed: Seed of the order of the data.

    Attributes:
        model: Holds the weights of the start until `store_weights` copies the trained ones.
        steps: Training steps made so far.
        step_seconds: Wall time of the fastest step so far; infinite before there was one.
        accuracy: Share of the targets that got the largest logit in the last validation; None
            before there was one, and where all targets count.
    """

    def __init__(
        self,
        scale: Scale,
        cost: Cost,
        settings: TrainingSettings,
        batches: Batches,
        seed: int,
        data_seed: int,
    ) -> None:
        self.settings = settings
        on_cpu = not tf.config.list_physical_devices("GPU")
        forms = FAST if settings.jit and on_cpu else PLAIN
        self.model = LanguageModel(scale, cost, seed, forms, settings.precision)
        part = settings.batch_size // settings.accumulation
        self.model.build((part, scale.length))
        self.steps, self.step_seconds = 0, math.inf
        self.accuracy: float | None = None
        self._batch = partial(batches.windows, data_seed)  # of a step
        self._parts, self._partly = batches.parts, batches.partly
        self._right = tf.Variable(0.0, trainable=False)  # shares of batches, added up
        self._total_steps = tf.Variable(1.0, trainable=False)
        shaped = settings.optimizer.lower() in SHAPED_OPTIMIZERS
        self._weights = PackedWeights(self.model.trainable_variables, flat=not shaped)
        self._optimizer = _optimizer(settings)
        self._optimizer.build(self._weights.variables)
        self._changing = [*self._weights.variables, *self._optimizer.variables]
        self._fresh = [variable.numpy() for variable in self._changing]
        self._run = tf.function(self._loop, jit_compile=settings.jit)

    def restart(self) -> None:
        """Set the weights and the optimizer back to how they were before the first step."""
        for variable, value in zip(self._changing, self._fresh, strict=True):
            variable.assign(value)
        self.steps = 0

    def starts_finite(self) -> bool:
        """Whether the first step has a finite loss and finite gradients; compiles nothing.

        True where that cannot be found out: users' kernels need not work eagerly.
        """
        batch = self._batch(tf.constant(0), tf.constant(False))
        part = batch[: self.settings.batch_size // self.settings.accumulation]
        try:
            loss, gradients = self._gradients_of_part(part)
        except Exception:  # if the program is at fault, its training will report it
            return True
        return all(bool(tf.reduce_all(tf.math.is_finite(one))) for one in (loss, *gradients))

    def trace(self) -> None:
        """Trace the loop into a TensorFlow graph, from which `compile` starts."""
        number = tf.TensorSpec([], tf.int32)
        self._run.get_concrete_function(number, number, tf.TensorSpec([], tf.bool))

    def compile(self) -> None:
        """Compile the loop without making a step."""
        self._call(self.steps, self.steps, held_out=False)

    def plan(self, total_steps: int) -> None:
        """Set how many steps the training will have, for schedules that depend on it."""
        self._total_steps.assign(float(total_steps))

    def advance(self, steps: int) -> float:
        """Make training steps; their mean loss in nats per token.

        Stops at the first loss that is not finite, and returns a mean that is not finite.
        """
        start = time.perf_counter()
        total, made = self._call(self.steps, self.steps + steps, held_out=False)
        seconds = (time.perf_counter() - start) / max(made, 1)
        self.steps, self.step_seconds = self.steps + made, min(self.step_seconds, seconds)
        return total / max(made, 1)

    def validate(self) -> float:
        """The mean loss on the held-out windows, in nats per token."""
        self._right.assign(0.0)
        total, made = self._call(0, self.settings.validation_batches, held_out=True)
        if self._partly:
            self.accuracy = float(self._right) / max(made, 1)
        return total / max(made, 1)

    def store_weights(self) -> None:
        """Copy the trained weights into the model."""
        for variable, value in zip(
            self.model.trainable_variables, self._weights.unpacked(), strict=True
        ):
            variable.assign(value)

    def _call(self, first: int, last: int, held_out: bool) -> tuple[float, int]:
        """The sum of the losses of steps `first` to `last` - 1, and how many were made."""
        total, made = self._run(tf.constant(first), tf.constant(last), tf.constant(held_out))
        return float(total), int(made) - first

    def _loop(self, first: Tensor, last: Tensor, held_out: Tensor) -> tuple[Tensor, Tensor]:
        """The compiled loop: training, or validation on the held-out batches.

        Args:
            first: Number of the first step, () int32.
            last: Number of the step to stop before, () int32.
            held_out: Whether to validate, () bool.

        Returns:
            The sum of the losses, () float32, and the number of the next step, () int32.
        """
        made, total = tf.while_loop(
            lambda step, total: tf.logical_and(step < last, tf.math.is_finite(total)),
            lambda step, total: (step + 1, total + self._step(step, held_out)),
            (first, tf.constant(0.0)),
        )
        return total, made

    def _step(self, step: Tensor, held_out: Tensor) -> Tensor:
        before = [tf.identity(variable.value) for variable in self._changing]
        loss, gradients = self._gradients(self._batch(step, held_out))
        rate = learning_rate(self.settings, step, self._total_steps)
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply(gradients, self._weights.variables)
        for variable, value in zip(self._changing, before, strict=True):
            variable.assign(tf.where(held_out, value, variable.value))
        return loss

    def _gradients(self, windows: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The mean loss of (batch, length + 1) tokens, and its gradients.

        The batch is cut into `accumulation` parts, and the gradients of the parts are averaged.
        """
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

    def _loss(self, weights: list[Tensor], windows: Tensor) -> Tensor:
        """The mean cross-entropy, () float32, of predicting each next token that counts."""
        tokens, targets, counted = self._parts(windows)
        logits, _ = self.model.stateless_call(weights, [], tokens)
        logits = tf.cast(logits, tf.float32)  # (batch, length, vocabulary)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        if counted is None:
            return tf.reduce_mean(losses)
        right = tf.argmax(logits, -1, tf.int32) == targets
        self._right.assign_add(_mean(right, counted) / self.settings.accumulation)
        return _mean(losses, counted)


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """The mean of the values that count, () float32; takes (batch, length) of both."""
    weights = tf.cast(counted, tf.float32)
    return tf.reduce_sum(tf.cast(values, tf.float32) * weights) / tf.reduce_sum(weights)


def _optimizer(settings: TrainingSettings) -> keras.optimizers.Optimizer:
    clip = settings.gradient_clip or None
    config = {"learning_rate": settings.learning_rate, "global_clipnorm": clip}
    identifier = {"class_name": settings.optimizer, "config": config}
    return keras.optimizers.get(identifier)
