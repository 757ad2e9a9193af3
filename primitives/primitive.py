"""What a primitive is: one row of a table, and the vocabulary that looks rows up by name.

A row holds everything that can be said without TensorFlow: the fields it reads, the rule
that types its value (`rules.py`) and a few traits. So programs can be read, checked and
mutated where TensorFlow is not installed. `kernels.py` holds the kernels of the built-in
primitives, by name; a user's primitive carries its own. The built-in rows are in
`vocabulary.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from primeval.primitives.errors import UnknownNameError

INPUT_1, INPUT_2, CONSTANT, DIM = "input1", "input2", "constant", "dim"

Kernel = Callable[..., Any]  # of tensors

# States of an operand, for `Primitive.zero_if`: scores that are zero above the diagonal,
# scores that may hold anything there, a sequence of one channel, a wider sequence.
ZERO, RUBBISH, COLUMN, SEQUENCE = "z", "r", "c", "s"


@dataclass(frozen=True)
class Primitive:
    """One operation of the vocabulary.

    Attributes:
        name: Its name in program text, the paper's with underscores (`T_MAT_MUL`).
        reads: The argument fields it reads, of input1, input2, constant and dim. An
            instruction carries all four; the others stay dormant in it.
        rule: Name of the value rule in `rules.RULES`: `elementwise`, `rowwise` (over the
            last axis, shape kept), `reduction` (over the last axis), `cumulative` ...
        maps_to: The TensorFlow function the paper gives for it, for people.
        kernel_width: Positions a convolution looks at; 0 for everything else.
        commutative: Whether exchanging the inputs leaves the value unchanged.
        zero_if: For elementwise operations on scores: the operand states under which the
            result is still zero above the diagonal, a letter per operand: `z` (ZERO), `c`
            (COLUMN, the same for all keys). Decides where masks are needless.
        zero_when: Whether `zero_if` holds for a constant; always by default.
        neutral: For operations that read across keys or queries: what they see above the
            diagonal of scores, in place of the future.
        flops: Arithmetic operations per element of the result, for elementwise ones.
        note: What the paper leaves open here, or gets wrong.
        kernel: What it computes, for a user's primitive; None for a built-in one, whose
            kernel is in `kernels.py`.
        code: How a user's primitive is printed in TensorFlow; empty if its module does not
            say, and for the built-in ones, whose templates are in `tensorflow_text.py`.
    """

    name: str
    reads: tuple[str, ...]
    rule: str
    maps_to: str
    kernel_width: int = 0
    commutative: bool = False
    zero_if: frozenset[str] = frozenset()
    zero_when: Callable[[float], bool] = lambda constant: True
    neutral: float = 0.0
    flops: int = 1
    note: str = ""
    kernel: Kernel | None = field(default=None, hash=False)  # some callables have no hash
    code: str = ""

    @cached_property
    def arity(self) -> int:
        return 2 if INPUT_2 in self.reads else 1

    @cached_property
    def owns_weights(self) -> bool:
        return self.rule in WEIGHTED_RULES


# The rules whose operations own trainable weights: `rules.weight_shape` gives the shapes.
WEIGHTED_RULES = frozenset({"convolution", "depthwise", "channelwise"})


class Vocabulary(Mapping[str, Primitive]):
    """Primitives by name, in a fixed order. It never changes.

    It equals itself only: every candidate is hashed together with its vocabulary.
    """

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, rows: tuple[Primitive, ...]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Primitive:
        """The row of that name. Raises UnknownNameError, which offers the nearest names."""
        try:
            return self._rows[name]
        except KeyError:
            raise UnknownNameError("primitive", name, list(self._rows)) from None

    def find(self, name: str) -> Primitive | None:
        """The row of that name, or None."""
        return self._rows.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def restricted(self, names: Sequence[str]) -> Vocabulary:
        """The primitives of these names only, in the same order; all of them for no names.

        Raises UnknownNameError, which offers the nearest names.
        """
        if not names:
            return self
        wanted = {self[name].name for name in names}
        return Vocabulary(tuple(row for row in self._rows.values() if row.name in wanted))
