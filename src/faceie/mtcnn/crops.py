"""Boxes of an image, cropped and resized for R- and O-Net, many at once.

A crop is resized by averaging areas: two products with matrices of weights, one for its rows and one for its columns.
Crops of similar size are cut out equally large, so that one stacked product resizes them all.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..nn.resample import resample_area
from ..types import Array
from .pyramid import MipMap, Planes

__all__ = ["crop_boxes", "keep_inside", "to_pixels"]

_SIZES = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)  # larger crops are resized one by one
_LARGE = 80  # pixels: the least height of crops that are resized in bands
_BINS = 4  # rows of the result that a band makes
_FLOATS = 1 << 20  # numbers that are cropped at a time


def to_pixels(boxes: Array, mipmap: MipMap) -> NDArray[np.intp]:
    """Return boxes (n, 4) in whole pixels, clipped to the image, right and bottom exclusive."""
    height, width = mipmap.size
    edges = np.trunc(boxes).astype(np.intp)
    edges[:, :2] = np.maximum(edges[:, :2], 1) - 1  # the reference counts pixels from 1, and its last is inside
    edges[:, 2:] = np.minimum(edges[:, 2:], (width, height))
    return edges


def keep_inside(boxes: Array, mipmap: MipMap) -> Array:
    """Return the boxes that hold pixels of the image. (The reference fails for the others.)"""
    left, top, right, bottom = to_pixels(boxes, mipmap).T
    inside: Array = boxes[(right > left) & (bottom > top)]
    return inside


def crop_boxes(mipmap: MipMap, boxes: Array, size: int, *, exact: bool = True) -> Array:
    """Crop boxes (n, 4), each with pixels of the image, and resize them: (n, size, size, 3) float32, 0 to 255.

    A box that reaches over the border is clipped there, so its crop is stretched. `exact`: see `MipMap.mip_level`.
    """
    crops = np.empty((len(boxes), size, size, 3), np.float32)
    edges = to_pixels(boxes, mipmap)
    sides = (edges[:, 2:] - edges[:, :2]).min(1).tolist()
    mip_levels = np.array([mipmap.mip_level(side / size, exact=exact) for side in sides], np.intp)
    edges[:, :2] >>= mip_levels[:, None]
    edges[:, 2:] = -(-edges[:, 2:] >> mip_levels[:, None])
    longest = (edges[:, 2:] - edges[:, :2]).max(1, initial=0)
    group = np.searchsorted(_SIZES, longest)  # [n]: the index of the smallest of `_SIZES` that each fits into
    for number, mip_level in sorted(set(zip(group.tolist(), mip_levels.tolist(), strict=True))):
        planes, members = mipmap.planes[mip_level], np.flatnonzero((group == number) & (mip_levels == mip_level))
        if number == len(_SIZES):
            for index in members:
                left, top, right, bottom = edges[index]
                crops[index] = resample_area(planes[:, top:bottom, left:right].transpose(1, 2, 0), size, size)
            continue
        step = max(1, _FLOATS // (3 * _SIZES[number] ** 2))
        for start in range(0, len(members), step):
            part = members[start : start + step]
            crops[part] = _crop_alike(planes, edges[part], size)
    return crops


def _crop_alike(planes: Planes, edges: NDArray[np.intp], size: int) -> Array:
    """Crop and resize boxes of similar size, given by their edges (n, 4): (n, size, size, 3)."""
    _, height, width = planes.shape
    left, top, right, bottom = edges.T
    # Rows of large crops are averaged for a few bins at a time: their weights in all other bins would be zero.
    bands = size // _BINS if (bottom - top).max() >= _LARGE else 1
    start, stop = (edge.reshape(len(edges), bands, -1) for edge in _bin_edges(top, bottom, size))  # [n, bands, bins]
    row = start[..., :1] + np.arange((stop[..., -1] - start[..., 0]).max())  # [n, bands, rows of a band]
    row_weights = _bin_weights(start, stop, row)  # [n, bands, bins, rows of a band]
    wide = (right - left).max()
    first = np.minimum(left, width - wide)  # [n]: the first column to crop
    column_weights = _bin_weights(*_bin_edges(left, right, size), first[:, None] + np.arange(wide))  # [n, size, wide]

    strips = sliding_window_view(planes, wide, 2)[:, np.minimum(row, height - 1), first[:, None, None]]
    pixels = strips.astype(np.float32)  # [3, n, bands, rows of a band, wide]
    narrow = (row_weights @ pixels).reshape(3, len(edges), size, wide)
    resized: Array = np.matmul(narrow, column_weights.swapaxes(1, 2))  # [3, n, size, size]
    crops: Array = resized.transpose(1, 2, 3, 0)
    return crops


def _bin_edges(first: NDArray[np.intp], last: NDArray[np.intp], bins: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the starts and stops, (n, bins) each, of bins that share the pixels from `first` to `last` (n,).

    Bin i covers the pixels floor(i * length / bins) .. ceil((i + 1) * length / bins), counted from the first.
    """
    index, length, first = np.arange(bins), (last - first)[:, None], first[:, None]
    return first + index * length // bins, first - (-(index + 1) * length // bins)


def _bin_weights(start: NDArray[np.intp], stop: NDArray[np.intp], pixel: NDArray[np.intp]) -> Array:
    """Return the weights (..., bins, pixels) of pixels (..., pixels) in bins (..., bins)."""
    pixel = pixel[..., None, :]
    covered = (pixel >= start[..., None]) & (pixel < stop[..., None])
    weights: Array = np.divide(covered, (stop - start)[..., None], dtype=np.float32)
    return weights
