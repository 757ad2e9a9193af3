"""Memory: a count of what training a program will need, and measures of what processes hold.

The count tells beforehand whether a model can fit; it is right to about a factor of two. What a
run really takes is measured.
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
LIBRARIES = 600 << 20  # bytes that a process holds after importing TensorFlow
# Copies of all parameters: the model's, the flat vector, its gradient in parts and in one
# piece, the optimizer's two moments, and the initial values that a restart puts back.
COPIES = 10
CGROUP = Path("/sys/fs/cgroup")


def counted_memory(cost: Cost, scale: Scale, training: TrainingSettings) -> int:
    """Bytes that a worker needs to train a program, without the tokens of the corpus.

    Every value of the block is kept for the backward pass. The logits are kept three times: as
    they are, as probabilities and as a gradient.

    Args:
        cost: The program at the scale.
        scale: The model around the block.
        training: The batch size, its parts and the precision.
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
    """Bytes that are free on this machine, or in the container that this process runs in."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (
            (CGROUP / name).read_text(encoding="ascii").strip()
            for name in ("memory.max", "memory.current")
        )
        return free if limit == "max" else min(free, int(limit) - int(used))
    except (OSError, ValueError):  # no container, or one without these files
        return free


def total_memory() -> int:
    """Bytes that this machine has, or the container that this process runs in."""
    total = int(psutil.virtual_memory().total)
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        return total if limit == "max" else min(total, int(limit))
    except (OSError, ValueError):  # no container, or one without these files
        return total


def gpu_count() -> int:
    """How many NVIDIA GPUs this machine has. Models on them use memory not counted here."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def peak_memory(process: int) -> int:
    """The most bytes that a process has held at once; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) << 10
    except (OSError, IndexError, ValueError):  # not Linux: use what it holds now
        return held_memory([process])


def held_memory(processes: Iterable[int]) -> int:
    """Bytes that processes hold now, all together; those that have ended hold none."""
    total = 0
    for process in processes:
        try:
            total += int(psutil.Process(process).memory_info().rss)
        except psutil.Error:
            continue
    return total


def descendants() -> set[int]:
    """Ids of the processes that this one has started, and of those that they have started."""
    return {child.pid for child in psutil.Process().children(recursive=True)}
