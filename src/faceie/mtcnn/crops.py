"""What is in boxes of an image, resized for R- and O-Net: all of them at once.

A crop is resized as everything here is, by averaging areas: two products with matrices of weights, one for its rows and
one for its columns. Crops of about one size are cut out as squares of equal size, so that one (stacked) product resizes
them all.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..nn.resample import resample_area
from ..nn.tree import Array

__all__ = ["Planes", "corners", "crops_of", "inside", "planes_of"]

Planes = NDArray[np.uint8]  # (3, height, width)

_SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256)  # of the squares that are cut out; what is larger is resized alone
_FLOATS = 1 << 18  # of squares that are cut out at a time


def planes_of(image: NDArray[np.uint8]) -> Planes:
    """Return an image (h, w, 3) as planes (3, h, w)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def corners(boxes: Array, planes: Planes) -> NDArray[np.intp]:
    """Return boxes (n, 4) in whole pixels, counted from 0, right and bottom exclusive, cut at the border of the
    image.
    """
    _, height, width = planes.shape
    corners = np.trunc(boxes).astype(np.intp)
    corners[:, :2] = np.maximum(corners[:, :2], 1) - 1  # the reference counts pixels from 1, and its last is inside
    corners[:, 2:] = np.minimum(corners[:, 2:], (width, height))
    return corners


def inside(boxes: Array, planes: Planes) -> Array:
    """Return the boxes that have pixels of the image in them. (The reference fails where there are others.)"""
    left, top, right, bottom = corners(boxes, planes).T
    inside: Array = boxes[(right > left) & (bottom > top)]
    return inside


def crops_of(planes: Planes, boxes: Array, size: int) -> Array:
    """Return what is in boxes (n, 4), all of which have pixels in them, resized: (n, size, size, 3) float32, 0 to 255.

    A box that reaches over the border is cut there, so what is left of it is stretched.
    """
    crops = np.empty((len(boxes), size, size, 3), np.float32)
    edges = corners(boxes, planes)
    longest = (edges[:, 2:] - edges[:, :2]).max(1, initial=0)
    group = np.searchsorted(_SIZES, longest)  # [n]: the square that each fits into
    for number, square in enumerate(_SIZES):
        members = np.flatnonzero(group == number)
        step = max(1, _FLOATS // (3 * square * square))
        for start in range(0, len(members), step):
            part = members[start : start + step]
            crops[part] = _resized(planes, edges[part], square, size)
    for index in np.flatnonzero(group == len(_SIZES)):
        left, top, right, bottom = edges[index]
        crops[index] = resample_area(planes[:, top:bottom, left:right].transpose(1, 2, 0), size, size)
    return crops


def _resized(planes: Planes, edges: NDArray[np.intp], square: int, size: int) -> Array:
    """Return what is in edges (n, 4), none of them longer than `square`: (n, size, size, 3)."""
    _, height, width = planes.shape
    high, wide = min(square, height), min(square, width)
    left, top, right, bottom = edges.T
    x, y = np.minimum(left, width - wide), np.minimum(top, height - high)  # of the squares: within the image
    squares = sliding_window_view(planes, (high, wide), (1, 2))[:, y, x].astype(np.float32)  # [3, n, high, wide]
    rows = _weights(top - y, bottom - y, high, size)  # [n, size, high]
    columns = _weights(left - x, right - x, wide, size)  # [n, size, wide]
    resized = rows @ squares @ columns.swapaxes(1, 2)  # [3, n, size, size]
    crops: Array = resized.transpose(1, 2, 3, 0)
    return crops


def _weights(first: NDArray[np.intp], last: NDArray[np.intp], length: int, bins: int) -> Array:
    """Return the weights (n, bins, length) with which pixels from `first` to `last` (n,) are averaged.

    Bin i covers the pixels floor(i * (last - first) / bins) .. ceil((i + 1) * (last - first) / bins), counted from the
    first.
    """
    index = np.arange(bins)
    span = (last - first)[:, None]  # [n, 1]
    start, stop = first[:, None] + index * span // bins, first[:, None] - (-(index + 1) * span // bins)  # [n, bins]
    pixel = np.arange(length)
    covered = (pixel >= start[..., None]) & (pixel < stop[..., None])  # [n, bins, length]
    weights: Array = np.divide(covered, (stop - start)[..., None], dtype=np.float32)
    return weights
