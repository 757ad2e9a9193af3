"""What a user may set about evaluation: frozen values, one class per section of the YAML.

`search/config.py` reads them, strictly, and composes them with the search's own settings.
Nothing here imports TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from primeval.dna.cost import Scale
from primeval.evaluators.budget import Budget


@dataclass(frozen=True)
class ModelSettings:
    """The model around the evolved block.

    Attributes:
        layers: Blocks stacked.
        length: Positions of a training sequence.
        parameters: Window of trainable parameters, [smallest, largest], embedding included;
            the widths of every candidate are scaled into it.
        width: Channels of the model, instead of a window.
        tied: Whether the output layer is the embedding, transposed.
    """

    layers: int = 2
    length: int = 64
    parameters: tuple[int, int] | None = None
    width: int | None = None
    tied: bool = True

    def scale(self, vocabulary: int) -> Scale:
        """The scale at which costs are counted, for a tokeniser of so many tokens."""
        return Scale(
            self.layers, vocabulary, self.length, self.parameters, self.width, self.tied
        )


@dataclass(frozen=True)
class DataSettings:
    """The text to train on.

    Attributes:
        source: An embedded corpus (`austen`, `moby-dick`).
        files: Local text files instead of it.
        tfds: A data set of tensorflow-datasets instead of it (`lm1b`).
        tokenizer: `bytes`, or the path of a SentencePiece model.
        vocabulary: Tokens the tokeniser knows; bytes have 256.
    """

    source: str | None = None
    files: tuple[str, ...] = ()
    tfds: str | None = None
    tokenizer: str = "bytes"
    vocabulary: int = 256


@dataclass(frozen=True)
class TrainingSettings:
    """How a candidate is trained.

    Attributes:
        batch_size: Sequences per step.
        optimizer: Name of a Keras optimizer.
        learning_rate: Its peak.
        warmup_steps: Steps of linear warm-up, in the reference program's steps.
        schedule: `rsqrt` (reciprocal square root after warm-up), `cosine` or `constant`.
        gradient_clip: Largest global norm of the gradients; 0 for no limit.
        validation_batches: Held-out batches, the same for every candidate.
        jit: Whether steps are compiled by XLA.
    """

    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 0.003
    warmup_steps: int = 50
    schedule: str = "rsqrt"
    gradient_clip: float = 1.0
    validation_batches: int = 8
    jit: bool = True


@dataclass(frozen=True)
class CandidateSettings:
    """What one candidate may use.

    Attributes:
        budget: Its training; see `Budget`.
        timeout: Seconds of wall time after which it is given up.
    """

    budget: Budget = field(default_factory=lambda: Budget("reference_steps", 300))
    timeout: float = 600.0


@dataclass(frozen=True)
class WorkerSettings:
    """Who evaluates.

    Attributes:
        evaluator: `ray`, `local` or `toy`.
        count: Worker processes of `ray`.
        threads: Cores of each worker.
        recycle_after: Candidates after which a worker process is replaced, so that what
            compiled programs leave behind in memory does not add up.
        address: A Ray cluster to use (`auto` finds one); None starts Ray on this machine.
    """

    evaluator: str = "ray"
    count: int = 2
    threads: int = 1
    recycle_after: int = 50
    address: str | None = None


@dataclass(frozen=True)
class Task:
    """Everything an evaluator needs to know, besides the candidate.

    Attributes:
        reference: Text of the program that `reference_steps` are measured against.
        seed: Seed of the order of the data, equal for all candidates of a run.
    """

    model: ModelSettings
    data: DataSettings
    training: TrainingSettings
    candidate: CandidateSettings
    workers: WorkerSettings
    reference: str
    seed: int = 0
