"""A program's digest: what it computes and how it would learn, on fixed numbers.

Two programs with different graphs may still be one function of input and weights (x + x and
2 x). They then train to the same result, apart from rounding, and only one of them needs to be
trained. The digest is a hash of three things: a block's output; the gradients of a random
projection of the output with respect to the input and to every weight; and everything that
decides how the weights are made. It is computed at tiny widths, in float64, with random
weights, and is equal in every process.

A missed equality costs one training; a false one loses a program. So, CHOICE:
- Weights are random, not the initial values, at which SCALE and SHIFT do nothing. The numbers
  of a weight follow from its operation, relative shape and order. Operation and shape are
  hashed too, as is the unit of the real widths.
- A program whose numbers are not all finite has no digest, nor has one whose gradients are all
  zero: neither is ever recognised as another program.
- An operation with two sides (ABS, MAX) may by chance meet only one of them here. Unless it can
  never meet the other (`bounds.py`), it is hashed as written.
- Users' primitives are hashed by name and count: their sides are not known.
- Whether the output stays finite in float32 for large numbers is hashed: this tells a softmax
  that subtracts its largest entry from one that does not.
Two programs that differ would then have to agree by accident in hundreds of numbers, to six
digits each.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import tensorflow as tf

from primeval.dna.cost import Scale, measure, node_weight_shape, whole_step
from primeval.dna.graph import Graph, recent_graph
from primeval.dna.infer import Node
from primeval.dna.parsing import parse
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.lowering.walk import Tensor, node_values, run_graph
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.training.bounds import bounds_of
from primeval.evaluators.training.stopwatch import Stopwatch
from primeval.primitives.kernels import WEIGHTED
from primeval.primitives.primitive import Vocabulary

# Positions, and the smallest width: over a single channel, a mean would do nothing.
LENGTH, WIDTH = 10, 3
SCALES = (1.0, 4.0, 0.25, 0.03)  # of the input's sequences
LARGE = 30.0  # factor on input and weights, to see whether float32 overflows
DIGITS = 20  # binary digits that are kept of a number
# A number counts as zero, since it may be rounding, if it is smaller than this share of the
# largest number of its row, or of the largest gradient.
ROW_FLOOR, GRADIENT_FLOOR = 1e-8, 1e-11

Weights = dict[int, np.ndarray]


def probe(candidate: Candidate, scale: Scale, vocabulary: Vocabulary) -> Outcome:
    """A candidate's digest, as an outcome with status PROBED.

    The digest is None if the candidate cannot have one; its training will report why.
    """
    watch, found = Stopwatch(), None
    # a candidate may fail in any way
    with watch.measure("probe"), contextlib.suppress(Exception):
        name = f"candidate {candidate.id}"
        graph = recent_graph(parse(candidate.text, name, vocabulary))
        found = digest(graph, scale)
    return Outcome(Status.PROBED, seconds=watch.seconds, digest=found)


def digest(graph: Graph, scale: Scale) -> str | None:
    """A hash that is equal for programs that train to the same result; None if there is none.

    Args:
        graph: The program.
        scale: The model around it, which decides the unit of the real widths.

    Raises Rejection if the program does not fit the scale.
    """
    cost = measure(graph, scale)
    graph, unit = cost.graph, _tiny_unit(cost.graph)
    labels = _weight_labels(graph)
    weights = {
        number: _numbers(label, node_weight_shape(graph, graph.nodes[number], unit, LENGTH))
        for label, number in labels.items()
    }
    x = _numbers("input", (len(SCALES), LENGTH, graph.nodes[0].width.channels(unit)))
    x *= np.reshape(SCALES, (-1, 1, 1))
    with tf.device("CPU:0"):
        values, gradients = _differentiate(graph, x, weights)
        large = _is_finite_when_large(graph, x, weights)
    largest = max(float(np.abs(one).max()) for one in gradients)
    if not largest or not all(np.isfinite(one).all() for one in (values[-1], *gradients)):
        return None
    as_written = _one_sided(graph, values) + [
        node.op for node in graph.nodes if node.primitive and node.primitive.kernel is not None
    ]
    header = [str(unit), str(cost.unit), *labels, *sorted(as_written), str(large)]
    hashed = hashlib.sha256("\n".join(header).encode())
    hashed.update(_quantised(values[-1]))
    for gradient in gradients:
        hashed.update(_quantised(gradient, GRADIENT_FLOOR * largest))
    return hashed.hexdigest()[:32]


def _tiny_unit(graph: Graph) -> Fraction:
    """The smallest unit at which all widths are whole numbers and at least `WIDTH`."""
    step = whole_step(graph)
    widths = [node.width.size for node in graph.nodes if not node.width.absolute]
    return step * math.ceil(WIDTH / (min(widths) * step))


def _weight_labels(graph: Graph) -> dict[str, int]:
    """The nodes that own weights, by a label of each weight, in the order of the labels."""
    labels: dict[str, int] = {}
    seen = Counter[str]()
    for number, node in enumerate(graph.nodes):
        if node.primitive is not None and node.primitive.owns_weights:
            ends = f"{_width(graph.nodes[node.inputs[0]])} {_width(node)}"
            label = f"{node.op} {node.over} {ends}"
            labels[f"{label} {seen[label]}"] = number
            seen[label] += 1
    return dict(sorted(labels.items()))


def _width(node: Node) -> str:
    return "length" if node.scores else str(node.width)


def _numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers of a shape that depend on name and shape alone.

    Those of a weight matrix are scaled so that its output is about as large as its input.
    """
    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
    numbers = np.random.default_rng(seed).normal(size=shape)
    inputs = math.prod(shape[-3:-1]) if name.startswith("CONV") else 1
    return numbers / math.sqrt(inputs)


def _weigh(weights: dict[int, Tensor]) -> Callable[[int, Node, Tensor], Tensor]:
    return lambda number, node, operand: WEIGHTED[node.op](operand, weights[number])


def _differentiate(
    graph: Graph, x: np.ndarray, weights: Weights
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Run a block forwards and backwards.

    Args:
        x: The block's input, (batch, position, channel) float64.
        weights: By the number of the node that owns them.

    Returns:
        The values of all nodes; and the gradients of a projection of the output with respect
        to the input and to each weight. Every position counts alike in the projection, however
        large its values: where EXP explodes at one, the others still tell programs apart.
    """
    given = tf.constant(x)
    trainable = {number: tf.constant(weight) for number, weight in weights.items()}
    sources = [given, *trainable.values()]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        values = node_values(graph, given, _weigh(trainable))
        projection = tf.reduce_sum(values[-1] * _direction(values[-1].numpy()))
    gradients = tape.gradient(projection, sources, unconnected_gradients="zero")
    return (
        [value.numpy() for value in values],
        [tf.convert_to_tensor(gradient).numpy() for gradient in gradients],
    )


def _direction(output: np.ndarray) -> Tensor:
    """Random numbers to project the output with, each row divided by the output's size there.

    Takes and gives (batch, position, channel).
    """
    _, exponent = np.frexp(np.abs(output).max(axis=-1, keepdims=True))
    return tf.constant(np.ldexp(_numbers("projection", output.shape), -exponent))


def _is_finite_when_large(graph: Graph, x: np.ndarray, weights: Weights) -> bool:
    large = {at: tf.constant(LARGE * weight, tf.float32) for at, weight in weights.items()}
    output = run_graph(graph, tf.constant(LARGE * x, tf.float32), _weigh(large))
    return bool(np.isfinite(output.numpy()).all())


# Operations with two sides, and those whose result hides on which side of zero a number was.
TWO_SIDED = frozenset({"ABS", "SIGN", "LOG", "ABS_ROOT", "SQUARE", "COS", "MAX", "MIN"})


def _one_sided(graph: Graph, values: list[np.ndarray]) -> list[str]:
    """Operations that met only one of their sides, although they can meet the other."""
    found, bounds = [], bounds_of(graph)
    for node in graph.nodes:
        squares = node.op == "MULTIPLY" and node.inputs[0] == node.inputs[1]
        if node.op not in TWO_SIDED and not squares:
            continue
        read = node.inputs[0]
        edge = 0.0 if node.constant is None else node.constant
        met, (low, high) = values[read], bounds[read]
        if graph.nodes[read].scores:  # nothing reads what is above the diagonal
            rows, columns = np.tril_indices(met.shape[-1])
            met = met[..., rows, columns]
        both = (met < edge).any() and (met > edge).any()
        if not both and low < edge < high:
            found.append(f"{node.op} {edge.hex()}")
    return found


def _quantised(values: np.ndarray, least: float = 0.0) -> bytes:
    """Numbers of any shape, rounded to six digits, as bytes.

    Numbers that may be rounding, and those below `least`, become zero.
    """
    rows = values.reshape(-1, values.shape[-1])
    floor = np.maximum(ROW_FLOOR * np.abs(rows).max(axis=1, keepdims=True), least)
    mantissa, exponent = np.frexp(np.where(np.abs(rows) <= floor, 0.0, rows))
    rounded = np.ldexp(np.rint(np.ldexp(mantissa, DIGITS)), exponent - DIGITS) + 0.0
    return bytes(rounded.astype("<f8").tobytes())
