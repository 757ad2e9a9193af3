"""Memory: a count of what training a program will need, and measures of what processes hold.

The count tells beforehand whether a model can fit; it is right to about a factor of two. What a
run really takes is measured.
"""

from __future__ import annotations

import contextlib
import math
import re
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
    limit, used = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    return free if limit is None or used is None else min(free, limit - used)


def total_memory() -> int:
    """Bytes that this machine has, or the container that this process runs in."""
    total = int(psutil.virtual_memory().total)
    limit = _number(CGROUP / "memory.max")
    return total if limit is None else min(total, limit)


def _number(path: Path, label: str = "") -> int | None:
    """The number that follows a label in a file of the kernel's; None where there is none.

    There is none outside a container, in one without a limit, and on other systems than Linux.
    """
    with contextlib.suppress(OSError):
        text = path.read_text(encoding="utf-8", errors="replace")
        if found := re.search(rf"^{label}\s*(\d+)", text, re.MULTILINE):
            return int(found[1])
    return None


def gpu_count() -> int:
    """How many NVIDIA GPUs this machine has. Models on them use memory not counted here."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True
        )
        return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return 0


def peak_memory(process: int) -> int:
    """The most bytes that a process has held at once; 0 if it has ended."""
    kilobytes = _number(Path(f"/proc/{process}/status"), "VmHWM:")
    # not Linux: use what it holds now
    return held_memory([process]) if kilobytes is None else kilobytes << 10


def held_memory(processes: Iterable[int]) -> int:
    """Bytes that processes hold now, all together; those that have ended hold none."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += int(psutil.Process(process).memory_info().rss)
    return total


def kernel_kills() -> int:
    """How many processes the kernel has killed for lack of memory; 0 if that is unknown."""
    return _number(Path("/proc/vmstat"), "oom_kill") or 0


def descendants() -> set[int]:
    """Ids of the processes that this one has started, and of those that they have started."""
    return {child.pid for child in psutil.Process().children(recursive=True)}
