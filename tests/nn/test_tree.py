"""Weights as trees and as flat names."""

from __future__ import annotations

import numpy as np
import pytest

from faceie.facenet.network import LAYOUT as FACENET
from faceie.mtcnn.networks import LAYOUT as MTCNN
from faceie.nn.fold import fold_batch_norm
from faceie.nn.reference import conv2d
from faceie.nn.tree import Conv, build, leaves

from ..conftest import assert_close


@pytest.mark.parametrize(("layout", "count", "parameters"), [(FACENET, 2 * 133, 23_467_824), (MTCNN, 50, 495_850)])
def test_there_and_back(layout: object, count: int, parameters: int) -> None:
    """A tree that was built from flat names has those leaves again, in that order."""
    tensors = {name: np.zeros(shape, np.float32) for name, shape in leaves(layout)}
    tree = build(layout, tensors)
    assert type(tree) is type(layout)
    assert [name for name, _ in leaves(tree)] == list(tensors)
    assert all(leaf is tensors[name] for name, leaf in leaves(tree))
    assert len(tensors) == count
    assert sum(tensor.size for tensor in tensors.values()) == parameters


def test_what_does_not_fit_is_named() -> None:
    """A tensor that is missing or has another shape is named."""
    layout = (Conv((1, 1, 2, 3), (3,)),)
    kernel, bias = np.zeros((1, 1, 2, 3), np.float32), np.zeros(3, np.float32)
    with pytest.raises(KeyError, match=r"'0\.bias' is missing"):
        build(layout, {"0.kernel": kernel})
    with pytest.raises(ValueError, match=r"'0\.bias' has the shape \(3, 1\), expected \(3,\)"):
        build(layout, {"0.kernel": kernel, "0.bias": bias[:, None]})


def test_folding_equals_batch_normalization(rng: np.random.Generator) -> None:
    """A folded convolution gives the same as the convolution and then batch normalization, step by step."""
    x, kernel = rng.standard_normal((2, 5, 5, 3)), rng.standard_normal((3, 3, 3, 4))
    mean, beta, gamma = rng.standard_normal((3, 4))
    variance = rng.uniform(0.1, 3, 4)
    plain = conv2d(x, Conv(kernel, np.zeros(4)))
    expected = gamma * (plain - mean) / np.sqrt(variance + 0.001) + beta
    assert_close(conv2d(x, fold_batch_norm(kernel, mean, variance, beta, gamma)), expected, 1e-5)
