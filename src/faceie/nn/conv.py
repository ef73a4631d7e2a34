"""Ways to compute a convolution: interchangeable, and each the best for some.

==============  =====================================================================================================
`pointwise`     1 x 1: one matrix product of the activations as they lie
`patches`       any: the windows are copied beside each other, then one matrix product (Chellapilla et al. 2006)
`windows`       1 x k and k x 1: a product for each column of outputs, whose windows are a matrix as they lie
`planes`        few input channels: shifted copies of the rows, in which the windows of a row of outputs are a matrix
`winograd`      3 x 3: a quarter of the multiplications for some more passes over memory (`faceie.nn.winograd`)
==============  =====================================================================================================

None of them computes anything. A method *records* the calls of NumPy that compute, once, on arrays that are there
already; a plan (`faceie.nn.plan`) makes these calls for each batch of images. `choose` tells which method is best, by
rules that ``benchmarks/methods.py`` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..types import Array
from . import winograd as f4
from .activations import ALL, Activations, Border, Finish, Index, Layout, as_matrix, maximum
from .gemm import factor, product
from .record import Recorder

__all__ = ["METHODS", "Method", "Problem", "choose"]

_BLOCK = 1 << 20  # floats of patches at a time: 4 MiB
_POSITIONS = 256  # of all outputs: fewer do not make up for what `winograd` and `windows` do besides


class Problem(NamedTuple):
    """A convolution, as a method gets it."""

    x: Activations
    kernel: Array  # [kh, kw, in, out]
    finish: Finish
    stride: int = 1
    padding: tuple[int, int] = (0, 0)

    def swapped(self) -> Problem:
        """Return the same for rows and columns exchanged."""
        above, left, below, right = self.x.border
        x = Activations(self.x.base.swapaxes(1, 2), (left, above, right, below))
        kernel, padding = self.kernel.swapaxes(0, 1), self.padding[::-1]
        return Problem(x, kernel, self.finish.swapped(), self.stride, padding)


def pointwise(problem: Problem, record: Recorder) -> None:
    """Record the product of the activations with a kernel of 1 x 1."""
    x, kernel = problem.x.array, problem.kernel[0, 0]
    if (matrix := as_matrix(x)) is None:
        copy = record.scratch(*x.shape)
        record(np.copyto, copy, x)
        matrix = copy.reshape(-1, x.shape[3])
    problem.finish.product(matrix, factor(kernel, len(matrix), record), ALL, record)


def patches(problem: Problem, record: Recorder) -> None:
    """Record copies of the windows, [positions, kh * kw * in], some rows or images at a time, and their products."""
    vertical, horizontal = problem.padding
    x = problem.x.bordered((vertical, horizontal) * 2, record)
    kh, kw, c, _ = problem.kernel.shape
    n, rows, columns, _ = problem.finish.target.shape
    image, row, column, item = x.strides
    shape, strides = (n, rows, columns, kh, kw, c), (image, row * problem.stride, column * problem.stride, row, column)
    views = as_strided(x, shape, (*strides, item), writeable=False)
    depth = kh * kw * c
    kernel = factor(problem.kernel.reshape(depth, -1), n * rows * columns, record)
    for index in _blocks(n, rows, columns * depth):
        window = views[index]
        with record.part():
            copies = record.scratch(*window.shape)
            record(np.copyto, copies, window)
            problem.finish.product(copies.reshape(-1, depth), kernel, index, record)


def _blocks(n: int, rows: int, floats: int) -> Iterator[Index]:
    """Yield which images and rows, of so many floats each, to take at a time."""
    images = max(1, _BLOCK // (rows * floats))
    parts = -(-rows * floats // _BLOCK) if images == 1 else 1  # of an image
    step = -(-rows // parts)
    for image in range(0, n, images):
        for row in range(0, rows, step):
            yield slice(image, image + images), slice(row, row + step), slice(None)


def windows(problem: Problem, record: Recorder) -> None:
    """Record, for a kernel of 1 x k, a product for each column of outputs.

    Activations that lie as (n * h, w * c) have the window of an output in k * c adjacent columns, and the windows of
    all outputs of one column in the same ones. What is padding is left out of them, rather than multiplied. A kernel of
    k x 1 is the same with rows and columns exchanged.
    """
    if problem.kernel.shape[1] == 1:
        problem = problem.swapped()
    x, (_, taps, c, _), out = problem.x.array, problem.kernel.shape, problem.finish.target.shape[3]
    if not x.flags.c_contiguous:
        copy = record.scratch(*x.shape)
        record(np.copyto, copy, x)
        x = copy
    n, h, w, _ = x.shape
    matrix, pad = x.reshape(n * h, w * c), problem.padding[1]
    kernel = factor(problem.kernel.reshape(taps * c, -1), n * h, record)
    columns = w + 2 * pad - taps + 1
    sums = record.scratch(columns, n * h, out)
    for column in range(columns):
        first, last = max(column - pad, 0), min(column - pad + taps, w)
        taps_inside = kernel.rows((first - column + pad) * c, (last - column + pad) * c)
        product(matrix[:, first * c : last * c], taps_inside, sums[column], record)
    problem.finish.store(sums.reshape(columns, n, h, out).transpose(1, 2, 0, 3), ALL, record)


def planes(problem: Problem, record: Recorder) -> None:
    """Record copies of the rows, a plane for each tap and channel, and a product for each row of outputs.

    Plane (tap, channel) of a row has what all outputs of a row see under that tap, so that for one row of outputs the
    planes of kh rows are the windows, transposed: (kh * kw * in, columns), as they lie.
    """
    vertical, horizontal = problem.padding
    x = problem.x.bordered((vertical, horizontal) * 2, record)
    kh, kw, c, _ = problem.kernel.shape
    n, rows, columns, out = problem.finish.target.shape
    rows_of_planes = record.scratch(n, x.shape[1], kw, c, columns)
    for tap in range(kw):
        seen = x[:, :, tap : tap + problem.stride * (columns - 1) + 1 : problem.stride]  # [n, height, columns, in]
        record(np.copyto, rows_of_planes[:, :, tap], seen.transpose(0, 1, 3, 2))
    image, row, *_ = rows_of_planes.strides
    shape, strides = (n, rows, columns, kh * kw * c), (image, row * problem.stride, x.itemsize, columns * x.itemsize)
    sums = record.scratch(n, rows, columns, out)
    kernel = problem.kernel.reshape(kh * kw * c, -1)
    record(np.matmul, as_strided(rows_of_planes, shape, strides), kernel, out=sums)
    problem.finish.store(sums, ALL, record)


def winograd(problem: Problem, record: Recorder) -> None:
    """Record F(4 x 4, 3 x 3): tiles to points, a product for each point, points to outputs."""
    n, height, width, c = problem.x.array.shape
    vertical, horizontal = problem.padding
    rows, columns = height + 2 * vertical - 2, width + 2 * horizontal - 2
    down, right = -(-rows // f4.TILE), -(-columns // f4.TILE)  # tiles
    x = problem.x.bordered(_border_of_tiles(problem.kernel, problem.padding, (height, width)), record)
    image, row, column, item = x.strides
    shape = (f4.POINTS, f4.POINTS, n, down, right, c)
    tiles = as_strided(x, shape, (row, column, image, row * f4.TILE, column * f4.TILE, item), writeable=False)

    points, out, positions = f4.POINTS**2, problem.finish.target.shape[3], n * down * right
    kernel = factor(problem.kernel, positions, record, f4.transform_kernel)  # [36, in, out]
    gathered, seen = record.scratch(*shape), record.scratch(points, positions, c)
    products, sums = record.scratch(points, positions, out), record.scratch(f4.TILE**2, positions, out)
    record(np.copyto, gathered, tiles)
    record(np.matmul, f4.INPUT, gathered.reshape(points, -1), out=seen.reshape(points, -1))
    product(seen, kernel, products, record)
    if problem.finish.bias is not None:
        record(np.add, products[f4.BIAS_POINT], problem.finish.bias, out=products[f4.BIAS_POINT])
    record(np.matmul, f4.OUTPUT, products.reshape(points, -1), out=sums.reshape(len(sums), -1))
    outputs = sums.reshape(f4.TILE, f4.TILE, n, down, right, out)
    if problem.finish.pool:
        _pool_tiles(outputs, problem.finish, record)
        return
    for i, some_rows in _places(rows):
        for j, some_columns in _places(columns):
            part = outputs[i, j, :, :some_rows, :some_columns]
            problem.finish.store_tiles(part, i.start, j.start, f4.TILE, record)


def _places(length: int) -> list[tuple[slice, int]]:
    """Return which of the places within a tile have outputs in how many tiles, along an axis with so many outputs: the
    last tile may reach beyond it.
    """
    tiles = -(-length // f4.TILE)
    inside = length - (tiles - 1) * f4.TILE  # in the last tile
    return [
        (slice(0, inside), tiles),
        *([(slice(inside, f4.TILE), tiles - 1)] if inside < f4.TILE and tiles > 1 else []),
    ]


def _pool_tiles(outputs: Array, finish: Finish, record: Recorder) -> None:
    """Record maxima over windows of outputs, 2 apart, that lie as (row in tile, column in tile, n, down, right, out).

    Windows of every second maximum lie alike in their tiles: so these are maxima of large arrays.
    """
    _, rows, columns, _ = finish.target.shape
    for i in range(2):
        lines = _every_second(
            outputs, i, 3, -(-(rows - i) // 2), finish.pool, record
        )  # [column in tile, n, rows / 2, ...]
        for j in range(2):
            maxima = _every_second(
                lines, j, 3, -(-(columns - j) // 2), finish.pool, record
            )  # [n, rows / 2, columns / 2, out]
            finish.store(maxima, (slice(None), slice(i, None, 2), slice(j, None, 2)), record, biased=True)


def _every_second(x: Array, parity: int, axis: int, count: int, size: int, record: Recorder) -> Array:
    """Record every second maximum, `count` of them, of what has its place in a tile on the first axis, and tiles on
    this one.
    """
    before = (slice(None),) * (axis - 1)
    windows = [divmod(2 * parity + tap, f4.TILE) for tap in range(size)]
    taps = [(place, (*before, slice(tile, tile + count))) for tile, place in windows]
    return maximum([x[place][tiles] for place, tiles in taps], record)


def _border_of_tiles(kernel: Array, padding: tuple[int, int], size: tuple[int, int]) -> Border:
    """Return the zeros around an image (h, w) that whole tiles want."""
    beyond = [-(length + 2 * pad - 2) % f4.TILE for length, pad in zip(size, padding, strict=True)]
    (above, left), (below, right) = padding, (pad + more for pad, more in zip(padding, beyond, strict=True))
    return above, left, below, right


class Method(NamedTuple):
    """A way to compute a convolution."""

    record: Callable[[Problem, Recorder], None]
    fits: Callable[[Array, int, tuple[int, int]], bool]  # (kernel, stride, padding): whether it can
    layout: Callable[[Array, tuple[int, int], tuple[int, int]], Layout]  # (kernel, padding, size of x): what it likes


METHODS = {
    "pointwise": Method(
        pointwise,
        lambda kernel, stride, padding: kernel.shape[:2] == (1, 1) and stride == 1 and padding == (0, 0),
        lambda kernel, padding, size: Layout(),
    ),
    "patches": Method(patches, lambda *_: True, lambda kernel, padding, size: Layout((*padding, *padding))),
    "windows": Method(
        windows,
        lambda kernel, stride, padding: 1 in kernel.shape[:2] and stride == 1 and 0 in padding,
        lambda kernel, padding, size: Layout(columns_first=kernel.shape[1] == 1),
    ),
    "planes": Method(planes, lambda *_: True, lambda kernel, padding, size: Layout((*padding, *padding))),
    "winograd": Method(
        winograd,
        lambda kernel, stride, padding: kernel.shape[:2] == (3, 3) and stride == 1,
        lambda kernel, padding, size: Layout(_border_of_tiles(kernel, padding, size)),
    ),
}


def choose(kernel: Array, stride: int, padding: tuple[int, int], sums: tuple[int, int], images: int) -> str:
    """Return the name of the best method for a convolution with `sums` rows and columns of outputs, of some images."""
    fitting = [name for name, method in METHODS.items() if method.fits(kernel, stride, padding)]
    enough = images * sums[0] * sums[1] >= _POSITIONS
    if "pointwise" in fitting:
        return "pointwise"
    if kernel.shape[2] < 8:
        return "planes"
    if "winograd" in fitting and enough and _tiles_pay(kernel, sums):
        return "winograd"
    return "windows" if "windows" in fitting and enough else "patches"


def _tiles_pay(kernel: Array, sums: tuple[int, int]) -> bool:
    """Tell whether `winograd` takes less time than `patches`.

    In units of multiplications for an output: a number that is transformed or copied takes as long as some dozens of
    them; and there are outputs of the last tiles that nobody asked for.
    """
    _, _, channels, out = kernel.shape
    outputs = np.prod([-(-length // f4.TILE) * f4.TILE / length for length in sums])
    tiles = outputs * (f4.POINTS**2 / f4.TILE**2 * channels * out + 225 * channels + 150 * out)
    return bool(tiles < 9 * channels * out + 150 * channels)
