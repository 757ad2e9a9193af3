"""Where the boxes and wires of a drawing go: in layers from top to bottom, call by call.

Each call is laid out by itself, then placed as one box in the layout of its caller. So a wire
crosses the border of a call only at its inputs and its output. Within a call this is the
layered method of Sugiyama: layers by longest path, a stand-in in each layer that a wire passes,
few crossings by barycentres, places by least squares. It is written here because the layout
engines for nested boxes are programs outside Python (graphviz's dot) or in other languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from primeval.scripts.drawing.boxes import Box, Wire

CHARACTER = 6.7  # width of a character, at 11 points in a monospaced face
OP_HEIGHT, HEADER, GAP_X, GAP_Y, PADDING = 24.0, 22.0, 22.0, 28.0, 14.0
STUB = 11.0  # length of the straight piece under a box, which has a number beside it
SWEEPS = 12  # passes over the layers to sort them
MANY = 1500  # a call with more hops is not untangled: no reader could follow its wires anyway
# How strongly a hop keeps straight: between two boxes, two stand-ins, a box and a stand-in.
DIRECT, LONG, ENDS = 4.0, 8.0, 0.25

Point = tuple[float, float]


@dataclass
class Item:
    """What stands in a layer: a box, an input, the output, or the stand-in of a passing wire.

    Attributes:
        layer: The number of its layer, counted from the top.
        width, height: Its size; 0 for all but boxes.
        ports: The distances of its inputs from its left side.
        out: The distance of its output from its left side.
        x, y: Its upper left corner, in its call.
        box: The laid out box, if it is one.
    """

    layer: int = 0
    width: float = 0.0
    height: float = 0.0
    ports: tuple[float, ...] = (0.0,)
    out: float = 0.0
    x: float = 0.0
    y: float = 0.0
    box: Placed | None = None


@dataclass
class Placed:
    """A box after its layout. All coordinates in it start from its upper left corner.

    Attributes:
        box: The box.
        width, height: Its size.
        ports: The distances of its inputs from its left side.
        out: The distance of its output from its left side.
        children: The boxes in it, as (x, y, box).
        wires: The corners of each wire; straight down within a layer, curved between layers.
    """

    box: Box
    width: float
    height: float
    ports: tuple[float, ...]
    out: float
    children: list[tuple[float, float, Placed]] = field(default_factory=list)
    wires: list[list[Point]] = field(default_factory=list)


def place(box: Box) -> Placed:
    """Lay out a box and everything in it."""
    if box.boxes:
        return _Layout(box).placed()
    width = CHARACTER * len(box.title) + 16
    ports = tuple(width * (port + 1) / (box.ports + 1) for port in range(box.ports))
    return Placed(box, width, OP_HEIGHT, ports, width / 2)


class _Layout:
    """The layout of one call. A hop is the piece of a wire from one layer to the next."""

    def __init__(self, box: Box) -> None:
        self.box = box
        inside = [place(child) for child in box.boxes]
        self.items = [
            Item(0, one.width, one.height, one.ports, one.out, box=one) for one in inside
        ]
        self.output = len(self.items)
        self.items.append(Item())
        self.inputs = [self.output + 1 + number for number in range(box.ports)]
        self.items += [Item() for _ in self.inputs]
        self.hops: list[tuple[int, int, int]] = []  # source, target, port of the target
        self.above: dict[int, list[int]] = {}  # hops by target
        self.below: dict[int, list[int]] = {}  # hops by source
        self.chains = self._layered()
        count = 1 + max(item.layer for item in self.items)
        self.layers: list[list[int]] = [[] for _ in range(count)]
        for number, item in enumerate(self.items):
            self.layers[item.layer].append(number)
        self.layers[0] = list(self.inputs)

    def placed(self) -> Placed:
        self._order()
        self._arrange()
        heights = [max(self.items[at].height for at in layer) for layer in self.layers]
        tops, y = [], HEADER
        for height in heights:
            tops.append(y)
            y += height + GAP_Y
        bottom = y - GAP_Y  # the last layer is that of the output, which has no height
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
            self.box,
            width,
            bottom,
            tuple(self.items[at].x for at in self.inputs),
            self.items[self.output].x,
            [(item.x, item.y, item.box) for item in self.items if item.box is not None],
            [self._corners(chain, tops, heights) for chain in self.chains],
        )

    def _layered(self) -> list[list[tuple[int, int]]]:
        """Give all items their layers. Returns each wire as a chain of (item, port)."""
        wires = self.box.wires
        for number, item in enumerate(self.items[: self.output + 1]):
            sources = [wire.source for wire in wires if wire.target == number]
            item.layer = 1 + max(
                (self.items[source].layer for source in sources if source >= 0), default=0
            )
        boxes = self.items[: self.output]
        self.items[self.output].layer = 1 + max(item.layer for item in boxes)
        return [self._chain(wire) for wire in wires]

    def _chain(self, wire: Wire) -> list[tuple[int, int]]:
        at = wire.source if wire.source >= 0 else self.inputs[~wire.source]
        chain = [(at, 0)]
        for layer in range(self.items[at].layer + 1, self.items[wire.target].layer):
            self.items.append(Item(layer))
            chain.append((len(self.items) - 1, 0))
        chain.append((wire.target, wire.port))
        for (one, _), (other, port) in pairwise(chain):
            self.above.setdefault(other, []).append(len(self.hops))
            self.below.setdefault(one, []).append(len(self.hops))
            self.hops.append((one, other, port))
        return chain

    def _order(self) -> None:
        """Sort each layer, by the mean place of the neighbours, so that few wires cross."""
        if len(self.hops) > MANY:
            return
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            for layer in self.layers if down else reversed(self.layers):
                if layer is self.layers[0]:
                    continue  # inputs stay in their order
                rank = self._ranks()
                wanted = {at: self._barycentre(at, rank, down) for at in layer}
                layer.sort(key=lambda at: wanted[at])
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _ranks(self) -> dict[int, float]:
        return {at: float(rank) for layer in self.layers for rank, at in enumerate(layer)}

    def _barycentre(self, at: int, rank: dict[int, float], down: bool) -> float:
        hops = (self.above if down else self.below).get(at, [])
        if down:
            near = [rank[self.hops[hop][0]] for hop in hops]
        else:
            near = [rank[self.hops[hop][1]] + self.hops[hop][2] / 4 for hop in hops]
        return sum(near) / len(near) if near else rank[at]

    def _crossings(self) -> int:
        rank, count = self._ranks(), 0
        ends = [
            (self.items[one].layer, rank[one], rank[other] + port / 4)
            for one, other, port in self.hops
        ]
        for number, (layer, top, bottom) in enumerate(ends):
            for other_layer, other_top, other_bottom in ends[:number]:
                if layer == other_layer and (top - other_top) * (bottom - other_bottom) < 0:
                    count += 1
        return count

    def _arrange(self) -> None:
        """Move items sideways, without changing their order, so that wires become straight."""
        for layer in self.layers:
            x = 0.0
            for at in layer:
                self.items[at].x = x
                x += self.items[at].width + GAP_X
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
        for hop in self.above.get(at, []) + self.below.get(at, []):
            one, other, port = self.hops[hop]
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
                x = item.x + (item.ports[port] if item.ports else 0.0)
                points.append((x, tops[item.layer]))
            if step < len(chain) - 1:
                x = item.x + item.out
                if not step:
                    points.append((x, item.y + item.height))
                points.append((x, tops[item.layer] + heights[item.layer]))
                if not step and item.box is not None:
                    points.append((x, points[-1][1] + STUB))
        return points


def spread(wishes: list[tuple[float, float]], gaps: list[float]) -> list[float]:
    """The places nearest to the wishes that keep their order and the gaps between them.

    Least squares, by pooling neighbours that would overlap.

    Args:
        wishes: The wanted place of each item, and the weight of that wish.
        gaps: The least distance from each item to the next one.
    """
    offsets = [0.0]
    for gap in gaps[:-1]:
        offsets.append(offsets[-1] + gap)
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
