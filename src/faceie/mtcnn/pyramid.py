"""The image pyramid: a mipmap of the image, the levels that P-Net searches, and P-Net on their tiles.

The cascade resizes everything from the image itself, as the reference does. Averages over many pixels hardly change if
the pixels are averaged in fours first. So for large images they are computed from a `MipMap`, whose levels have a
quarter of the pixels each.

No level of the pyramid is stored as a whole. Each tile is resized from the mipmap just before P-Net runs on it, so that
its activations stay in the cache. All tiles of a level have one size and overlap where that size does not divide the
level. So one list of calls (`faceie.nn.buffers`) is enough for a level.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..nn.buffers import Arena, Recorder
from ..nn.planar import PlanarKernels
from ..nn.resample import AreaResampler
from ..types import Array
from .networks import PNet, p_net
from .options import DetectionOptions

__all__ = ["FIELD", "STRIDE", "Level", "MipMap", "Planes", "Tile", "levels", "scales"]

Planes = NDArray[np.uint8]  # (3, height, width)

FIELD = 12  # pixels: the side of P-Net's window
STRIDE = 2  # pixels between its windows
_TILE = (64, 288)  # windows, down and right, at most
_KEPT = 64  # lists of calls that a thread keeps

_EXACT = 4_000_000  # pixels: up to this size, results equal those of the reference to the last digits
_SIDE = 6  # pixels of a mipmap level, along each axis, that an average covers at least
_HALVINGS = 3
_STRIP = 1_000_000  # pixels at a time: the copies that Pillow makes stay in the cache


class MipMap:
    """An image as color planes, at its full size and halved up to three times."""

    def __init__(self, image: Image.Image) -> None:
        """Take an RGB image."""
        self.size = (image.height, image.width)
        self._exact = image.width * image.height <= _EXACT
        self.planes = _halved(image)  # by mipmap level: 0 is the full size

    def mip_level(self, pixels: float, *, exact: bool = True) -> int:
        """Return the mipmap level from which to average over `pixels` of the image along each axis.

        With `exact`, small images are always averaged from their full size, level 0.
        """
        if exact and self._exact:
            return 0
        return min(max(int(np.log2(max(pixels / _SIDE, 1))), 0), len(self.planes) - 1)


def _halved(image: Image.Image) -> list[Planes]:
    """Return the planes of an image, and of its halves, down to one row or column."""
    width, height = image.size
    sizes = [(height, width)]
    while len(sizes) <= _HALVINGS and min(sizes[-1]) > 1:
        height, width = -(-height // 2), -(-width // 2)
        sizes.append((height, width))
    halved = [np.empty((3, *size), np.uint8) for size in sizes]
    whole = 1 << _HALVINGS  # rows: each strip has a multiple of this number, so that all halvings are whole
    height = max(_STRIP // image.width // whole, 1) * whole
    for top in range(0, image.height, height):
        strip = image.crop((0, top, image.width, min(top + height, image.height)))
        for level, planes in enumerate(halved):
            strip = strip.reduce(2) if level else strip
            rows = slice(top >> level, (top >> level) + strip.height)
            for plane, channel in zip(planes, strip.split(), strict=True):
                plane[rows] = np.asarray(channel)
    return halved


def scales(mipmap: MipMap, options: DetectionOptions) -> Iterator[float]:
    """Yield the scales of the pyramid's levels, the finest first.

    At the first, the smallest face fills P-Net's window. At the last, the image just holds one window.
    """
    scale = FIELD / options.min_face_size
    while min(mipmap.size) * scale >= FIELD:
        yield scale
        scale *= options.factor


class Tile(NamedTuple):
    """A rectangle of P-Net's windows on a level."""

    top: int
    left: int
    first_row: int  # the rows above belong to the previous tile, too
    first_column: int


class Level:
    """A level of the pyramid, for images of one size."""

    def __init__(self, height: int, width: int, scale: float) -> None:
        self.scale = scale
        self.size = (int(height * scale + 1), int(width * scale + 1))
        self._resamplers: dict[int, AreaResampler] = {}  # by mipmap level
        windows = [-(-(side - 2) // STRIDE) - 4 for side in self.size]
        self._tile = [-(-count // -(-count // most)) for count, most in zip(windows, _TILE, strict=True)]
        rows, columns = (_starts(count, tile) for count, tile in zip(windows, self._tile, strict=True))
        self.tiles = [Tile(top, left, up, aside) for top, up in rows for left, aside in columns]

    def run_p_net(self, mipmap: MipMap, tile: Tile, w: PNet) -> tuple[Array, Array]:
        """Return the scores (rows, columns) and offsets (rows, 4, columns) of the windows of a tile.

        The next call in the same thread overwrites both arrays.
        """
        spans = [
            (STRIDE * first, min(STRIDE * (first + windows) + FIELD - STRIDE, length))
            for first, windows, length in zip(tile[:2], self._tile, self.size, strict=True)
        ]
        rows, columns = spans
        network = _network(w, rows[1] - rows[0], columns[1] - columns[0])
        mip_level = mipmap.mip_level(1 / self.scale)
        planes = mipmap.planes[mip_level]
        if mip_level not in self._resamplers:
            self._resamplers[mip_level] = AreaResampler((planes.shape[1], planes.shape[2]), self.size)
        self._resamplers[mip_level].planes(planes, rows, columns, network.x)
        network.record.run()
        return network.scores, network.offsets


def _starts(count: int, size: int) -> list[tuple[int, int]]:
    """Return the starts of tiles of `size` that cover `count` windows, each with its overlap with the previous tile."""
    starts = range(0, count, size)
    return [(min(start, count - size), max(0, start - (count - size))) for start in starts]


@lru_cache(maxsize=4)
def levels(height: int, width: int, scales: tuple[float, ...]) -> list[Level]:
    """Return the levels of the pyramid for images of this size."""
    return [Level(height, width, scale) for scale in scales]


class _Network:
    """P-Net for tiles of one size, in one thread."""

    def __init__(self, w: PNet, height: int, width: int, memory: Arena) -> None:
        self.record = Recorder(memory)
        with self.record.part():  # the networks of a thread share its memory: only one of them runs at a time
            self.x = self.record.scratch(height, 3, width)
            self.record(np.subtract, self.x, np.float32(127.5), out=self.x)
            self.record(np.multiply, self.x, np.float32(1 / 128), out=self.x)
            scores, offsets = p_net(self.x[None], w, PlanarKernels(self.record))
            self.scores, self.offsets = scores[0], offsets[0]


class _Networks(threading.local):
    """The networks of a thread, the most recently used last."""

    def __init__(self) -> None:
        self.memory = Arena()
        self.largest: _Network | None = None  # allocates the memory, which is enough for all others
        self.known: OrderedDict[tuple[int, int, int], tuple[PNet, _Network]] = OrderedDict()


_networks = _Networks()


def _network(w: PNet, height: int, width: int) -> _Network:
    key = (id(w), height, width)  # the weights are kept, too, so that no others get their id
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
