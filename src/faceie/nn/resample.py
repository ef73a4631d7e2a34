"""Area resampling: the fast twin of `reference.resample_area`.

The average over a rectangle is an average over rows, then over columns, and each is a matrix product with a matrix that
is nearly empty: output row i has weight 1 / count in the columns of its bin. Taken a few output rows (or columns) at a
time, what is left of the matrix is small and nearly full, so a plain matrix product wastes little. The source is read a
band of rows at a time, in a working set of a few megabytes, however large it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tree import Array

__all__ = ["AreaResampler", "resample_area"]

_BAND = 1 << 18  # floats of the source at a time: 1 MiB, in the second-level cache
_BINS = 48  # output columns at a time: more means fewer, larger products with more zeros in them


class AreaResampler:
    """Resizes images of (source height, source width) to (height, width), any rows at a time."""

    def __init__(self, source: tuple[int, int], size: tuple[int, int]) -> None:
        self.source = source
        self.size = size
        width = size[1]
        self._columns = [
            (column, *_weights(source[1], width, column, min(column + _BINS, width)))
            for column in range(0, width, _BINS)
        ]

    def rows(self, image: NDArray[Any], first: int, last: int) -> Array:
        """Return rows `first` to `last` (exclusive) of the resized image: (last - first, width, channels) float32.

        `image`: (source height, source width, channels), of any type of numbers.
        """
        _, source_width, channels = image.shape
        height, width = self.size
        y = np.empty((last - first, width, channels), np.float32)
        band_rows = max(1, _BAND // (source_width * channels))
        step = max(1, band_rows * height // self.source[0])  # output rows that a band covers
        for row in range(first, last, step):
            stop = min(row + step, last)
            top, vertical = _weights(self.source[0], height, row, stop)  # [rows, band]
            band = image[top : top + vertical.shape[1]]  # [band, source width, channels]
            rows = y[row - first : stop - first]  # [rows, width, channels]
            for groups in self._spans(len(band) * channels):
                self._fill(rows, band, vertical, groups)
        return y

    def _spans(self, height: int) -> Iterator[list[tuple[int, int, Array]]]:
        """Yield groups of columns, as many at a time as fit the working set if they are `height` numbers high."""
        group_width = self._columns[0][2].shape[1]
        count = max(1, _BAND // (height * group_width))
        for start in range(0, len(self._columns), count):
            yield self._columns[start : start + count]

    @staticmethod
    def _fill(rows: Array, band: NDArray[Any], vertical: Array, groups: list[tuple[int, int, Array]]) -> None:
        """Fill the columns of these groups in rows (rows, width, channels), from a band of the source."""
        begin = groups[0][1]
        end = groups[-1][1] + groups[-1][2].shape[1]
        planes = np.ascontiguousarray(band[:, begin:end].transpose(2, 0, 1), np.float32)  # [channels, band, span]
        narrow = vertical @ planes  # [channels, rows, span]
        lines = narrow.reshape(-1, end - begin)  # [channels * rows, span]
        for column, left, horizontal in groups:
            part = (
                lines[:, left - begin : left - begin + horizontal.shape[1]] @ horizontal.T
            )  # [channels * rows, columns]
            block = rows[:, column : column + len(horizontal)]  # [rows, columns, channels]
            block[...] = part.reshape(len(planes), len(rows), -1).transpose(1, 2, 0)


def resample_area(image: NDArray[Any], height: int, width: int) -> Array:
    """Resize an image (h, w, channels) of any type of numbers to (height, width, channels) float32 by averaging."""
    return AreaResampler((image.shape[0], image.shape[1]), (height, width)).rows(image, 0, height)


def _weights(length: int, bins: int, first: int, last: int) -> tuple[int, Array]:
    """Return the first pixel that bins `first` to `last` (of `bins` over `length` pixels) cover, and their weights
    (last - first, pixels).
    """
    index = np.arange(first, last)
    start, stop = index * length // bins, -(-(index + 1) * length // bins)  # the bins overlap by up to one pixel
    pixel = np.arange(start[0], stop[-1])
    inside = (pixel >= start[:, None]) & (pixel < stop[:, None])  # [last - first, pixels]
    return int(start[0]), np.divide(inside, (stop - start)[:, None], dtype=np.float32)
