"""How alike two faces are, and whether they are of the same person."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError
from .types import Array

__all__ = ["Thresholds", "distance", "pairwise_distances", "same_person_probability", "thresholds"]


class Thresholds(NamedTuple):
    """Distances below which faces match, named as usual in biometrics by their false match rate (FMR): how many of the
    pairs of different people are taken for one person.
    """

    fmr100: float
    """One in a hundred: for a look through candidates by hand."""

    fmr1000: float
    """One in a thousand: for two faces that are thought to be of one person."""

    fmr10000: float
    """One in ten thousand: for a search among many."""


class Calibration(NamedTuple):
    """What distances between embeddings of certain weights mean."""

    even: float
    """The distance that is as frequent among pairs of one person as among pairs of two."""

    slope: float
    """By how much the logarithm of the ratio of these frequencies falls for each unit of distance."""

    thresholds: Thresholds


#: Measured by benchmarks/calibrate.py on all pairs of the photos of "view 1", train, of LFW, with the default crops.
_CALIBRATIONS = {
    "vggface2": Calibration(1.0618, 25.49, Thresholds(1.079, 0.939, 0.815)),
    "casia-webface": Calibration(1.1203, 27.51, Thresholds(1.104, 0.991, 0.894)),
}

# Six million pairs cannot tell of evidence stronger than one in a million: so no distance counts for more.
_STRONGEST = np.log(1e6)

_BLOCK = 1 << 22  # distances that are computed at a time: 32 MB of float64


def distance(a: NDArray[Any], b: NDArray[Any]) -> Array:
    """Return the Euclidean distance of embeddings, 0 (the same face) to 2.

    `a`, `b`: embeddings, (..., 512); one (512,) is compared with each of many (n, 512): (n,) float32. Two single ones
    give a scalar.
    Raises OptionError for shapes that do not fit together.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        raise OptionError(f"embeddings of the shapes {a.shape} and {b.shape} cannot be compared, expected (..., 512)")
    try:
        difference = np.subtract(a, b, dtype=np.float32)
    except ValueError:
        raise OptionError(
            f"embeddings of the shapes {a.shape} and {b.shape} do not match one by one: see pairwise_distances"
        ) from None
    result: Array = np.linalg.norm(difference, axis=-1)
    return result


def pairwise_distances(a: NDArray[Any], b: NDArray[Any] | None = None) -> Array:
    """Return the Euclidean distance of each embedding of `a` (n, 512) from each of `b` (m, 512): (n, m) float32.

    Without `b`, those among `a`. Raises OptionError for other shapes.
    """
    a = np.asarray(a, np.float64)
    b = a if b is None else np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise OptionError(f"embeddings have the shapes {a.shape} and {b.shape}, expected (n, 512) and (m, 512)")
    result = np.empty((len(a), len(b)), np.float32)
    square_b = np.einsum("ij,ij->i", b, b)  # [m]
    rows = max(1, _BLOCK // max(1, len(b)))
    for row in range(0, len(a), rows):
        block = a[row : row + rows]  # [rows, 512]
        # |x - y|^2 = |x|^2 + |y|^2 - 2 x y: one matrix product, in float64 since the terms cancel where it matters
        # most.
        square = np.einsum("ij,ij->i", block, block)[:, None] + square_b - 2 * (block @ b.T)  # [rows, m]
        result[row : row + rows] = np.sqrt(np.maximum(square, 0))
    return result


def same_person_probability(distance: Any, *, prior: float = 0.5, weights: str = "vggface2") -> Any:
    """Return the probability that two faces at this distance are of the same person.

    `distance`: a number, or an array of any shape, as `distance` and `pairwise_distances` return them, between
    embeddings of crops as `detect_faces` makes them.
    `prior`: the probability before one has looked, between 0 and 1. It matters as much as the faces: of two photos from
    one's own wallet every second pair may match (0.5, the default), of a face and a whole collection one in a thousand
    (0.001), and then the same distance means something else.
    `weights`: the name of the weights that made the embeddings, "vggface2" or "casia-webface".

    Returns a float for a number, else an array of float64 of the same shape.
    Raises OptionError for a prior that is none, for weights that nobody has calibrated, and for negative distances.

    The method is a logistic regression (Platt 1999) on the distances of press photos of adults (LFW). For children,
    siblings and faces from the side it is too sure; see docs/accuracy.md.
    """
    if not 0 < prior < 1:
        raise OptionError(f"prior is {prior}, expected a probability, greater than 0 and less than 1")
    known = _calibration(weights)
    d = np.asarray(distance, np.float64)
    if not (d >= 0).all():
        raise OptionError("distance is negative or not a number, expected 0 to 2")
    evidence = np.clip(known.slope * (known.even - d), -_STRONGEST, _STRONGEST)
    result = 1 / (1 + np.exp(-(evidence + np.log(prior / (1 - prior)))))
    return result if d.ndim else float(result)


def thresholds(weights: str = "vggface2") -> Thresholds:
    """Return the distances below which faces match, each with its false match rate.

    `weights`: the name of the weights that made the embeddings. Raises OptionError for those nobody has calibrated.
    """
    return _calibration(weights).thresholds


def _calibration(weights: str) -> Calibration:
    if weights not in _CALIBRATIONS:
        raise OptionError(f"weights is {weights!r}, which nobody has calibrated, expected one of {[*_CALIBRATIONS]}")
    return _CALIBRATIONS[weights]
