"""What a program costs at a scale: the unit of its widths, its parameters, its arithmetic.

Everything is counted from the graph; nothing is built. One number, the unit, turns relative
widths into channels. It is chosen so that the parameters of the whole model, embedding
included, fall into a window (A.2; the paper's is 32M to 38M). So all candidates of a search
are of about the same size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from primeval.dna.graph import Graph, build_graph
from primeval.dna.infer import Node
from primeval.primitives.rules import flops_per_token, weight_shape
from primeval.primitives.widths import Rejection, Solved


@dataclass(frozen=True)
class Scale:
    """What decides the cost of a model besides its block.

    Attributes:
        layers: Blocks stacked.
        vocabulary: Tokens the embedding knows.
        length: Positions of a training sequence.
        window: Parameters allowed, smallest and largest; None to give the width instead.
        width: Channels of the model where there is no window.
        tied: Whether the output layer is the embedding, transposed.
        widen: Factor on the relative widths above the model's own: 2 makes the
            feed-forward part of the Transformer 8 times as wide as the model, not 4.
    """

    layers: int
    vocabulary: int
    length: int
    window: tuple[int, int] | None = None
    width: int | None = None
    tied: bool = True
    widen: Fraction = Fraction(1)

    def fitted(self, graph: Graph) -> Graph:
        """The program as it is at this scale: the same lines, with `widen` applied.

        CHOICE: it multiplies bank entries, before branches divide them. The paper's larger
        models (sections 4.3 and 4.4) have other ratios of d_ff to d_model than its seed.
        """
        if self.widen == 1:
            return graph
        bank = graph.program.bank
        dims = tuple(dim * self.widen if dim > bank.width else dim for dim in bank.dims)
        if dims == bank.dims:
            return graph
        return build_graph(replace(graph.program, bank=replace(bank, dims=dims)))


@dataclass(frozen=True)
class Cost:
    """A program at a scale, with everything that is needed to build it.

    Attributes:
        graph: The program as it is at this scale; see `Scale.fitted`.
        unit: Channels that a relative width of 1 stands for.
        width: Channels of the model (d_model).
        parameters: Trainable numbers of the whole model.
        flops: Arithmetic operations of a forward pass, per token.
    """

    graph: Graph
    unit: Fraction
    width: int
    parameters: int
    flops: int


def channels(node: Node, unit: Fraction, length: int) -> int:
    """Size of the last axis of a node's value. Raises Rejection if it is not a whole number."""
    return length if node.scores else node.width.channels(unit)


def node_weight_shape(graph: Graph, node: Node, unit: Fraction, length: int) -> tuple[int, ...]:
    """Shape of a node's weight, branch axes first; () if it owns none.

    Raises Rejection if the unit gives fractions of channels.
    """
    if node.primitive is None or not node.primitive.owns_weights:
        return ()
    inputs = channels(graph.nodes[node.inputs[0]], unit, length)
    shape = weight_shape(node.primitive, inputs, channels(node, unit, length))
    return (*node.over, *shape)


def measure(graph: Graph, scale: Scale) -> Cost:
    """Choose the unit and count. Raises Rejection if no unit fits the scale.

    Raises ValueError if the scale has neither a window nor a width.
    """
    graph = scale.fitted(graph)
    unit = _unit(graph, scale)
    width = graph.nodes[0].width.channels(unit)
    parameters, flops = _block_cost(graph, unit, scale.length)
    parameters = scale.layers * parameters + _outer_parameters(width, scale)
    flops = scale.layers * flops + 2 * width * scale.vocabulary
    return Cost(graph, unit, width, parameters, flops)


def _outer_parameters(width: int, scale: Scale) -> int:
    """Token and position embeddings, the final norm, and the output layer if not tied."""
    embeddings = scale.vocabulary * (1 if scale.tied else 2) + scale.length
    return width * (embeddings + 2)


def _block_cost(graph: Graph, unit: Fraction, length: int) -> tuple[int, int]:
    """Parameters and FLOPs of one block."""
    sizes: list[int] = []
    seen: dict[int, int] = {}  # most nodes share the few widths there are
    parameters = flops = 0
    for node in graph.nodes:
        size = length if node.scores else seen.get(id(node.width))
        if size is None:
            size = seen[id(node.width)] = node.width.channels(unit)
        sizes.append(size)
        primitive = node.primitive
        if primitive is not None:
            inputs, copies = sizes[node.inputs[0]], math.prod(node.over)
            flops += copies * flops_per_token(primitive, inputs, size, length)
            if primitive.owns_weights:
                parameters += copies * math.prod(weight_shape(primitive, inputs, size))
    return parameters, flops


def _unit(graph: Graph, scale: Scale) -> Fraction:
    """The unit for this scale.

    CHOICE: of the units in the window that make every width whole, the roundest (the one
    divisible by the largest power of two), then the one nearest the window's middle. The
    seed gets 128 and Primer 96 this way, as in the paper.
    """
    model = graph.program.bank.width
    step = whole_step(graph)
    if scale.window is None:
        if scale.width is None:
            raise ValueError("a scale has a parameter window or a width")
        unit = Fraction(scale.width) / model
        if (unit / step).denominator != 1:
            raise Rejection(
                f"a model {scale.width} wide leaves fractions of channels: its width must be "
                f"a multiple of {step * model}"
            )
        return unit
    counted = _polynomial(graph, scale)
    low, high = (_inverse(counted, limit) for limit in scale.window)
    first, last = max(math.ceil(low / step - 1e-9), 1), math.floor(high / step + 1e-9)
    if first > last:
        raise Rejection(
            f"no unit gives between {scale.window[0]:,} and {scale.window[1]:,} parameters "
            f"with whole widths (units {low:.2f} to {high:.2f}, in steps of {step})"
        )
    middle = _inverse(counted, sum(scale.window) / 2) / step
    power = 1
    while math.ceil(first / (2 * power)) * 2 * power <= last:
        power *= 2
    rounded = range(math.ceil(first / power) * power, last + 1, power)
    return step * min(rounded, key=lambda count: abs(count - middle))


def whole_step(graph: Graph) -> Fraction:
    """The smallest unit that makes every relative width a whole number."""
    above = below = 0  # a width n/d is whole at every multiple of d/n
    seen = set[int]()  # most nodes share the few widths there are
    for node in graph.nodes:
        width = node.width
        if not node.scores and not width.absolute and id(width) not in seen:
            seen.add(id(width))
            divisor, factor = width.size.as_integer_ratio()
            above = math.lcm(above, factor) if above else factor
            below = math.gcd(below, divisor)
    return Fraction(above, below)


def _inverse(counted: tuple[float, float, float], parameters: float) -> float:
    """The unit, as a real number, at which the model has this number of parameters."""
    square, linear, constant = counted
    constant -= parameters
    if constant >= 0:
        return 0.0
    if square == 0:
        return -constant / linear
    root = math.sqrt(linear * linear - 4 * square * constant)
    return (root - linear) / (2 * square)


def _polynomial(graph: Graph, scale: Scale) -> tuple[float, float, float]:
    """The model's parameters as a polynomial of the unit: its square, linear, constant terms.

    It has no higher terms, as at most two axes of a weight are relative widths.
    """
    model = float(graph.program.bank.width)
    by_degree = [0.0, model * _outer_parameters(1, scale), 0.0]
    for node in graph.nodes:
        if node.primitive is None or not node.primitive.owns_weights:
            continue
        source = graph.nodes[node.inputs[0]]
        keys = Solved(Fraction(scale.length), True)
        axes = [keys if source.scores else source.width]
        if node.primitive.rule == "convolution":
            axes.append(node.width)
        degree, factor = 0, float(math.prod(node.over)) * (node.primitive.kernel_width or 1)
        for axis in axes:
            degree += not axis.absolute
            factor *= float(axis.size)
        by_degree[degree] += factor * scale.layers
    return by_degree[2], by_degree[1], by_degree[0]
