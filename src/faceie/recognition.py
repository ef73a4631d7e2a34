"""The distance of two faces, and the probability that they are of the same person."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError
from .types import Array

__all__ = ["Thresholds", "distance", "pairwise_distances", "same_person_probability", "thresholds"]


class Thresholds(NamedTuple):
    """Distances below which faces match, named by their false match rate (FMR).

    The false match rate is the share of pairs of different people that are taken for one person.

    Parameters
    ----------
    fmr100 : float
        One false match in a hundred pairs: for candidates that a person reviews.
    fmr1000 : float
        One in a thousand: for two faces that are expected to match.
    fmr10000 : float
        One in ten thousand: for a search among many faces.

    See Also
    --------
    thresholds : Returns these for published weights.
    """

    fmr100: float
    fmr1000: float
    fmr10000: float


class Calibration(NamedTuple):
    """The meaning of distances between embeddings of certain weights."""

    even: float
    """The distance that is equally frequent among pairs of one person and pairs of two."""

    slope: float
    """The decrease of the logarithm of the ratio of these frequencies for each unit of distance."""

    thresholds: Thresholds


#: Measured by benchmarks/calibrate.py on all pairs of the photos of "view 1", train, of LFW, with the default crops.
_CALIBRATIONS = {
    "vggface2": Calibration(1.0618, 25.49, Thresholds(1.079, 0.939, 0.815)),
    "casia-webface": Calibration(1.1203, 27.51, Thresholds(1.104, 0.991, 0.894)),
}

# Six million pairs cannot show evidence stronger than one in a million, so no distance counts for more.
_STRONGEST = np.log(1e6)

# The slope is steeper by this share among a large cohort (benchmarks/truth.py).
_SHARPER = 0.25

_BLOCK = 1 << 22  # distances that are computed at a time: 32 MB of float64


def distance(a: NDArray[Any], b: NDArray[Any]) -> Array:
    """Return the Euclidean distance of embeddings.

    Parameters
    ----------
    a, b : array_like, shape (..., 512)
        Embeddings of length 1, made with the same weights. One (512,) is compared with each of many (n, 512).

    Returns
    -------
    numpy.ndarray or numpy.float32
        Distances, shape (...), float32, 0 (the same face) to 2; a scalar for two single embeddings.

    Raises
    ------
    OptionError
        If the shapes do not fit together.

    See Also
    --------
    pairwise_distances : Distances of each embedding from each.
    same_person_probability : The meaning of a distance.

    Examples
    --------
    >>> from faceie import detect_faces, distance, encode_faces
    >>> names = ["obama.jpg", "obama-congress.jpg", "biden.jpg"]
    >>> embeddings = encode_faces([detect_faces(name).images[0] for name in names])
    >>> print(distance(embeddings[0], embeddings[1:]).round(1))
    [0.6 1.4]
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
    """Return the Euclidean distance of each embedding from each.

    Parameters
    ----------
    a : array_like, shape (n, 512)
        Embeddings of length 1.
    b : array_like, shape (m, 512), optional
        Others, made with the same weights. Default: `a`.

    Returns
    -------
    numpy.ndarray, shape (n, m), float32
        Distances, 0 (the same face) to 2.

    Raises
    ------
    OptionError
        If the shapes are others.

    See Also
    --------
    distance : Distances of pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from faceie import pairwise_distances
    >>> embeddings = np.eye(3, 512)
    >>> print(pairwise_distances(embeddings).round(2))
    [[0.   1.41 1.41]
     [1.41 0.   1.41]
     [1.41 1.41 0.  ]]
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
        # |x - y|^2 = |x|^2 + |y|^2 - 2 x y: one matrix product. It is in float64, since the terms of small distances
        # cancel.
        square = np.einsum("ij,ij->i", block, block)[:, None] + square_b - 2 * (block @ b.T)  # [rows, m]
        result[row : row + rows] = np.sqrt(np.maximum(square, 0))
    return result


def same_person_probability(
    distance: Any, *, prior: float = 0.5, weights: str = "vggface2", cohort: tuple[Any, float] | None = None
) -> Any:
    """Return the probability that two faces at this distance are of the same person.

    Parameters
    ----------
    distance : float or array_like
        Distances, 0 to 2, of any shape, as `distance` and `pairwise_distances` return them. The embeddings must be of
        crops as `detect_faces` makes them.
    prior : float, default 0.5
        Probability before the faces are compared, between 0 and 1. It matters as much as the faces: every second pair
        of photos from one's own wallet may match (0.5), but only one in a thousand faces of a collection (0.001).
    weights : str, default "vggface2"
        Name of the weights that made the embeddings, "vggface2" or "casia-webface".
    cohort : tuple of array_like and float, optional
        The mean of the offsets of both faces, of the same shape, and the weight of the cohort that they are judged
        among: see `Cohort`, whose method `probability` passes both.

    Returns
    -------
    float or numpy.ndarray
        A float for a number, else an array of float64 of the same shape.

    Raises
    ------
    OptionError
        If the prior is not a probability, a distance is negative, or the weights have no calibration.

    See Also
    --------
    thresholds : Distances with known false match rates.
    Cohort : Compares faces among other people.

    Notes
    -----
    A logistic regression on the distances of press photos of adults. It is overconfident for children, siblings and
    faces from the side. See docs/accuracy.md.

    References
    ----------
    J. Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood Methods",
    1999. G. B. Huang et al., "Labeled Faces in the Wild", University of Massachusetts, technical report 07-49, 2007.

    Examples
    --------
    >>> from faceie import same_person_probability
    >>> print(f"{same_person_probability(0.9):.2f}")
    0.98
    >>> print(f"{same_person_probability(0.9, prior=0.001):.2f}")
    0.06
    >>> print(same_person_probability([0.5, 1.5]).round(2))
    [1. 0.]
    """
    if not 0 < prior < 1:
        raise OptionError(f"prior is {prior}, expected a probability, greater than 0 and less than 1")
    known = _calibration(weights)
    d = np.asarray(distance, np.float64)
    if not (d >= 0).all():
        raise OptionError("distance is negative or not a number, expected 0 to 2")
    offset, weight = (0.0, 0.0) if cohort is None else cohort
    if np.any(offset):
        # The distance whose cosine, 1 - d^2 / 2, is less by the offset.
        d = np.sqrt(np.maximum(d * d + 2 * np.asarray(offset, np.float64), 0))
    slope = known.slope * (1 + _SHARPER * weight)
    evidence = np.clip(slope * (known.even - d), -_STRONGEST, _STRONGEST)
    result = 1 / (1 + np.exp(-(evidence + np.log(prior / (1 - prior)))))
    return result if d.ndim else float(result)


def thresholds(weights: str = "vggface2") -> Thresholds:
    """Return the distances below which faces match, for three false match rates.

    Parameters
    ----------
    weights : str, default "vggface2"
        Name of the weights that made the embeddings, "vggface2" or "casia-webface".

    Returns
    -------
    Thresholds
        A named tuple: `fmr100`, `fmr1000` and `fmr10000`.

    Raises
    ------
    OptionError
        If the weights have no calibration.

    See Also
    --------
    same_person_probability : A probability instead of a yes or no.

    Examples
    --------
    >>> from faceie import thresholds
    >>> thresholds().fmr1000
    0.939
    """
    return _calibration(weights).thresholds


def _calibration(weights: str) -> Calibration:
    if weights not in _CALIBRATIONS:
        raise OptionError(
            f"weights is {weights!r}, for which there is no calibration, expected one of {[*_CALIBRATIONS]}"
        )
    return _CALIBRATIONS[weights]
