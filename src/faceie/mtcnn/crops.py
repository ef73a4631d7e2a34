"""What is in boxes of an image, resized for R- and O-Net: all of them at once.

A crop is resized as everything here is, by averaging areas: two products with matrices of weights, one for its rows and
one for its columns. Crops of about one size are cut out equally large, so that one (stacked) product resizes them all.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..nn.resample import resample_area
from ..types import Array
from .source import Planes, Source

__all__ = ["corners", "crops_of", "inside"]

_SIZES = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)  # what is larger is resized alone
_LARGE = 80  # crops from this size on
_BINS = 4  # rows of large crops at a time
_FLOATS = 1 << 20  # of what is cut out at a time


def corners(boxes: Array, source: Source) -> NDArray[np.intp]:
    """Return boxes (n, 4) in whole pixels, counted from 0, right and bottom exclusive, cut at the border of the
    image.
    """
    height, width = source.size
    corners = np.trunc(boxes).astype(np.intp)
    corners[:, :2] = np.maximum(corners[:, :2], 1) - 1  # the reference counts pixels from 1, and its last is inside
    corners[:, 2:] = np.minimum(corners[:, 2:], (width, height))
    return corners


def inside(boxes: Array, source: Source) -> Array:
    """Return the boxes that have pixels of the image in them. (The reference fails where there are others.)"""
    left, top, right, bottom = corners(boxes, source).T
    inside: Array = boxes[(right > left) & (bottom > top)]
    return inside


def crops_of(source: Source, boxes: Array, size: int, *, exact: bool = True) -> Array:
    """Return what is in boxes (n, 4), all of which have pixels in them, resized: (n, size, size, 3) float32, 0 to 255.

    A box that reaches over the border is cut there, so what is left of it is stretched. `exact`: see `Source`.
    """
    crops = np.empty((len(boxes), size, size, 3), np.float32)
    edges = corners(boxes, source)
    sides = (edges[:, 2:] - edges[:, :2]).min(1).tolist()
    halvings = np.array([source.halvings(side / size, exact=exact) for side in sides], np.intp)
    edges[:, :2] >>= halvings[:, None]
    edges[:, 2:] = -(-edges[:, 2:] >> halvings[:, None])
    longest = (edges[:, 2:] - edges[:, :2]).max(1, initial=0)
    group = np.searchsorted(_SIZES, longest)  # [n]: which of the sizes each fits into
    for number, halved in sorted(set(zip(group.tolist(), halvings.tolist(), strict=True))):
        planes, members = source.planes[halved], np.flatnonzero((group == number) & (halvings == halved))
        if number == len(_SIZES):
            for index in members:
                left, top, right, bottom = edges[index]
                crops[index] = resample_area(planes[:, top:bottom, left:right].transpose(1, 2, 0), size, size)
            continue
        step = max(1, _FLOATS // (3 * _SIZES[number] ** 2))
        for start in range(0, len(members), step):
            part = members[start : start + step]
            crops[part] = _resized(planes, edges[part], size)
    return crops


def _resized(planes: Planes, edges: NDArray[np.intp], size: int) -> Array:
    """Return what is in edges (n, 4), which are of about one size: (n, size, size, 3)."""
    _, height, width = planes.shape
    left, top, right, bottom = edges.T
    # Of large crops, rows are averaged for a few bins at a time: in all other bins, they would have weights of zero.
    bands = size // _BINS if (bottom - top).max() >= _LARGE else 1
    start, stop = (edge.reshape(len(edges), bands, -1) for edge in _bins(top, bottom, size))  # [n, bands, bins]
    row = start[..., :1] + np.arange((stop[..., -1] - start[..., 0]).max())  # [n, bands, rows of a band]
    row_weights = _weights(start, stop, row)  # [n, bands, bins, rows of a band]
    wide = (right - left).max()
    first = np.minimum(left, width - wide)  # of the columns that are cut out
    column_weights = _weights(*_bins(left, right, size), first[:, None] + np.arange(wide))  # [n, size, wide]

    strips = sliding_window_view(planes, wide, 2)[:, np.minimum(row, height - 1), first[:, None, None]]
    pixels = strips.astype(np.float32)  # [3, n, bands, rows of a band, wide]
    narrow = (row_weights @ pixels).reshape(3, len(edges), size, wide)
    resized: Array = np.matmul(narrow, column_weights.swapaxes(1, 2))  # [3, n, size, size]
    crops: Array = resized.transpose(1, 2, 3, 0)
    return crops


def _bins(first: NDArray[np.intp], last: NDArray[np.intp], bins: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where bins start and stop, (n, bins) each, that share the pixels from `first` to `last` (n,).

    Bin i covers the pixels floor(i * length / bins) .. ceil((i + 1) * length / bins), counted from the first.
    """
    index, length, first = np.arange(bins), (last - first)[:, None], first[:, None]
    return first + index * length // bins, first - (-(index + 1) * length // bins)


def _weights(start: NDArray[np.intp], stop: NDArray[np.intp], pixel: NDArray[np.intp]) -> Array:
    """Return the weights (..., bins, pixels) of pixels (..., pixels) in bins (..., bins)."""
    pixel = pixel[..., None, :]
    covered = (pixel >= start[..., None]) & (pixel < stop[..., None])
    weights: Array = np.divide(covered, (stop - start)[..., None], dtype=np.float32)
    return weights
