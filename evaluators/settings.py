"""What a user may set about evaluation: frozen values, one class per section of the YAML.

`search/config/config.py` reads them, strictly, and composes them with the search's own
settings. Section `data:` is in `data_settings.py`. The sentences under `Attributes` are what
docs/configuration.md prints. Nothing here imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated

from primeval.dna.cost import Scale
from primeval.evaluators.budget import Budget
from primeval.evaluators.errors import SettingError
from primeval.evaluators.limits import Bytes, Count, Limit, Seconds, Settings

MAX_WIDEN_DENOMINATOR = 64  # 0.3333 is a third


@dataclass(frozen=True)
class ModelSettings(Settings):
    """The model around the evolved block. Exactly one of `parameters` and `width` is given.

    Attributes:
        layers: Number of blocks, one on top of the other.
        length: Length of a training sequence.
        parameters: Smallest and largest number of trainable parameters, embedding included. The
            widths of every candidate are scaled so that it falls into this window.
        width: Channels of the model, for all candidates alike, instead of a window.
        tied: Whether the output layer uses the transposed embedding as its weights.
        widen: Factor on the relative widths above the model's own: 2 gives the Transformer a
            feed-forward part 8 times as wide as the model instead of 4 times.
    """

    exclusive = ("parameters", "width")

    layers: Annotated[int, Limit(least=1, most=1000)] = 2
    length: Annotated[int, Limit(least=1, most=1_000_000, unit="tokens")] = 64
    parameters: tuple[Count, Count] | None = None
    width: Annotated[int, Limit(least=1, most=1_000_000, unit="channels")] | None = None
    tied: bool = True
    widen: Annotated[float, Limit(above=0, most=64)] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parameters and self.parameters[0] > self.parameters[1]:
            raise SettingError(
                "parameters",
                "parameters: the window is [smallest, largest]. "
                f"Received: {list(self.parameters)}.",
            )

    def scale(self, vocabulary: int) -> Scale:
        """The scale at which costs are counted, for a tokeniser of `vocabulary` tokens."""
        widen = Fraction(self.widen).limit_denominator(MAX_WIDEN_DENOMINATOR)
        return Scale(
            self.layers, vocabulary, self.length, self.parameters, self.width, self.tied, widen
        )


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """How a candidate is trained.

    Attributes:
        batch_size: Sequences per training step.
        optimizer: Name of a Keras optimizer.
        learning_rate: Peak of the learning rate.
        warmup_steps: Steps in which the learning rate rises linearly to its peak.
        schedule: The learning rate after warm-up: `rsqrt` falls with the reciprocal square root
            of the step, as the paper's, `cosine` falls to a tenth of the peak at the end of the
            budget.
        gradient_clip: Largest global norm of the gradients; 0 for no limit.
        validation_batches: Batches of held-out text that a loss is measured on, the same ones
            for every candidate.
        accumulation: Equal parts into which a batch is cut, whose gradients are added up: for
            batches that do not fit into memory at once.
        precision: Numbers to compute in. `mixed_bfloat16` (weights stay in float32) is faster
            where the hardware multiplies bfloat16, and slower elsewhere.
        jit: Whether XLA compiles the steps.
    """

    batch_size: Annotated[int, Limit(least=1, unit="sequences")] = 32
    optimizer: Annotated[
        str,
        Limit(choices=("adam", "adamw", "adafactor", "lion", "nadam", "rmsprop", "sgd")),
    ] = "adam"
    learning_rate: Annotated[float, Limit(above=0)] = 0.003
    warmup_steps: Annotated[int, Limit(least=0, unit="steps")] = 50
    schedule: Annotated[str, Limit(choices=("rsqrt", "cosine", "constant"))] = "rsqrt"
    gradient_clip: Annotated[float, Limit(least=0)] = 1.0
    validation_batches: Annotated[int, Limit(least=1, unit="batches")] = 8
    accumulation: Count = 1
    precision: Annotated[str, Limit(choices=("float32", "mixed_bfloat16"))] = "float32"
    jit: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size % self.accumulation:
            raise SettingError(
                "accumulation",
                f"accumulation: the batch is cut into equal parts, and {self.batch_size} "
                f"sequences are not divisible. Received: {self.accumulation}.",
            )


@dataclass(frozen=True)
class CandidateSettings(Settings):
    """What one candidate may use.

    Attributes:
        budget: How much it is trained, in exactly one unit: `{reference_steps: 300}`.
        timeout: Wall-clock time after which a candidate is given up as `timed_out`, compiling
            and measuring included.
        replicates: How often the first seed is trained, each time with other initial weights,
            to measure the noise: how large a difference must be to mean something. 1 measures
            none.
    """

    budget: Budget = field(default_factory=lambda: Budget("reference_steps", 300))
    timeout: Seconds = 600.0
    replicates: Annotated[int, Limit(least=1, most=1000, unit="trainings")] = 4


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What evaluates the candidates, and what a worker may use; cluster.md has examples.

    Attributes:
        evaluator: `ray` trains in worker processes, `local` in the driver's own process, `toy`
            scores the text of a program and trains nothing.
        count: Worker processes of `ray`; on a cluster at most that many, as room allows.
        threads: Cores of each worker.
        memory: Memory that a worker process may hold; a candidate that takes more ends as
            `out_of_memory`. By default an equal share of this machine's.
        gpus: GPUs of each worker, or the part of one: 0.25 lets four workers share a GPU.
        gpu_memory: GPU memory that a worker may take; by default it grows as needed.
        resources: Custom resources of the cluster that each worker takes, by name.
        recycle_after: Candidates after which a worker process is replaced, so that what
            compiled programs leave behind in memory does not add up.
        recycle_growth: Memory that a worker process may grow by after its start before it is
            replaced.
        retries: How often a candidate is submitted again when its worker is lost through no
            fault of the candidate: a machine died, or the process was killed from outside.
            After that it ends as `lost`.
        grace: Time that candidates in flight are given to finish at the first Ctrl-C. With 0
            they are abandoned, and `resume` submits them again.
        address: A Ray cluster to use, `host:port` (`auto` finds one); by default Ray is started
            on this machine.
        ship_code: Whether a cluster's workers receive this primeval as a wheel. If not, it must
            be installed on their machines.
    """

    evaluator: Annotated[str, Limit(choices=("ray", "local", "toy"))] = "ray"
    count: Annotated[int, Limit(least=1, most=100_000)] = 2
    threads: Annotated[int, Limit(least=1, most=1024)] = 1
    memory: Bytes | None = None
    gpus: Annotated[float, Limit(least=0, most=1024)] = 0.0
    gpu_memory: Bytes | None = None
    resources: Annotated[Mapping[str, float], Limit(above=0)] = field(default_factory=dict)
    recycle_after: Annotated[int, Limit(least=1, unit="candidates")] = 50
    recycle_growth: Bytes = 2 << 30
    retries: Annotated[int, Limit(least=0, most=1000)] = 3
    grace: Annotated[float, Limit(least=0, unit="seconds")] = 0.0
    address: str | None = None
    ship_code: bool = True
