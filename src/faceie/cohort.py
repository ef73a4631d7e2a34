"""Judge two faces among their likes: the cohort of other people, by which a distance is normalized.

Some faces have many close neighbors among strangers, others have none, so one threshold is wrong for both. Speaker
recognition has corrected its scores by a cohort of other speakers for twenty years (S-norm: Shum et al. 2010; its kin
for nearest neighbors is CSLS: Conneau et al. 2018). Here,

- the cohort of a face are faces of other people;
- its *nearness* is the mean cosine to the nearest of them: 1 % of the cohort, but at least 30;
- its *offset* is the nearness less the expected one, shrunk towards 0 by n / (n + 500) for a cohort of n faces;
- the normalized cosine of two faces is their cosine less the mean of their offsets.

Cosines of different people are close to a normal distribution. Its tail gives the expected nearness for a cohort of any
size, so offsets from small and large cohorts mean the same.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError
from .recognition import distance, same_person_probability
from .types import Array

__all__ = ["Cohort"]

_NEAREST = 30  # least number of nearest faces of the cohort that are averaged
_SHARE = 100  # one in this many, if these are more
_HALF = 500  # faces of a cohort whose offsets count half
_MEAN, _DEVIATION = 0.047, 0.153  # of cosines of different people: LFW, view 1 (docs/accuracy.md)

_SAME = 1 - 0.84**2 / 2  # cosine above which a face of the cohort may be the same person
_SIZE = 512  # numbers in an embedding

_BLOCK = 1 << 22  # products that are computed at a time: 16 MB

Integers = NDArray[np.int64]


class Cohort:
    """Faces of other people, among which faces are compared.

    Parameters
    ----------
    embeddings : array_like, shape (n, 512)
        Embeddings of length 1, as `encode_faces` returns them.
    people : array_like of int, shape (n,), optional
        Number of the person of each face. Default: each face is another person.

    Attributes
    ----------
    weight : float
        Share of the correction that is applied, 0 (no faces) to 1 (very many).

    Raises
    ------
    OptionError
        If the shapes are others.

    See Also
    --------
    same_person_probability : The probability without a cohort.

    Examples
    --------
    >>> import numpy as np
    >>> from faceie import Cohort
    >>> strangers = np.eye(50, 512, dtype=np.float32)
    >>> cohort = Cohort(strangers)
    >>> print(len(cohort), f"{cohort.weight:.2f}")
    50 0.09
    """

    def __init__(self, embeddings: NDArray[Any], people: Any = None) -> None:
        self._embeddings = _check(embeddings)
        count = len(self._embeddings)
        self._people = np.arange(count) if people is None else np.asarray(people, np.int64)
        if self._people.shape != (count,):
            raise OptionError(
                f"people have the shape {self._people.shape}, expected ({count},): one for each embedding"
            )
        self.weight = count / (count + _HALF)

    def __len__(self) -> int:
        """Count the faces."""
        return len(self._embeddings)

    def offsets(self, embeddings: NDArray[Any], people: Any = None) -> Array:
        """Return how much closer than usual each face is to its nearest in the cohort.

        Parameters
        ----------
        embeddings : array_like, shape (m, 512)
            Embeddings of length 1.
        people : array_like of int, shape (m,), optional
            Number of the person of each face, whose faces in the cohort are left out. Default: faces of the cohort
            that are closer than 0.84, and all faces of their people, are left out.

        Returns
        -------
        numpy.ndarray, shape (m,), float32
            Offsets, as cosines. Positive for faces that resemble many.

        Raises
        ------
        OptionError
            If the shapes are others.

        Examples
        --------
        >>> import numpy as np
        >>> from faceie import Cohort
        >>> cohort = Cohort(np.eye(50, 512))
        >>> print(cohort.offsets(np.eye(1, 512)).round(3))
        [-0.013]
        """
        faces = _check(embeddings)
        own = None if people is None else np.asarray(people, np.int64)
        if own is not None and own.shape != (len(faces),):
            raise OptionError(f"people have the shape {own.shape}, expected ({len(faces)},): one for each embedding")
        result = np.zeros(len(faces), np.float32)
        if not len(self):
            return result
        step = max(1, _BLOCK // len(self))
        for start in range(0, len(faces), step):
            part = slice(start, start + step)
            cosines = faces[part] @ self._embeddings.T  # [rows, n]
            left_out = self._alike(cosines) if own is None else own[part, None] == self._people
            result[part] = self.weight * _nearness(np.where(left_out, -np.inf, cosines))
        return result

    def probability(
        self, a: NDArray[Any], b: NDArray[Any], *, prior: float = 0.5, weights: str = "vggface2"
    ) -> NDArray[np.float64]:
        """Return the probability that faces are of the same person, judged among the cohort.

        Parameters
        ----------
        a, b : array_like, shape (n, 512)
            Embeddings of length 1. They are compared one by one.
        prior : float, default 0.5
            Probability before the faces are compared: see `same_person_probability`.
        weights : str, default "vggface2"
            Name of the weights that made the embeddings.

        Returns
        -------
        numpy.ndarray, shape (n,)
            Probabilities.

        Raises
        ------
        OptionError
            If the shapes do not fit together, the prior is not a probability, or the weights have no calibration.

        Examples
        --------
        >>> import numpy as np
        >>> from faceie import Cohort
        >>> cohort = Cohort(np.eye(50, 512))
        >>> a, b = np.eye(1, 512), np.eye(1, 512, 1)
        >>> print(cohort.probability(a, b).round(3))
        [0.]
        """
        offset = (self.offsets(a) + self.offsets(b)) / 2
        result: NDArray[np.float64] = same_person_probability(
            distance(a, b), prior=prior, weights=weights, cohort=(offset, self.weight)
        )
        return result

    def _alike(self, cosines: Array) -> NDArray[np.bool_]:
        """Tell which faces of the cohort may be the same person as each probe: [rows, n]."""
        result = cosines > _SAME
        for row in np.flatnonzero(result.any(1)):
            result[row] = np.isin(self._people, self._people[result[row]])
        return result


def _check(embeddings: NDArray[Any]) -> Array:
    faces = np.asarray(embeddings, np.float32)
    if faces.ndim != 2 or faces.shape[1] != _SIZE:
        raise OptionError(f"embeddings have the shape {faces.shape}, expected (n, 512)")
    return faces


def _nearness(cosines: Array) -> Array:
    """Return the mean of the highest cosines of each row, less the expected one. Those of -inf do not count."""
    counts = np.isfinite(cosines).sum(1)  # [rows]
    width = max(_NEAREST, -(-cosines.shape[1] // _SHARE))
    if width < cosines.shape[1]:
        cosines = np.partition(cosines, cosines.shape[1] - width, axis=1)[:, -width:]
    finite = np.isfinite(cosines)  # [rows, width]
    used = finite.sum(1)
    means = np.where(finite, cosines, 0).sum(1, dtype=np.float64) / np.maximum(used, 1)
    expected = _expected(used / np.maximum(counts, 1))
    result: Array = np.where(used > 0, means - expected, 0).astype(np.float32)
    return result


def _expected(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the highest share of cosines of different people: of a normal distribution's tail."""
    normal = NormalDist()
    distinct, where = np.unique(shares, return_inverse=True)
    tails = [normal.pdf(normal.inv_cdf(1 - share)) / share if 0 < share < 1 else 0.0 for share in distinct.tolist()]
    result: NDArray[np.float64] = _MEAN + _DEVIATION * np.array(tails)[where]
    return result
