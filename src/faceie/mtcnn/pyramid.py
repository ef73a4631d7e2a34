"""The image pyramid, and P-Net on it: tile by tile.

No level exists as a whole: each tile is resized from the image itself when its turn comes, and what P-Net computes for
it stays in the cache. The tiles of a level have one size, and reach into each other where they do not divide it: so
there is one list of calls for a level (`faceie.nn.buffers`), made when a photo of this size is first seen.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..nn.buffers import Arena, Recorder
from ..nn.planar import PlanarKernels
from ..nn.resample import AreaResampler
from ..types import Array
from .networks import PNet, p_net
from .source import Source

__all__ = ["FIELD", "STRIDE", "Level", "Tile", "levels"]

FIELD = 12  # pixels of P-Net's window
STRIDE = 2  # pixels between its windows
_TILE = (64, 288)
_KEPT = 64  # lists of calls that a thread keeps


class Tile(NamedTuple):
    """Some of P-Net's windows on a level."""

    top: int
    left: int
    first_row: int  # above are those of the tile before
    first_column: int


class Level:
    """A level of the pyramid of images of one size."""

    def __init__(self, height: int, width: int, scale: float) -> None:
        self.scale = scale
        self.size = (int(height * scale + 1), int(width * scale + 1))
        self._resamplers: dict[int, AreaResampler] = {}  # by how often the image is halved
        windows = [-(-(side - 2) // STRIDE) - 4 for side in self.size]
        self._tile = [-(-count // -(-count // most)) for count, most in zip(windows, _TILE, strict=True)]
        rows, columns = (_starts(count, tile) for count, tile in zip(windows, self._tile, strict=True))
        self.tiles = [Tile(top, left, up, aside) for top, up in rows for left, aside in columns]

    def look(self, source: Source, tile: Tile, w: PNet) -> tuple[Array, Array]:
        """Return the scores (rows, columns) and the corrections (rows, 4, columns) of the windows of a tile.

        What is returned is overwritten when this thread looks at the next tile.
        """
        spans = [
            (STRIDE * first, min(STRIDE * (first + windows) + FIELD - STRIDE, length))
            for first, windows, length in zip(tile[:2], self._tile, self.size, strict=True)
        ]
        rows, columns = spans
        network = _network(w, rows[1] - rows[0], columns[1] - columns[0])
        halvings = source.halvings(1 / self.scale)
        planes = source.planes[halvings]
        if halvings not in self._resamplers:
            self._resamplers[halvings] = AreaResampler((planes.shape[1], planes.shape[2]), self.size)
        self._resamplers[halvings].planes(planes, rows, columns, network.x)
        network.record.run()
        return network.scores, network.offsets


def _starts(count: int, size: int) -> list[tuple[int, int]]:
    """Return where tiles of a size start, that cover so many windows; and how many of the next the last one had."""
    starts = range(0, count, size)
    return [(min(start, count - size), max(0, start - (count - size))) for start in starts]


@lru_cache(maxsize=4)
def levels(height: int, width: int, scales: tuple[float, ...]) -> list[Level]:
    """Return the levels of the pyramid for images of this size."""
    return [Level(height, width, scale) for scale in scales]


class _Network:
    """P-Net for a tile of one size, in one thread."""

    def __init__(self, w: PNet, height: int, width: int, memory: Arena) -> None:
        self.record = Recorder(memory)
        with self.record.part():  # the networks of a thread share its memory: one of them runs at a time
            self.x = self.record.scratch(height, 3, width)
            self.record(np.subtract, self.x, np.float32(127.5), out=self.x)
            self.record(np.multiply, self.x, np.float32(1 / 128), out=self.x)
            scores, offsets = p_net(self.x[None], w, PlanarKernels(self.record))
            self.scores, self.offsets = scores[0], offsets[0]


class _Networks(threading.local):
    """The networks of a thread, latest last."""

    def __init__(self) -> None:
        self.memory = Arena()
        self.largest: _Network | None = None  # takes the memory that is enough for all others
        self.known: OrderedDict[tuple[int, int, int], tuple[PNet, _Network]] = OrderedDict()


_networks = _Networks()


def _network(w: PNet, height: int, width: int) -> _Network:
    key = (id(w), height, width)  # of weights that are kept, so their id is not given twice
    _, network = _networks.known.get(key, (None, None))
    if _networks.largest is None:
        rows, columns = (STRIDE * windows + FIELD - STRIDE for windows in _TILE)
        _networks.largest = _Network(w, rows, columns, _networks.memory)
    if network is None:
        network = _Network(w, height, width, _networks.memory)
        _networks.known[key] = w, network
        if len(_networks.known) > _KEPT:
            _networks.known.popitem(last=False)
    _networks.known.move_to_end(key)
    return network
