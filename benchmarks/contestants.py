"""The processes of the step contest: each compiles a model and makes steps when asked.

`steps.py` starts the processes and decides which of them works at a time. A turn is a number
of steps; the answer is the time that they took. What counts is the CPU time of the process,
as in a worker's calibration; the wall time is given too.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed, seed_text
from primeval.search.config.config import load_config

BATCH, LENGTH, VOCABULARY = 32, 64, 256


@dataclass(frozen=True)
class Shape:
    """A model's size: width and layers, written 64x2."""

    width: int
    layers: int

    @classmethod
    def parse(cls, text: str) -> Shape:
        width, _, layers = text.partition("x")
        return cls(int(width), int(layers))

    def __str__(self) -> str:
        return f"{self.width}x{self.layers}"

    def window(self) -> tuple[int, int]:
        """The range of parameters, as wide around the Transformer's as in the laptop config."""
        scale = Scale(self.layers, VOCABULARY, LENGTH, width=self.width)
        parameters = measure(build_graph(load_seed("transformer")), scale).parameters
        return round(parameters * 5 / 6), round(parameters * 7 / 6)


class Entry(NamedTuple):
    """A contestant: a kind of model at a size."""

    name: str
    shape: Shape


class Turns:
    """A contestant's end of the connection to the process that keeps the time."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._began = (0.0, 0.0)

    def ready(self, name: str, shape: Shape, parameters: int) -> None:
        self._line.send((Entry(name, shape), parameters))

    def begin(self) -> tuple[Entry, int]:
        """Wait for a turn: an entry and a number of steps. Ends the process after the last."""
        try:
            entry, steps, core = self._line.recv()
        except EOFError:
            os._exit(0)  # there is no other way out of `fit`
        _pin(core)
        self._began = (time.process_time(), time.perf_counter())
        return entry, steps

    def end(self, loss: float = 0.0) -> None:
        """End the turn. Checks `loss`, as steps from a loss that is not finite cost nothing."""
        cpu, wall = time.process_time() - self._began[0], time.perf_counter() - self._began[1]
        if not math.isfinite(loss):
            raise RuntimeError("the training diverged")
        self._line.send((cpu, wall))


def _pin(core: int | None) -> None:
    """Keep all threads of this process on one core, where the system allows it."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        return
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), {core})


def run(kind: str, shapes: list[Shape], line: Connection, errors: Path) -> None:
    """The body of a contestant's process; its error output goes to the file `errors`."""
    os.setpgrp()  # so that the compilers that it starts end with it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(file, stream.fileno())
    CONTESTANTS[kind](Turns(line), shapes)


def _end_with_parent() -> None:
    """End this process when the parent ends, however that happens."""
    multiprocessing.parent_process().join()
    os.killpg(0, signal.SIGKILL)


def ours(turns: Turns, shapes: list[Shape]) -> None:
    """The decoded Transformer and Primer-EZ, trained as a search worker trains them."""
    from primeval.evaluators.runtime import limit_threads
    from primeval.evaluators.training.workbench import Workbench

    (shape,) = shapes
    low, high = shape.window()
    sets = [f"model.layers={shape.layers}", f"model.parameters=[{low}, {high}]"]
    sets += [
        "data.tokenizer=bytes",
        "data.vocabulary=256",
        "training.batch_size=32",
        "rungs=[]",
    ]
    task = load_config("laptop", sets).task(seed_text("transformer"))
    limit_threads(task.workers.threads)
    bench = Workbench(task)
    trainers = {}
    for name in ("transformer", "primer_ez"):
        cost = measure(build_graph(load_seed(name)), bench.scale)
        if cost.width != shape.width:
            raise RuntimeError(f"{name} is {cost.width} wide at {shape}")
        trainers[name] = bench.trainer(cost, seed=0)
        trainers[name].compile()
        trainers[name].advance(1)
        turns.ready(name, shape, cost.parameters)
    while True:
        entry, steps = turns.begin()
        turns.end(trainers[entry.name].advance(steps))


def keras_fit(turns: Turns, shapes: list[Shape]) -> None:
    """The model written by hand in Keras, inside one long `fit`."""
    import keras
    import tensorflow as tf
    from handwritten_keras import Transformer, train

    (shape,) = shapes
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = Transformer(shape.layers, shape.width, VOCABULARY, LENGTH)

    class Pause(keras.callbacks.Callback):
        """Waits between batches until it is the model's turn."""

        left = -1

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.left < 0:
                turns.ready("keras", shape, model.count_params())
                self.left = turns.begin()[1]
                return
            self.left -= 1
            if self.left == 0:
                turns.end(float(logs["loss"]))
                self.left = turns.begin()[1]

    train(model, windows(), BATCH, Pause())


def torch_eager(turns: Turns, shapes: list[Shape]) -> None:
    """The model written by hand in PyTorch, without compilation."""
    _torch(turns, shapes, "torch_eager")


def torch_compiled(turns: Turns, shapes: list[Shape]) -> None:
    """The same model through `torch.compile`."""
    os.nice(10)  # the others compile first, as only this one may be missing
    _torch(turns, shapes, "torch_compiled")


def _torch(turns: Turns, shapes: list[Shape], name: str) -> None:
    import torch
    from handwritten_torch import Training, Transformer

    torch.set_num_threads(1)
    torch.manual_seed(0)
    text = torch.from_numpy(windows()).long()
    trainings = {}
    for shape in shapes:
        model = Transformer(shape.layers, shape.width, VOCABULARY, LENGTH)
        training = Training(model, text, BATCH, compiled=name == "torch_compiled")
        training.advance(1)
        trainings[shape] = training
        turns.ready(name, shape, sum(weight.numel() for weight in model.parameters()))
    while True:
        entry, steps = turns.begin()
        turns.end(trainings[entry.shape].advance(steps))


def windows() -> np.ndarray:
    """The training text in windows of one token more than a length: (windows, length + 1)."""
    from primeval.evaluators.data.corpus import load_corpus
    from primeval.evaluators.data_settings import DataSettings

    tokens = load_corpus(DataSettings()).train
    count = (len(tokens) - 1) // LENGTH
    starts = np.arange(count)[:, None] * LENGTH
    return np.asarray(tokens[starts + np.arange(LENGTH + 1)]).astype(np.int32)


CONTESTANTS: dict[str, Callable[[Turns, list[Shape]], None]] = {
    "ours": ours,
    "keras": keras_fit,
    "torch_eager": torch_eager,
    "torch_compiled": torch_compiled,
}
