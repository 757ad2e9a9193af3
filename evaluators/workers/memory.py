"""Memory: what training a program will need, counted, and what processes have taken.

Counted figures are for knowing before trying that a model does not fit; they are right to
about a factor of two. What a run takes is measured.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psutil

from primeval.dna.cost import Cost, Scale, channels
from primeval.evaluators.settings import TrainingSettings

FLOAT = 4  # bytes
LIBRARIES = 600 << 20  # a process with TensorFlow, before it does anything
# Copies of all parameters: the model's, the flat vector, its gradient in parts and in one
# piece, two moments, and what a restart puts back of each.
COPIES = 10
CGROUP = Path("/sys/fs/cgroup")


def counted_memory(cost: Cost, scale: Scale, training: TrainingSettings) -> int:
    """Bytes that a worker needs to train a program, apart from the tokens of the corpus.

    Every value of the block is kept for the backward pass, and the logits three times: as
    they are, as probabilities and as a gradient.
    """
    block = sum(
        math.prod(node.over) * channels(node, cost.unit, scale.length)
        for node in cost.graph.nodes
    )
    per_token = scale.layers * block + 3 * scale.vocabulary
    tokens = training.batch_size * scale.length // training.accumulation
    size = FLOAT if training.precision == "float32" else FLOAT // 2
    return LIBRARIES + FLOAT * COPIES * cost.parameters + size * tokens * per_token


def free_memory() -> int:
    """Bytes that this machine, or the container we are in, has to give."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (
            (CGROUP / name).read_text(encoding="ascii").strip()
            for name in ("memory.max", "memory.current")
        )
        return free if limit == "max" else min(free, int(limit) - int(used))
    except (OSError, ValueError):  # no container, or not of this kind
        return free


def total_memory() -> int:
    """Bytes that this machine, or the container we are in, has at all."""
    total = int(psutil.virtual_memory().total)
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        return total if limit == "max" else min(total, int(limit))
    except (OSError, ValueError):  # no container, or not of this kind
        return total


def gpu_count() -> int:
    """NVIDIA's GPUs in this machine: models live in their memory, which is not counted here."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def peak_memory(process: int) -> int:
    """The most bytes that a process has held at once; 0 if it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) << 10
    except (OSError, IndexError, ValueError):  # no Linux: what it holds now
        return held_memory([process])


def held_memory(processes: Iterable[int]) -> int:
    """Bytes that processes hold now, those that are gone left out."""
    total = 0
    for process in processes:
        try:
            total += int(psutil.Process(process).memory_info().rss)
        except psutil.Error:
            continue
    return total


def descendants() -> set[int]:
    """Ids of the processes that this one has started, and of those that they have."""
    return {child.pid for child in psutil.Process().children(recursive=True)}
