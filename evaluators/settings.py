"""What a user may set about evaluation: frozen values, one class per section of the YAML.

`search/config/config.py` reads them, strictly, and composes them with the search's own
settings. Nothing here imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from primeval.dna.cost import Scale
from primeval.evaluators.budget import Budget
from primeval.evaluators.errors import DataError

MAX_WIDEN_DENOMINATOR = 64  # 0.3333 is a third

EMBEDDED = ("austen", "moby-dick")  # corpora that come with primeval


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
        widen: Factor on the relative widths above the model's own: 2 gives the Transformer a
            feed-forward part 8 times as wide as the model instead of 4 times.
    """

    layers: int = 2
    length: int = 64
    parameters: tuple[int, int] | None = None
    width: int | None = None
    tied: bool = True
    widen: float = 1.0

    def scale(self, vocabulary: int) -> Scale:
        """The scale at which costs are counted, for a tokeniser of so many tokens."""
        widen = Fraction(self.widen).limit_denominator(MAX_WIDEN_DENOMINATOR)
        return Scale(
            self.layers, vocabulary, self.length, self.parameters, self.width, self.tied, widen
        )


@dataclass(frozen=True)
class DataSettings:
    """The text to train on: `source`, `files` or `tfds`; `source: austen` if none is given.

    Attributes:
        source: An embedded corpus: `austen` or `moby-dick`.
        files: Local text files in UTF-8, plain or .gz, .xz, .bz2; patterns such as
            `books/**/*.txt` too. Relative paths start at the current folder.
        tfds: A text data set of tensorflow-datasets, as it is written there: `lm1b`,
            `c4/en`, `pg19:0.1.1`.
        data_dir: Folder of prepared tfds data sets; None for tfds's own.
        download: Whether a tfds data set that is not prepared may be downloaded.
        text_feature: Feature of a tfds data set that holds the text; None finds it.
        train_split: Split of a tfds data set to train on, slices too (`train[:90%]`).
        validation_split: Split to compare candidates on; None for the data set's own, or
            5 % of the training split where it has none.
        test_split: Split of the final figures; None likewise.
        examples: Examples of a tfds data set to train on at most; a twentieth as many are
            used of each other split. None for all.
        test_source: An embedded corpus whose whole text is the test split instead: text of
            another author, never trained on.
        tokenizer: `bytes`, `sentencepiece` (trained on the training split), or the path of
            a SentencePiece .model file.
        vocabulary: Tokens the tokeniser knows: 256 for bytes; for a .model file, what it
            knows.
        cache_dir: Folder in which tokens are kept, shared by all workers and runs; None for
            $PRIMEVAL_CACHE, or ~/.cache/primeval.
    """

    source: str | None = None
    files: tuple[str, ...] = ()
    tfds: str | None = None
    data_dir: str | None = None
    download: bool = False
    text_feature: str | None = None
    train_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    examples: int | None = None
    test_source: str | None = None
    tokenizer: str = "bytes"
    vocabulary: int = 256
    cache_dir: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("source", "files", "tfds") if getattr(self, name)]
        if len(given) > 1:
            raise DataError(
                f"data: {' and '.join(given)} exclude each other. Keep one of them."
            )
        for name in ("source", "test_source"):
            if (corpus := getattr(self, name)) not in (None, *EMBEDDED):
                raise DataError(
                    f"data.{name}: there is no embedded corpus {corpus!r}. "
                    f"Choose {' or '.join(EMBEDDED)}; for other text: data.files, data.tfds."
                )
        if isinstance(self.files, str):
            raise DataError(f"data.files is a list: [{self.files}], not {self.files}.")
        for name in ("vocabulary", "examples"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise DataError(f"data.{name} must be at least 1, not {number}.")
        belongs = [name for name in _OF_TFDS if getattr(self, name)]
        if belongs and not self.tfds:
            raise DataError(
                f"data.{belongs[0]} is about data sets of tensorflow-datasets, and data.tfds "
                f"is not given. Give it, or leave out {', '.join(belongs)}."
            )


# Settings that mean something for `data.tfds` only.
_OF_TFDS = (
    *("data_dir", "download", "text_feature", "examples"),
    *("train_split", "validation_split", "test_split"),
)


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
        accumulation: Parts into which a batch is cut, whose gradients are added up: for
            batches that do not fit into memory at once.
        precision: `float32`, or `mixed_bfloat16` (weights stay in float32), which is faster
            where the hardware multiplies bfloat16, and slower elsewhere.
        jit: Whether steps are compiled by XLA.
    """

    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 0.003
    warmup_steps: int = 50
    schedule: str = "rsqrt"
    gradient_clip: float = 1.0
    validation_batches: int = 8
    accumulation: int = 1
    precision: str = "float32"
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
    """Who evaluates, and what a worker may use. docs/cluster.md has examples.

    Attributes:
        evaluator: `ray`, `local` or `toy`.
        count: Worker processes of `ray`; on a cluster the most, as many as there is room for.
        threads: Cores of each worker.
        memory: Bytes that a worker process may hold; a candidate that holds more ends as
            `out_of_memory`. None for an equal share of this machine's.
        gpus: Cards of each worker, or the part of one: 0.25 lets four share a card.
        gpu_memory: Bytes of a card that a worker may take; None lets it grow as it needs.
        resources: Custom resources of the cluster that each worker takes, by name.
        recycle_after: Candidates after which a worker process is replaced, so that what
            compiled programs leave behind in memory does not add up.
        recycle_growth: It is also replaced when it holds so many bytes more than at first.
        retries: A candidate whose worker is lost through no fault of its own (its node died,
            somebody killed it) is asked again so often; then it is `lost`.
        grace: Seconds that candidates in flight are given to finish at the first Ctrl-C; 0
            gives them up, and `resume` asks them again.
        address: A Ray cluster to use, `host:port` (`auto` finds one); None starts Ray on this
            machine.
        ship_code: Whether a cluster's workers get this primeval as a wheel; otherwise their
            machines have it.
    """

    evaluator: str = "ray"
    count: int = 2
    threads: int = 1
    memory: int | None = None
    gpus: float = 0.0
    gpu_memory: int | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    recycle_after: int = 50
    recycle_growth: int = 2 << 30
    retries: int = 3
    grace: float = 0.0
    address: str | None = None
    ship_code: bool = True


@dataclass(frozen=True)
class TokenFiles:
    """Where a machine has the tokens of a corpus that were made on another one.

    Attributes:
        folder: It holds an .npy file per split.
        bytes_per_token: As in `Corpus`.
    """

    folder: str
    bytes_per_token: Mapping[str, float]


@dataclass(frozen=True)
class Task:
    """Everything an evaluator needs to know, besides the candidate.

    Attributes:
        reference: Text of the program that `reference_steps` are measured against.
        seed: Seed of the order of the data, equal for all candidates of a run.
        modules: Modules with users' primitives, which workers import first.
        split: The held-out text that losses are of: `validation`, or `test` to confirm.
        tokens: What to read instead of `data`; None where this machine makes its own.
    """

    model: ModelSettings
    data: DataSettings
    training: TrainingSettings
    candidate: CandidateSettings
    workers: WorkerSettings
    reference: str
    seed: int = 0
    modules: tuple[str, ...] = ()
    split: str = "validation"
    tokens: TokenFiles | None = None
