"""How probable it is that faces of a gallery are of the same person, judged among the gallery's other faces.

One function serves all: `probabilities` compares rows one by one. A row is the embedding of a face, or stands for a
person: `person_row` of the embeddings of the person's faces, with the mean of their offsets. Offsets of faces are
stored (`FaceStore.offsets`); `matrix.load_cohort` gives the cohort for those of others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..recognition import same_person_probability
from ..types import Array

__all__ = ["person_row", "probabilities"]


def probabilities(
    a: Array, b: Array, offsets_a: Array, offsets_b: Array, cohort_weight: float, *, prior: float, weights: str
) -> NDArray[np.float64]:
    """Return the probability for each pair of rows, [n, 512] or [512], with offsets [n], or one number.

    `cohort_weight`: `Cohort.weight` of the gallery's cohort.
    """
    cosines = np.einsum("...i,...i->...", a, b, dtype=np.float64)
    distances = np.sqrt(np.maximum(2 - 2 * cosines, 0))
    offset = (np.asarray(offsets_a, np.float64) + offsets_b) / 2
    return np.asarray(same_person_probability(distances, prior=prior, weights=weights, cohort=(offset, cohort_weight)))


def person_row(embeddings: Array) -> Array:
    """Return the row of a person with these embeddings, [n, 512]: their mean, divided by the root of its length.

    The product of two such rows is the cosine in the score of `faceie.gallery.clusters`. For one face it is its
    embedding.
    """
    mean = embeddings.mean(0, dtype=np.float64)
    row: Array = (mean / np.sqrt(max(float(np.linalg.norm(mean)), 1e-6))).astype(np.float32)
    return row
