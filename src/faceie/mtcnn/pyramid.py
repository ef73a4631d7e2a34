"""The image pyramid: a mipmap of the image, the levels that P-Net searches, and P-Net on their tiles.

The cascade resizes everything from the image itself, as the reference does. Averages over many pixels hardly change if
the pixels are averaged in fours first. So for large images they are computed from a `MipMap`, whose levels have a
quarter of the pixels each.

No level of the pyramid is stored as a whole. Each tile is resized from the mipmap just before P-Net runs on it, so that
its activations stay in the cache. All tiles of a level have one size and overlap where that size does not divide the
level. So one list of calls (`faceie.nn.buffers`) is enough for a level.
"""

from __future__ import annotations

import math
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
from .views import View

__all__ = ["FIELD", "STRIDE", "Level", "MipMap", "Planes", "Tile", "levels", "scales"]

Planes = NDArray[np.uint8]  # (3, height, width)

FIELD = 12  # pixels: the side of P-Net's window
STRIDE = 2  # pixels between its windows
_TILE = (64, 288)  # windows, down and right, at most
_SMALL_TILE = (24, 48)  # the same where only some tiles are searched
_KEPT = 64  # lists of calls that a thread keeps

_EXACT = 4_000_000  # pixels: up to this size, results equal those of the reference to the last digits
_SIDE = 6  # pixels of a mipmap level, along each axis, that an average covers at least
_HALVINGS = 3
_WHOLE = 1 << _HALVINGS  # pixels: parts of the image begin at multiples of this number, so that all halvings are whole
_STRIP = 1_000_000  # pixels at a time: the copies that Pillow makes stay in the cache
_BLOCK = 128  # pixels along each axis of a block: boxes are read in whole blocks


class MipMap:
    """An image, or parts of it, as color planes: at its full size and halved up to three times."""

    def __init__(self, image: Image.Image | View, near: Array | None = None) -> None:
        """Take an RGB image or a view of one; with boxes (n, 4) `near`, only blocks around these. The rest is 0."""
        width, height = image.size
        self.size = (height, width)
        self._exact = width * height <= _EXACT
        self.planes: list[Planes] = []  # by mipmap level: 0 is the full size
        while len(self.planes) <= _HALVINGS and (not self.planes or min(self.planes[-1].shape[1:]) > 1):
            # Memory of zeros takes no space before it is written.
            self.planes.append((np.empty if near is None else np.zeros)((3, height, width), np.uint8))
            height, width = -(-height // 2), -(-width // 2)
        for box in _strips(image.size) if near is None else _blocks(image.size, near):
            self._read(image, box)

    def _read(self, image: Image.Image | View, box: tuple[int, int, int, int]) -> None:
        """Copy a part of the image to all levels."""
        left, top, _, _ = box
        part = image.crop(box)
        for level, planes in enumerate(self.planes):
            part = part.reduce(2) if level else part
            down, right = top >> level, left >> level
            for plane, channel in zip(planes, part.split(), strict=True):
                plane[down : down + part.height, right : right + part.width] = np.asarray(channel)

    def mip_level(self, pixels: float, *, exact: bool = True) -> int:
        """Return the mipmap level from which to average over `pixels` of the image along each axis.

        With `exact`, small images are always averaged from their full size, level 0.
        """
        if exact and self._exact:
            return 0
        return min(max(int(np.log2(max(pixels / _SIDE, 1))), 0), len(self.planes) - 1)


def _strips(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Yield boxes that cover an image of this width and height, all of its width at a time."""
    width, height = size
    rows = max(_STRIP // width // _WHOLE, 1) * _WHOLE
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def _blocks(size: tuple[int, int], boxes: Array) -> Iterator[tuple[int, int, int, int]]:
    """Yield boxes, of whole blocks, that cover given boxes (n, 4) in an image of this width and height."""
    width, height = size
    wanted = np.zeros((-(-height // _BLOCK), -(-width // _BLOCK) + 1), bool)
    for left, top, right, bottom in np.maximum(boxes, 0) / _BLOCK:
        wanted[int(top) : math.ceil(bottom), int(left) : min(math.ceil(right), wanted.shape[1] - 1)] = True
    edges = np.diff(wanted, axis=1, prepend=False)  # the last column is not wanted: so each run has an end
    for row, columns in enumerate(map(np.flatnonzero, edges)):
        for first, last in columns.reshape(-1, 2).tolist():
            yield first * _BLOCK, row * _BLOCK, min(last * _BLOCK, width), min((row + 1) * _BLOCK, height)


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

    def __init__(self, height: int, width: int, scale: float, small_tiles: bool = False) -> None:
        self.scale = scale
        self.size = (int(height * scale + 1), int(width * scale + 1))
        self._resamplers: dict[int, AreaResampler] = {}  # by mipmap level
        windows = [-(-(side - 2) // STRIDE) - 4 for side in self.size]
        largest = _SMALL_TILE if small_tiles else _TILE
        self._tile = [-(-count // -(-count // most)) for count, most in zip(windows, largest, strict=True)]
        rows, columns = (_starts(count, tile) for count, tile in zip(windows, self._tile, strict=True))
        self.tiles = [Tile(top, left, up, aside) for top, up in rows for left, aside in columns]

    def tiles_with(self, boxes: Array) -> list[Tile]:
        """Return the tiles that have windows within some of the boxes (n, 4) of the image."""
        left, top, right, bottom = (boxes * np.float32(self.scale / STRIDE)).T  # [n], in windows
        rows, columns = self._tile
        return [
            tile
            for tile in self.tiles
            if np.any(
                (left < tile.left + columns) & (right > tile.left) & (top < tile.top + rows) & (bottom > tile.top)
            )
        ]

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


@lru_cache(maxsize=6)
def levels(height: int, width: int, scales: tuple[float, ...], small_tiles: bool = False) -> list[Level]:
    """Return the levels of the pyramid for images of this size."""
    return [Level(height, width, scale, small_tiles) for scale in scales]


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
