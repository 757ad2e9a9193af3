"""The canonical graph: what a program means, however it is written.

Two programs with the same graph train alike: calls are inlined, dead lines gone,
common subexpressions merged, commutative operands ordered, nodes numbered from the output.
One graph feeds the fingerprint, the cost model, the layer, the drawing and the exporter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

from primeval.dna.infer import Draft, Inference, Node
from primeval.dna.program import Program
from primeval.dna.resolve import Line, resolve
from primeval.primitives.widths import Solved


@dataclass(frozen=True)
class Graph:
    """A program's meaning.

    Attributes:
        nodes: The canonical nodes, operands before their users; the last one is the block's
            output.
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
        widths: dict[int, str] = {}  # most nodes share the few there are
        lines = []
        for node in self.nodes:
            width = widths.get(id(node.width))
            if width is None:
                width = widths[id(node.width)] = str(node.width)
            label = _label(node, node.scores, width)
            lines.append(f"{label} {','.join(map(str, node.inputs))}")
        return "\n".join(lines)

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


def build_graph(program: Program) -> Graph:
    """The canonical graph of a legal program. Raises Rejection if it has no meaning."""
    lines = resolve(program)
    inference = Inference(program, lines)
    inference.run()
    drafts, widths, node_of = inference.drafts, inference.widths, inference.node_of
    order = _Order(drafts, widths, node_of[len(lines) - 1]).depth_first()
    number = {old: new for new, old in enumerate(order)}
    nodes = []
    for old in order:
        op, reads, constant, branches, over, value, line, primitive = drafts[old]
        placed = [number[read] for read in reads]
        if primitive is not None and primitive.commutative:
            placed.sort()
        inputs, (scores, _, zero) = tuple(placed), value
        nodes.append(
            Node(
                op, inputs, constant, branches, over, scores, zero, widths[old], line, primitive
            )
        )
    node_of = {line: number[old] for line, old in node_of.items() if old in number}
    return Graph(tuple(nodes), program, lines, node_of)


@lru_cache(maxsize=256)
def recent_graph(program: Program) -> Graph:
    """`build_graph` with a memory of the last 256 programs. Raises Rejection.

    In one process, the child that a search has just made is soon needed again: by the toy
    evaluator, and as a parent.
    """
    return build_graph(program)


def _label(node: Node | Draft, scores: bool, width: str) -> str:
    """A node without its inputs, as text."""
    value = "" if node.constant is None else node.constant.hex()
    return f"{node.op} {value} {'T' if scores else width} {node.over} {node.branches}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class _Order:
    """The canonical order: depth-first from the output, operands before their users.

    The operands of a commutative node are ordered by what they are; if that is equal, by all
    that lies below them; if that is equal too, by how they are used. So the order does not
    depend on how the program is written. Two equal projections of one input, for example, are
    ordered by their users. Most pairs differ in what they are, so the digests of the whole
    graph are computed only when they are needed.
    """

    def __init__(self, drafts: list[Draft], widths: list[Solved], output: int) -> None:
        self._drafts, self._widths, self._output = drafts, widths, output

    def depth_first(self) -> list[int]:
        """The drafts that the output needs."""
        order: list[int] = []
        done: set[int] = set()
        stack = [self._output]
        while stack:
            at = stack.pop()
            if at < 0:
                order.append(~at)
            elif at not in done:
                done.add(at)
                stack.append(~at)  # again, when its operands are done
                inputs = self._drafts[at].inputs
                if len(inputs) == 2:
                    stack += self._last_first(at, *inputs)
                else:
                    stack += inputs
        return order

    def _last_first(self, at: int, first: int, second: int) -> tuple[int, int]:
        primitive = self._drafts[at].primitive
        if primitive is not None and primitive.commutative and first != second:
            for key in (self._operation, self._local, self._below, self._above):
                one, other = key(first), key(second)
                if one != other:
                    return (second, first) if one < other else (first, second)
        return second, first

    def _operation(self, at: int) -> str:
        return f"{self._drafts[at].op} "  # where labels begin: most differ there already

    def _local(self, at: int) -> str:
        draft = self._drafts[at]
        return _label(draft, draft.value.scores, str(self._widths[at]))

    def _below(self, at: int) -> str:
        return self._digests_below[at]

    def _above(self, at: int) -> str:
        return self._digests_above[at]

    @cached_property
    def _digests_below(self) -> list[str]:
        """What each draft computes."""
        below: list[str] = []
        for at, draft in enumerate(self._drafts):
            operands = [below[read] for read in draft.inputs]
            if draft.primitive is not None and draft.primitive.commutative:
                operands.sort()
            below.append(_digest(" ".join([self._local(at), *operands])))
        return below

    @cached_property
    def _digests_above(self) -> list[str]:
        """How each draft is used, as far up as the output."""
        uses: list[list[str]] = [[] for _ in self._drafts]
        above = [""] * len(self._drafts)
        for at in range(self._output, -1, -1):
            above[at] = _digest(" ".join(sorted(uses[at])))
            draft = self._drafts[at]
            ordered = draft.primitive is None or not draft.primitive.commutative
            for position, read in enumerate(draft.inputs):
                uses[read].append(f"{self._below(at)}{above[at]}{position if ordered else ''}")
        return above
