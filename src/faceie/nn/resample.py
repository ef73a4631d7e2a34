"""Area resampling: the fast twin of `reference.resample_area`.

The average over a rectangle is an average over rows, then over columns, and each is a matrix product with a matrix that
is nearly empty: output row i has weight 1 / count in the columns of its bin. For a few output rows (or columns) at a
time, the nonzero part of the matrix is small and nearly full, so a plain matrix product wastes little. The source is
read a band of rows at a time, so the working set is a few megabytes for a source of any size.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import Array

__all__ = ["AreaResampler", "resample_area"]

_BAND = 32  # rows of the source at a time
_BINS = 32  # output columns at a time: more means fewer, larger products with more zeros in them


class Bins(NamedTuple):
    """Some output rows or columns, one after the other."""

    first: int
    last: int  # exclusive
    begin: int  # the first row or column of the source that they cover
    weights: Array  # [last - first, source rows or columns]

    @property
    def end(self) -> int:
        """The last row or column of the source that they cover (exclusive)."""
        return self.begin + len(self.weights[0])


class AreaResampler:
    """Resizes images of (source height, source width) to (height, width), any rectangle of the result at a time.

    The weights of each rectangle are computed once.
    """

    def __init__(self, source: tuple[int, int], size: tuple[int, int]) -> None:
        self.source = source
        self.size = size
        self._bins: dict[tuple[int, int, int], list[Bins]] = {}

    def planes(self, image: NDArray[Any], rows: tuple[int, int], columns: tuple[int, int], out: Array) -> None:
        """Fill `out` (rows, channels, columns) float32 with rows and columns, first to last (exclusive), of the resized
        image.

        `image`: (channels, source height, source width), of any type of numbers.
        """
        vertical = self._get_bins(0, *rows, max(1, _BAND * self.size[0] // self.source[0]))
        horizontal = self._get_bins(1, *columns, _BINS)
        left, right = horizontal[0].begin, horizontal[-1].end
        narrow = np.empty((len(out), len(image), right - left), np.float32)
        for bins in vertical:
            band = image[:, bins.begin : bins.end, left:right].astype(np.float32)  # [channels, band, span]
            np.matmul(bins.weights, band, out=narrow[bins.first : bins.last].swapaxes(0, 1))
        lines, goal = narrow.reshape(-1, right - left), out.reshape(-1, out.shape[2])  # [rows * channels, ...]
        for bins in horizontal:
            part = lines[:, bins.begin - left : bins.end - left]
            np.matmul(part, bins.weights.T, out=goal[:, bins.first : bins.last])

    def _get_bins(self, axis: int, first: int, last: int, step: int) -> list[Bins]:
        """Return the rows or columns from first to last, `step` at a time, counted from the first."""
        key = (axis, first, last)
        if key not in self._bins:
            length, bins = self.source[axis], self.size[axis]
            parts = []
            for start in range(first, last, step):
                stop = min(start + step, last)
                parts.append(Bins(start - first, stop - first, *_weights(length, bins, start, stop)))
            self._bins[key] = parts
        return self._bins[key]


def resample_area(image: NDArray[Any], height: int, width: int) -> Array:
    """Resize an image (h, w, channels) of any type of numbers to (height, width, channels) float32 by averaging."""
    resampler = AreaResampler((image.shape[0], image.shape[1]), (height, width))
    y = np.empty((height, image.shape[2], width), np.float32)
    resampler.planes(image.transpose(2, 0, 1), (0, height), (0, width), y)
    return np.ascontiguousarray(y.swapaxes(1, 2))


def _weights(length: int, bins: int, first: int, last: int) -> tuple[int, Array]:
    """Return the first pixel that bins `first` to `last` (of `bins` over `length` pixels) cover, and their weights
    (last - first, pixels).
    """
    index = np.arange(first, last)
    start, stop = index * length // bins, -(-(index + 1) * length // bins)  # the bins overlap by up to one pixel
    pixel = np.arange(start[0], stop[-1])
    inside = (pixel >= start[:, None]) & (pixel < stop[:, None])  # [last - first, pixels]
    return int(start[0]), np.divide(inside, (stop - start)[:, None], dtype=np.float32)
