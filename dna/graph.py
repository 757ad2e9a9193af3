"""The canonical graph: what a program means, whatever way it is written.

Two programs with the same graph train to the same thing: calls are inlined, dead lines gone,
common subexpressions merged, commutative operands ordered, nodes numbered from the output.
One graph feeds the fingerprint, the cost model, the layer, the drawing and the exporter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from primeval.dna.infer import Inference, Node
from primeval.dna.program import Program
from primeval.dna.resolve import Line, resolve
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES


@dataclass(frozen=True)
class Graph:
    """A program's meaning. Node 0 onwards in an order that operands precede their users.

    Attributes:
        nodes: The canonical nodes; the last one is the block's output.
        program: The program it was built from.
        lines: The program resolved, dead lines included.
        node_of: The node that each live line computes.
    """

    nodes: tuple[Node, ...]
    program: Program
    lines: list[Line]
    node_of: dict[int, int]

    @cached_property
    def text(self) -> str:
        """The graph as text, one node a line: equal exactly when the graphs are."""
        return "\n".join(_node_text(node) for node in self.nodes)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the text; equal in every process."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def fixed_length(self) -> bool:
        """Whether it owns weights over positions, and so works at one length only."""
        return any(
            node.primitive is not None
            and node.primitive.owns_weights
            and self.nodes[node.inputs[0]].scores
            for node in self.nodes
        )


def build_graph(program: Program, vocabulary: Vocabulary = PRIMITIVES) -> Graph:
    """The canonical graph of a legal program. Raises Rejection if it has no meaning."""
    lines = resolve(program)
    inference = Inference(program, lines, vocabulary)
    inference.run()
    output = inference.node_of[len(lines) - 1]
    order = _canonical_order(inference.nodes, output)
    number = {old: new for new, old in enumerate(order)}
    nodes = []
    for old in order:
        node = inference.nodes[old]
        inputs = [number[read] for read in node.inputs]
        if node.primitive is not None and node.primitive.commutative:
            inputs.sort()
        nodes.append(node._replace(inputs=tuple(inputs)))
    node_of = {line: number[old] for line, old in inference.node_of.items() if old in number}
    return Graph(tuple(nodes), program, lines, node_of)


def _node_text(node: Node) -> str:
    constant = "" if node.constant is None else node.constant.hex()
    width = "T" if node.scores else str(node.width)
    over = ",".join(map(str, node.over))
    inputs = ",".join(map(str, node.inputs))
    return f"{node.op}({inputs}) {constant} {width} [{over}] {node.branches}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _canonical_order(nodes: list[Node], output: int) -> list[int]:
    """Depth-first from the output, operands first, commutative ones by their digests.

    A node's digest says what it computes and how it is used, so that two projections of one
    input, equal in themselves, still have an order where their users differ.
    """
    below: list[str] = []  # what each node computes
    for node in nodes:
        operands = [below[read] for read in node.inputs]
        if node.primitive is not None and node.primitive.commutative:
            operands.sort()
        below.append(_digest(_node_text(node._replace(inputs=())) + " ".join(operands)))
    above: list[list[str]] = [[] for _ in nodes]  # how each node is used
    key = list(below)
    for at in range(output, -1, -1):
        node = nodes[at]
        key[at] = below[at] + _digest(" ".join(sorted(above[at])))
        ordered = node.primitive is None or not node.primitive.commutative
        for position, read in enumerate(node.inputs):
            above[read].append(f"{key[at]}{position if ordered else ''}")
    return _depth_first(nodes, output, key)


def _depth_first(nodes: list[Node], output: int, key: list[str]) -> list[int]:
    order: list[int] = []
    done: set[int] = set()
    stack = [(output, False)]
    while stack:
        at, expanded = stack.pop()
        if at in done:
            continue
        if expanded:
            done.add(at)
            order.append(at)
            continue
        stack.append((at, True))
        node = nodes[at]
        inputs = node.inputs
        if node.primitive is not None and node.primitive.commutative:
            inputs = tuple(sorted(inputs, key=lambda read: key[read]))
        stack.extend((read, False) for read in reversed(inputs))
    return order
