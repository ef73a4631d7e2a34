"""The encoder, against the reference and on its slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from faceie import facenet
from faceie.facenet.loading import check_picture
from faceie.facenet.network import INPUT_SIZE, inception_resnet_v1
from faceie.images import to_input
from faceie.nn import layers, reference
from faceie.nn.buffers import PackedWeights
from faceie.nn.graph import trace
from faceie.nn.plan import Plan
from faceie.weights import registry

from ..conftest import assert_close, golden

TOLERANCE = 1e-5  # what weight-compatible means


def inputs() -> np.ndarray:
    """Return the images of tools/make_golden.py: the faces of the shipped photos, noise, and the test picture."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), np.uint8)
    return to_input(np.concatenate([golden("detections")["crops"], noise, check_picture()[None]]))


@pytest.mark.parametrize("name", ["vggface2", "casia-webface"])
@pytest.mark.parametrize("batch", [1, 2, 7, 32])
def test_encoder_equals_the_reference(batch: int, name: str) -> None:
    """Embeddings of faces and of noise are those of facenet-pytorch in float64, in batches of any size, planned with
    either form of products or computed step by step.
    """
    if registry.find(name) is None:
        pytest.skip(f"the weights {name} are not on this machine: faceie weights fetch {name}")
    x, answers = inputs(), golden(name)["embeddings"]
    index = np.arange(batch) % len(x)
    weights = facenet.load(name)
    graph = trace(inception_resnet_v1, weights, (INPUT_SIZE, INPUT_SIZE, 3))
    for small_gemm in (False, True):
        embeddings = Plan(graph, batch, PackedWeights(), small_gemm=small_gemm).run(x[index])[0]
        assert embeddings.dtype == np.float32
        assert_close(embeddings, answers[index], TOLERANCE)
    assert_close(inception_resnet_v1(x[index], weights, layers), answers[index], TOLERANCE)


def test_encoder_on_slow_kernels() -> None:
    """The whole network gives the same on the slow twins of all kernels."""
    x = inputs()[:1]
    weights = facenet.load()
    assert_close(inception_resnet_v1(x, weights, layers), inception_resnet_v1(x, weights, reference), 1e-6)
