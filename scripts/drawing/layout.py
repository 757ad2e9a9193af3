"""Where the boxes and wires of a drawing go: in layers from top to bottom, call by call.

Each call is laid out by itself, then placed as one box in the layout of its caller. So a wire
crosses the border of a call only at its inputs and its output. Within a call this is the
layered method of Sugiyama: layers by longest path, a stand-in in each layer that a wire passes,
few crossings by barycentres, places by least squares. It is written here because the layout
engines for nested boxes are programs outside Python (graphviz's dot) or in other languages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, combinations, pairwise
from operator import itemgetter

from primeval.scripts.drawing.boxes import Box, Wire

CHARACTER = 6.7  # width of a character, at 11 points in a monospaced face
OP_HEIGHT, HEADER, GAP_X, GAP_Y, PADDING = 24.0, 22.0, 22.0, 28.0, 14.0
STUB = 11.0  # length of the straight piece under a box, which has a number beside it
SWEEPS = 12  # passes over the layers to sort them
MANY = 1500  # a call with more hops is not untangled: no reader could follow its wires anyway
# How strongly a hop keeps straight: between two boxes, two stand-ins, a box and a stand-in.
DIRECT, LONG, ENDS = 4.0, 8.0, 0.25

Point = tuple[float, float]
Hop = tuple[int, int, int]  # source, target, port of the target


@dataclass(kw_only=True)
class Item:
    """What stands in a layer: a box, an input, the output, or the stand-in of a passing wire.

    Attributes:
        layer: The number of its layer, counted from the top.
        width, height: Its size; 0 for all but boxes.
        ports: The distances of its inputs from its left side, by their numbers.
        out: The distance of its output from its left side.
        x, y: Its upper left corner, in its call.
    """

    layer: int = 0
    width: float = 0.0
    height: float = 0.0
    ports: dict[int, float] = field(default_factory=lambda: {0: 0.0})
    out: float = 0.0
    x: float = 0.0
    y: float = 0.0


@dataclass(kw_only=True)
class Placed(Item):
    """A box after its layout. All coordinates in it start from its upper left corner.

    Attributes:
        box: The box.
        children: The boxes in it, as (x, y, box).
        wires: The corners of each wire; straight down within a layer, curved between layers.
    """

    box: Box
    children: list[tuple[float, float, Placed]] = field(default_factory=list)
    wires: list[list[Point]] = field(default_factory=list)


def place(box: Box) -> Placed:
    """Lay out a box and everything in it."""
    if box.boxes:
        return _Layout(box).placed()
    width = CHARACTER * len(box.title) + 16
    ports = {port: width * (rank + 1) / (box.ports + 1) for rank, port in enumerate(box.inputs)}
    return Placed(box=box, width=width, height=OP_HEIGHT, ports=ports, out=width / 2)


class _Layout:
    """The layout of one call. A hop is the piece of a wire from one layer to the next."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.boxes = [place(child) for child in box.boxes]
        self.output = len(self.boxes)
        self.items: list[Item] = [*self.boxes, Item(), *(Item() for _ in box.inputs)]
        self.inputs = {port: self.output + 1 + at for at, port in enumerate(box.inputs)}
        self.hops: list[Hop] = []
        self.above: dict[int, list[Hop]] = defaultdict(list)  # hops by target
        self.below: dict[int, list[Hop]] = defaultdict(list)  # hops by source
        self.chains = self._layered()
        count = 1 + self.items[self.output].layer
        self.layers: list[list[int]] = [[] for _ in range(count)]
        for number, item in enumerate(self.items):
            self.layers[item.layer].append(number)

    def placed(self) -> Placed:
        self._order()
        self._arrange()
        heights = [max(self.items[at].height for at in layer) for layer in self.layers]
        tops = list(accumulate(heights, lambda y, high: y + (high + GAP_Y), initial=HEADER))
        bottom = tops.pop() - GAP_Y  # the last layer is that of the output, which has no height
        for layer, top in zip(self.layers, tops, strict=True):
            for at in layer:
                self.items[at].y = top
        left = min(item.x for item in self.items) - PADDING
        right = max(item.x + item.width for item in self.items) + PADDING
        title = CHARACTER * (len(self.box.title) + 4) + 2 * PADDING
        spare = max(0.0, title - (right - left)) / 2
        for item in self.items:
            item.x += spare - left
        width = right - left + 2 * spare
        return Placed(
            box=self.box,
            width=width,
            height=bottom,
            ports={port: self.items[at].x for port, at in self.inputs.items()},
            out=self.items[self.output].x,
            children=[(child.x, child.y, child) for child in self.boxes],
            wires=[self._corners(chain, tops, heights) for chain in self.chains],
        )

    def _layered(self) -> list[list[tuple[int, int]]]:
        """Give all items their layers. Returns each wire as a chain of (item, port)."""
        wires = self.box.wires
        for number, item in enumerate(self.items[: self.output + 1]):
            sources = [wire.source for wire in wires if wire.target == number]
            layers = [self.items[source].layer for source in sources if source >= 0]
            item.layer = 1 + max(layers, default=0)
        return [self._chain(wire) for wire in wires]

    def _chain(self, wire: Wire) -> list[tuple[int, int]]:
        at = wire.source if wire.source >= 0 else self.inputs[~wire.source]
        chain = [(at, 0)]
        for layer in range(self.items[at].layer + 1, self.items[wire.target].layer):
            self.items.append(Item(layer=layer))
            chain.append((len(self.items) - 1, 0))
        chain.append((wire.target, wire.port))
        for (one, _), (other, port) in pairwise(chain):
            for hops in (self.hops, self.above[other], self.below[one]):
                hops.append((one, other, port))
        return chain

    def _order(self) -> None:
        """Sort each layer, by the mean place of the neighbours, so that few wires cross."""
        if len(self.hops) > MANY:
            return
        orders = [(self._crossings(), [list(layer) for layer in self.layers])]
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            # all but the first: inputs stay in their order
            for layer in self.layers[1:] if down else self.layers[:0:-1]:
                rank = self._ranks()
                layer.sort(key=lambda at: self._barycentre(at, rank, down))
            orders.append((self._crossings(), [list(layer) for layer in self.layers]))
        self.layers = min(orders, key=itemgetter(0))[1]

    def _ranks(self) -> dict[int, float]:
        return {at: float(rank) for layer in self.layers for rank, at in enumerate(layer)}

    def _barycentre(self, at: int, rank: dict[int, float], down: bool) -> float:
        if down:
            near = [rank[one] for one, _, _ in self.above[at]]
        else:
            near = [rank[other] + port / 4 for _, other, port in self.below[at]]
        return sum(near) / len(near) if near else rank[at]

    def _crossings(self) -> int:
        rank = self._ranks()
        ends = [
            (self.items[one].layer, rank[one], rank[other] + port / 4)
            for one, other, port in self.hops
        ]
        return sum(
            one_layer == layer and (one_top - top) * (one_bottom - bottom) < 0
            for (one_layer, one_top, one_bottom), (layer, top, bottom) in combinations(ends, 2)
        )

    def _arrange(self) -> None:
        """Move items sideways, without changing their order, so that wires become straight."""
        for layer in self.layers:
            gaps = [self.items[at].width + GAP_X for at in layer]
            for at, x in zip(layer, accumulate(gaps, initial=0.0), strict=False):
                self.items[at].x = x
        for sweep in range(3 * SWEEPS if len(self.hops) <= MANY else 2):
            layers = self.layers if sweep % 2 == 0 else self.layers[::-1]
            for layer in layers:
                wishes = [self._wish(at) for at in layer]
                gaps = [self.items[at].width + GAP_X for at in layer]
                for at, x in zip(layer, spread(wishes, gaps), strict=True):
                    self.items[at].x = x

    def _wish(self, at: int) -> tuple[float, float]:
        """The x at which an item's wires would be straight, and how strongly they pull."""
        items, total, weight = self.items, 0.0, 0.0
        for one, other, port in self.above[at] + self.below[at]:
            boxes = bool(items[one].width) + bool(items[other].width)
            stiff = (LONG, ENDS, DIRECT)[boxes]
            top, bottom = items[one].out, items[other].ports[port]
            wish = items[one].x + top - bottom if at == other else items[other].x + bottom - top
            total, weight = total + stiff * wish, weight + stiff
        return (total / weight, weight) if weight else (items[at].x, 1.0)

    def _corners(
        self, chain: list[tuple[int, int]], tops: list[float], heights: list[float]
    ) -> list[Point]:
        """The corners of a wire: down a layer, across a gap, down the next layer, ..."""
        points: list[Point] = []
        for step, (at, port) in enumerate(chain):
            item = self.items[at]
            if step:
                points.append((item.x + item.ports[port], tops[item.layer]))
            if step < len(chain) - 1:
                x = item.x + item.out
                if not step:
                    points.append((x, item.y + item.height))
                points.append((x, tops[item.layer] + heights[item.layer]))
                if not step and isinstance(item, Placed):
                    points.append((x, points[-1][1] + STUB))
        return points


def spread(wishes: list[tuple[float, float]], gaps: list[float]) -> list[float]:
    """The places nearest to the wishes that keep their order and the gaps between them.

    Least squares, by pooling neighbours that would overlap.

    Args:
        wishes: The wanted place of each item, and the weight of that wish.
        gaps: The least distance from each item to the next one.
    """
    offsets = list(accumulate(gaps[:-1], initial=0.0))
    pools: list[tuple[float, float, int]] = []  # mean, weight, size
    for (wish, weight), offset in zip(wishes, offsets, strict=True):
        mean, size = wish - offset, 1
        while pools and pools[-1][0] > mean:
            last, last_weight, last_size = pools.pop()
            mean = (mean * weight + last * last_weight) / (weight + last_weight)
            weight, size = weight + last_weight, size + last_size
        pools.append((mean, weight, size))
    means = [mean for mean, _, size in pools for _ in range(size)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def walk(
    placed: Placed, x: float = 0.0, y: float = 0.0
) -> Iterator[tuple[float, float, Placed]]:
    """A box and all boxes in it, as (x, y, box) on the page, each before those in it."""
    yield x, y, placed
    for dx, dy, child in placed.children:
        yield from walk(child, x + dx, y + dy)
