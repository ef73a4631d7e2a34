"""The probability that a find is a face.

O-Net's score is not a probability: of the finds with a score of 0.7 in crowded photos, one in five is a face. Each find
is therefore looked at twice more, by O-Net and R-Net on the mirror image of its box. A face looks like a face in all
three looks, a telephone seldom does. A logistic regression turns three properties of a find into a probability:

- the sum of the three scores, as logits;
- the roll of the face, compared with the main view's: most faces of a photo have the same roll;
- its size if it is small: small finds get lower scores, and are faces as often.

`benchmarks/credibility.py` fitted the four coefficients, and measures the calibration by cross-validation. None of this
is in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..boxes import area, to_squares
from ..types import Array
from .batched import run_in_batches, run_o_net, run_r_net
from .cascade import Faces
from .networks import MTCNN
from .orientation import eye_rolls
from .views import View

__all__ = ["LENIENCE", "evidence", "face_probabilities"]

LENIENCE = 0.2
"""O-Net's threshold is lowered by this, since the other looks decide."""

_COEFFICIENTS = np.array([-2.47, 0.45, -1.90, 1.30], np.float32)  # of `evidence`
_LOGIT = 7.0  # limit of a score's logit: scores beyond 0.999 mean no more
_SMALLEST, _SMALL = 20.0, 40.0  # pixels: between these sizes, scores depend on the size
_LOOKS = 8  # finds that a thread looks at, at a time


def face_probabilities(finds: Sequence[tuple[View, Faces]], main: View, w: MTCNN) -> Array:
    """Return the probabilities (n,) that the finds of all views, one view after the other, are faces.

    `main`: the view in which most faces are upright.
    """
    logits = evidence(finds, main, w) @ _COEFFICIENTS
    probabilities: Array = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return probabilities


def evidence(finds: Sequence[tuple[View, Faces]], main: View, w: MTCNN) -> Array:
    """Return the properties (n, 4) of finds that the regression weighs: 1, looks, roll and smallness."""
    looks = _logits(np.concatenate([faces.probabilities for _, faces in finds]))
    looks = looks + sum(map(_logits, _mirrored_scores(finds, w)))  # [n]
    rolls = np.concatenate([_rolls(view, faces, main) for view, faces in finds])
    sizes = np.sqrt(np.concatenate([area(faces.boxes) for _, faces in finds]))
    smallness = np.log(_SMALL / np.clip(sizes, _SMALLEST, _SMALL))
    return np.stack([np.ones_like(looks), looks, abs(rolls), smallness], 1).astype(np.float32)


def _mirrored_scores(finds: Sequence[tuple[View, Faces]], w: MTCNN) -> list[Array]:
    """Return the scores (n,) of O-Net and of R-Net for the mirror images of all finds."""
    views = [view for view, faces in finds for _ in faces.boxes]
    squares = [square for _, faces in finds for square in to_squares(faces.boxes)]

    def look(index: NDArray[np.intp]) -> tuple[Array, Array]:
        crops = [_mirrored_crops(views[i], squares[i]) for i in index]
        large, small = map(np.stack, zip(*crops, strict=True))
        return run_o_net(large, w.o_net)[0], run_r_net(small, w.r_net)[0]

    return run_in_batches(look, np.arange(len(squares)), _LOOKS) if squares else []


def _mirrored_crops(view: View, box: Array) -> tuple[Array, Array]:
    """Crop a box, clipped to the view, mirrored, for O-Net and for R-Net: (48, 48, 3) and (24, 24, 3), 0 to 255."""
    left, top = (min(max(float(start), 0), side - 1) for start, side in zip(box[:2], view.size, strict=True))
    right, bottom = (min(float(end), side) for end, side in zip(box[2:], view.size, strict=True))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    whole = (int(left), int(top), math.ceil(right), math.ceil(bottom))  # pixels
    part = (left - whole[0], top - whole[1], right - whole[0], bottom - whole[1])
    pixels = view.crop(whole)
    large, small = (
        np.asarray(pixels.resize((size, size), Image.Resampling.BOX, part), np.float32)[:, ::-1] for size in (48, 24)
    )
    return large, small


def _rolls(view: View, faces: Faces, main: View) -> Array:
    """Return the rolls (n,) of faces, clockwise, in the main view."""
    turn = np.linalg.solve(main.affine[:, :2], view.affine[:, :2])  # from this view to the main one
    return eye_rolls((faces.landmarks @ turn.T).astype(np.float32))


def _logits(scores: Array) -> Array:
    scores = scores.astype(np.float64)
    with np.errstate(divide="ignore"):  # of 0 and 1, the logit is infinite and limited
        logits: Array = np.clip(np.log(scores / (1 - scores)), -_LOGIT, _LOGIT)
    return logits
