"""What a user may set about data, section `data:` of the YAML; see `settings.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from primeval.evaluators.errors import SettingError
from primeval.evaluators.limits import Count, Limit, Settings

MQAR, INDUCTION = "mqar", "induction"
LIBRARY, RECALL = "library", "recall"
TEXTS = ("austen", "moby-dick", "sotu")
INGREDIENTS = (*TEXTS, "kjv")  # of `source: library`
_ADVICE = "For other text: data.files or data.tfds."

Origin = Annotated[str, Limit(choices=(*TEXTS, LIBRARY, RECALL), advice=_ADVICE)]
Text = Annotated[str, Limit(choices=TEXTS, advice=_ADVICE)]


@dataclass(frozen=True)
class RecallSettings(Settings):
    """The task of `source: recall`: pairs of a key and a value, and later some keys again.

    After a key that comes again, the model must name its value; only those positions count.

    Attributes:
        task: In `mqar` all pairs stand at the beginning, and the keys that come again are
            anywhere after them, among blanks. In `induction` the pairs are anywhere among other
            values, and the keys come again after the last pair.
        pairs: Pairs of a key and a value in an example.
        queries: Keys that come again, each once: at most `pairs`, and by default all of them.
        examples: Examples to train on; a twentieth as many are made for each other split.
        seed: Number from which the examples follow.
    """

    task: Annotated[str, Limit(choices=(MQAR, INDUCTION))] = MQAR
    pairs: Annotated[int, Limit(least=1, most=100_000)] = 8
    queries: Annotated[int, Limit(least=1, most=100_000)] | None = None
    examples: Annotated[int, Limit(least=1, most=100_000_000)] = 100_000
    seed: Annotated[int, Limit(least=0, most=2**63 - 1)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.asked > self.pairs:
            raise SettingError(
                "queries",
                f"queries: a key comes again once at most, and there are {self.pairs} pairs. "
                f"Received: {self.asked}. Lower queries, or raise pairs.",
            )

    @property
    def asked(self) -> int:
        """How many keys come again."""
        return self.pairs if self.queries is None else self.queries


@dataclass(frozen=True)
class DataSettings(Settings):
    """What to train on: `source`, `files` or `tfds`; `source: austen` if none is given.

    Attributes:
        source: Text that comes with primeval (`austen`, `moby-dick`), text of packages that
            must be installed (`sotu`: speeches; `library`: all of these and the King James
            Bible, mixed), or `recall`, a task without text.
        files: Local text files in UTF-8, plain or `.gz`, `.xz`, `.bz2`; patterns such as
            `books/**/*.txt` too. Relative paths start at the current folder.
        tfds: A text data set of tensorflow-datasets, as it is written there: `lm1b`,
            `c4/en`, `pg19:0.1.1`.
        data_dir: Folder of prepared data sets; by default the one of tensorflow-datasets.
        download: Whether a data set that is not prepared may be downloaded. Needs `tfds`, as do
            the other settings about data sets.
        text_feature: Feature of the data set that holds the text; found if it is not given.
        train_split: Split of the data set to train on, slices too (`train[:90%]`).
        validation_split: Split to compare candidates on; by default the data set's own, or
            5 % of the training split where it has none.
        test_split: Split of the final figures; by default like `validation_split`.
        examples: Examples of the data set to train on at most; a twentieth as many are used of
            each other split. All are used if it is not given.
        test_source: A corpus whose whole text replaces the test split: text of another
            author, never trained on.
        tokenizer: `bytes`, `sentencepiece` (trained on the training split), or the path of
            a SentencePiece `.model` file.
        vocabulary: Tokens that the tokeniser knows: 256 for `bytes`; for a `.model` file, the
            number that it was made with. In `recall` one token is the blank, one half of the
            others are keys, the other half values.
        cache_dir: Folder in which tokens are kept, shared by all workers and runs; by default
            `$PRIMEVAL_CACHE`, or `~/.cache/primeval`.
    """

    exclusive = ("source", "files", "tfds")

    source: Origin | None = None
    files: tuple[str, ...] = ()
    tfds: str | None = None
    data_dir: str | None = None
    download: bool = False
    text_feature: str | None = None
    train_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    examples: Count | None = None
    test_source: Text | None = None
    tokenizer: str = "bytes"
    vocabulary: Annotated[int, Limit(least=2, most=10_000_000, unit="tokens")] = 256
    cache_dir: str | None = None
    recall: RecallSettings | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in self.exclusive if getattr(self, name)]
        if len(given) > 1:
            raise SettingError(
                given[0], f"{' and '.join(given)} exclude each other. Keep one of them."
            )
        if isinstance(self.files, str):
            raise SettingError("files", f"files is a list: [{self.files}], not {self.files}.")
        belongs = [name for name in _OF_TFDS if getattr(self, name)]
        if belongs and not self.tfds:
            raise SettingError(
                belongs[0],
                f"{belongs[0]} is about data sets of tensorflow-datasets, and data.tfds is not "
                f"given. Give it, or leave out {', '.join(belongs)}.",
            )
        if self.source == RECALL:
            self._require_recall()
        elif self.recall is not None:
            raise SettingError(
                "recall",
                "recall is the task of data.source recall, and the source is another one. Set "
                "data.source to recall, or leave data.recall out (null).",
            )

    def _require_recall(self) -> None:
        """Raises SettingError if there are settings that `source: recall` has no use for."""
        for name, without in (("tokenizer", "bytes"), ("test_source", None)):
            if getattr(self, name) != without:
                raise SettingError(
                    name,
                    f"{name} is about text, and data.source recall makes its tokens without "
                    f"any. Leave out {name}.",
                )
        pairs = self.recalled.pairs
        if self.vocabulary < 2 * pairs + 1:
            raise SettingError(
                "vocabulary",
                f"vocabulary: {pairs} pairs need {pairs} keys, {pairs} values and a blank, at "
                f"least {2 * pairs + 1} tokens. Received: {self.vocabulary}. Raise vocabulary, "
                "or lower recall.pairs.",
            )

    @property
    def recalled(self) -> RecallSettings:
        """The settings of `source: recall`, given or not."""
        return self.recall or RecallSettings()

    @property
    def origin(self) -> str:
        """Where the tokens come from, in words; empty for local files."""
        if self.source == LIBRARY:
            return f"{LIBRARY} ({', '.join(INGREDIENTS)})"
        return self.source or self.tfds or ""

    @property
    def kind(self) -> str:
        """What the tokens are, in words."""
        if self.source == RECALL:
            return f"{self.recalled.task}, {self.vocabulary} tokens"
        return f"{self.tokenizer} tokens"

    def require_room(self, length: int) -> None:
        """Raises SettingError if sequences of `length` tokens cannot hold the recall task."""
        needed = self.recalled.pairs + self.recalled.asked
        if self.source == RECALL and needed > places(length):
            raise SettingError(
                "data.recall",
                f"data.recall: {self.recalled.pairs} pairs and {self.recalled.asked} queries "
                f"take {2 * needed - 1} tokens, and model.length is {length}. Raise "
                "model.length, or lower data.recall.pairs or queries.",
            )


def places(length: int) -> int:
    """How many pairs and queries sequences of `length` tokens can hold.

    Each takes two tokens. Of the last query, the second one is only predicted.
    """
    return (length + 1) // 2


# Settings that mean something for `data.tfds` only.
_OF_TFDS = (
    *("data_dir", "download", "text_feature", "examples"),
    *("train_split", "validation_split", "test_split"),
)
