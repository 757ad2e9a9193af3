"""The value rules: what kind of value each primitive makes, of what width, from which.

A value is a *sequence* (..., position, channel) or *scores* (..., query, key). The paper
leaves axes, widths and causality open (A.2); these rules decide them, by one principle:

    Entry (t, s) of scores with s > t may hold rubbish, but nothing may read it.

So an operation that sums over keys, or moves them to another query, sees its operand filled
with its neutral element above the diagonal (`fill`), unless the operand is known to be zero
there. Every operation along positions looks backwards only. Together they make causality a
property of the language, not of the program.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from fractions import Fraction
from typing import NamedTuple

from primeval.primitives.primitive import COLUMN, RUBBISH, SEQUENCE, ZERO, Primitive
from primeval.primitives.widths import ONE_CHANNEL, Rejection, Width, Widths


class Value(NamedTuple):
    """The type of a value.

    Attributes:
        scores: Whether it is scores (query, key) rather than a sequence (position, channel).
        width: Channels of a sequence; of no meaning for scores, which have one per key.
        zero: For scores: known to be zero above the diagonal.
    """

    scores: bool
    width: Width
    zero: bool = False


class Request(NamedTuple):
    """What a rule knows about the instruction, besides the types of its operands."""

    primitive: Primitive
    constant: float
    proposal: Fraction  # relative width asked for, already divided by the branches
    widths: Widths


_COLUMN = Value(False, ONE_CHANNEL)

Rule = Callable[[Request, tuple[Value, ...]], Value]


def _elementwise(request: Request, operands: tuple[Value, ...]) -> Value:
    primitive, widths = request.primitive, request.widths
    if len(operands) == 1:
        if not operands[0].scores:
            return operands[0]
        states = _state(operands[0], widths)
    else:
        states = _state(operands[0], widths) + _state(operands[1], widths)
    if ZERO in states or RUBBISH in states:
        if SEQUENCE in states:
            raise Rejection(
                f"{primitive.name} of scores (queries x keys) and a sequence "
                "(positions x channels)"
            )
        zero = stays_zero(primitive, states, request.constant)
        return Value(True, ONE_CHANNEL, zero)
    first, second = operands[0].width, operands[1].width
    if states[0] == COLUMN:  # a column broadcasts against anything
        return Value(False, second)
    return Value(False, first if states[1] == COLUMN else widths.unify(first, second))


def _state(value: Value, widths: Widths) -> str:
    if value.scores:
        return ZERO if value.zero else RUBBISH
    return COLUMN if widths.is_column(value.width) else SEQUENCE


def stays_zero(primitive: Primitive, states: str, constant: float) -> bool:
    """Whether the result of an entrywise operation on scores is zero above the diagonal.

    `states` has the state of each operand: ZERO, RUBBISH, COLUMN or SEQUENCE.
    """
    return states in primitive.zero_if and primitive.zero_when(constant)


def _channelwise(request: Request, operands: tuple[Value, ...]) -> Value:
    (value,) = operands
    state = ZERO if value.zero else RUBBISH
    return value._replace(zero=stays_zero(request.primitive, state, request.constant))


def _clears_the_future(request: Request, operands: tuple[Value, ...]) -> Value:
    # CHOICE: on a sequence, band_part is taken literally: channel c is kept from position
    # c on. That is causal, and works at any length.
    # A depthwise convolution of scores has one filter per key along the queries. Entry (t, s)
    # sees (t - j, s), which is masked for s > t - j, so the result is zero above the diagonal.
    return operands[0]._replace(zero=operands[0].scores)


def _cumulative(request: Request, operands: tuple[Value, ...]) -> Value:
    # CHOICE: along positions; along queries for scores.
    value = operands[0]
    return value._replace(zero=value.scores and request.primitive.name == "CUM_SUM")


def _reduction(request: Request, operands: tuple[Value, ...]) -> Value:
    # CHOICE: over the last axis, kept with width 1 (as the seed's layer norm needs); over
    # the visible keys of scores, so that a mean divides by their number, not by the length.
    return _COLUMN


def _rowwise(request: Request, operands: tuple[Value, ...]) -> Value:
    # Of scores it reads the visible keys only; its results for the others are rubbish.
    return operands[0]._replace(zero=False)


def _matrix_product(request: Request, operands: tuple[Value, ...]) -> Value:
    first, second = operands
    if first.scores and second.scores:
        return Value(True, ONE_CHANNEL, zero=True)
    if first.scores:
        return Value(False, second.width)
    raise Rejection(
        f"MAT_MUL of a sequence and {'scores' if second.scores else 'a sequence'}: "
        "its first operand must be scores"
    )


def _transposed_product(request: Request, operands: tuple[Value, ...]) -> Value:
    first, second = operands
    if first.scores != second.scores:
        raise Rejection("T_MAT_MUL of scores and a sequence: both must be of one kind")
    if not first.scores:
        request.widths.unify(first.width, second.width)
    return Value(True, ONE_CHANNEL)


def _convolution(request: Request, operands: tuple[Value, ...]) -> Value:
    # CHOICE: on scores the keys are the channels it mixes, which gives a sequence.
    width = request.widths.propose(request.proposal, request.primitive.name)
    return Value(False, width)


RULES: dict[str, Rule] = {
    "elementwise": _elementwise,
    "channelwise": _channelwise,
    "mask": _clears_the_future,
    "cumulative": _cumulative,
    "reduction": _reduction,
    "rowwise": _rowwise,
    "matrix_product": _matrix_product,
    "transposed_product": _transposed_product,
    "convolution": _convolution,
    "depthwise": _clears_the_future,
}

ENTRYWISE_RULES = frozenset({"elementwise", "channelwise", "mask"})


def fill(primitive: Primitive, scores: bool, zero: bool) -> float | None:
    """What to write above an operand's diagonal before `primitive` reads it, if anything.

    `scores` and `zero` are of the operand, as in `Value`.
    """
    if not scores or primitive.rule in ENTRYWISE_RULES:
        return None
    neutral = primitive.neutral
    return None if zero and neutral == 0.0 else neutral


def finite(number: float, dtype: str = "float32") -> float:
    """The number, or what stands for an infinity where a tensor needs a finite number."""
    largest = 6.0e4 if dtype == "float16" else 3.0e38
    return min(max(number, -largest), largest)


def counts_visible_keys(primitive: Primitive, scores: bool) -> bool:
    """Whether it divides by the number of keys that a query sees: the mean of scores does."""
    return scores and primitive.name == "RED_MEAN"


class Initial(Enum):
    """How the weights of an operation start. The values of the constant ones are Keras's names.

    CHOICE, the paper says nothing but for its depthwise convolutions:
    - a matrix keeps the variance of its inputs: normal, see `deviation`;
    - a depthwise convolution starts near the identity, as in the authors' T5 release: see
      `near_identity`;
    - SCALE starts at 1 and SHIFT at 0, so that an inserted one changes nothing at first.
    """

    NORMAL = "normal"
    NEAR_IDENTITY = "near identity"
    ONES = "ones"
    ZEROS = "zeros"


def initial(primitive: Primitive) -> Initial:
    """How the weights of a primitive start; it must be one that owns weights."""
    if primitive.rule == "convolution":
        return Initial.NORMAL
    if primitive.rule == "depthwise":
        return Initial.NEAR_IDENTITY
    return Initial.ZEROS if primitive.name == "SHIFT" else Initial.ONES


def deviation(inputs: int) -> float:
    """The standard deviation of a new matrix; each output sums over `inputs` numbers."""
    return 1 / math.sqrt(inputs)


PRESENT = 0.5  # the tap of a new depthwise filter for the present


def near_identity(taps: int) -> list[float]:
    """A new depthwise filter: 0.5 for the present, then 0.5 / taps for each position before."""
    return [PRESENT, *[PRESENT / taps] * (taps - 1)]


LETTERS = "nmlkjihg"  # branch axes in an einsum


def matrix_equation(seen: int, over: int) -> str:
    """The einsum of an input with `seen` branch axes and a weight with `over` of them.

    (batch, *seen, position, in), (*over, in, out) -> (batch, *over, position, out).
    """
    return f"b{LETTERS[:seen]}tc,{LETTERS[:over]}cd->b{LETTERS[:over]}td"


def weight_shape(primitive: Primitive, inputs: int, outputs: int) -> tuple[int, ...]:
    """Shape of the weight of one branch, from its channels in and out; () if it owns none."""
    if primitive.rule == "convolution":
        return (primitive.kernel_width, inputs, outputs)
    if primitive.rule == "depthwise":
        return (primitive.kernel_width, inputs)
    return (inputs,) if primitive.rule == "channelwise" else ()


def flops_per_token(primitive: Primitive, inputs: int, outputs: int, length: int) -> int:
    """Arithmetic operations of a forward pass, per position and branch.

    `inputs` and `outputs` are channels (keys for scores), `length` the positions. Products
    over keys count all of them, as dense kernels compute them.
    """
    if primitive.rule == "convolution":
        return 2 * primitive.kernel_width * inputs * outputs
    if primitive.rule == "depthwise":
        return 2 * primitive.kernel_width * inputs
    if primitive.rule == "matrix_product":
        return 2 * length * outputs
    if primitive.rule == "transposed_product":
        return 2 * length * inputs
    return primitive.flops * max(inputs, outputs)
