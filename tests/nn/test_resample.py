"""Area resampling: exact, in any band of rows, from any type."""

from __future__ import annotations

import numpy as np
import pytest

from faceie.nn import reference
from faceie.nn.resample import AreaResampler, resample_area

from ..conftest import assert_close

SIZES = [
    # source, result
    ((24, 24), (24, 24)),
    ((97, 131), (24, 24)),
    ((97, 131), (48, 48)),
    ((5, 3), (24, 24)),  # larger than the source: pixels are repeated
    ((1, 1), (12, 12)),
    ((13, 200), (13, 119)),
    ((100, 60), (61, 37)),
    ((100, 60), (1, 1)),
    ((300, 2), (7, 2)),
    ((64, 900), (10, 101)),  # more columns than one block of bins
]


@pytest.mark.parametrize(("source", "size"), SIZES)
def test_resample_area_equals_its_twin(
    source: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
) -> None:
    """The fast twin averages the same pixels, within a thousandth of a gray level."""
    image = rng.integers(0, 256, (*source, 3), np.uint8)
    result = resample_area(image, *size)
    assert result.dtype == np.float32
    assert_close(result, reference.resample_area(image, *size), 1e-3)


def test_rectangles_are_parts_of_the_whole(rng: np.random.Generator) -> None:
    """Any rows and columns, asked for alone, are those of the whole image; asked for again, they are the same."""
    image = rng.integers(0, 256, (3, 200, 150), np.uint8)
    resampler = AreaResampler((200, 150), (57, 73))

    def planes(rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
        out = np.empty((rows[1] - rows[0], 3, columns[1] - columns[0]), np.float32)
        resampler.planes(image, rows, columns, out)
        return out

    whole = planes((0, 57), (0, 73))
    assert_close(whole, reference.resample_area(image.transpose(1, 2, 0), 57, 73).swapaxes(1, 2), 1e-3)
    for top, bottom in ((0, 1), (0, 30), (29, 57), (56, 57)):
        for left, right in ((0, 73), (5, 6), (40, 73)):
            assert_close(planes((top, bottom), (left, right)), whole[top:bottom, :, left:right], 1e-4)
    assert np.array_equal(planes((0, 57), (0, 73)), whole)


def test_a_constant_stays(rng: np.random.Generator) -> None:
    """Weights of a bin sum to one, whatever the size of the source; one that does not fit the working set included."""
    image = np.full((2100, 3000, 3), 200, np.uint8)
    assert_close(resample_area(image, 17, 9), np.full((17, 9, 3), 200.0), 1e-3)
