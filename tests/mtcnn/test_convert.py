"""Weights of the detector in facenet-pytorch's files become ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceie import WeightsError
from faceie.mtcnn import loading
from faceie.nn.tree import leaves

from ..weights import makers

# Our layers of P-, R- and O-Net, and the numbers that facenet-pytorch gives them.
_LAYERS = {
    "p_net": ["conv_1 conv1", "conv_2 conv2", "conv_3 conv3", "face conv4_1", "box conv4_2"],
    "r_net": ["conv_1 conv1", "conv_2 conv2", "conv_3 conv3", "dense dense4", "face dense5_1", "box dense5_2"],
    "o_net": [
        *("conv_1 conv1", "conv_2 conv2", "conv_3 conv3", "conv_4 conv4", "dense dense5"),
        *("face dense6_1", "box dense6_2", "landmarks dense6_3"),
    ],
}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The published weights, as facenet-pytorch stores them."""
    ours = dict(leaves(loading.load()))
    paths = []
    for network, layers in _LAYERS.items():
        tensors = {}
        for layer in layers:
            name, title = layer.split()
            kernel = ours[f"{network}.{name}.kernel"].transpose(3, 2, 0, 1)  # (out, in, h, w)
            tensors[f"{title}.weight"] = kernel.reshape(kernel.shape[:2]) if title.startswith("dense") else kernel
            tensors[f"{title}.bias"] = ours[f"{network}.{name}.bias"]
            if f"{network}.{name}.slope" in ours:
                tensors[f"prelu{title[-1]}.weight"] = ours[f"{network}.{name}.slope"]
        path = tmp_path / f"{network}.pt"
        paths.append(makers.write(path, makers.torch_zip(*makers.torch_state_dict(tensors))))
    return paths


def test_convert(files: list[Path], tmp_path: Path) -> None:
    """The converted tensors are the published ones."""
    loading.convert(*files, tmp_path / "out.safetensors")
    converted = dict(leaves(loading.load(tmp_path / "out.safetensors")))
    published = dict(leaves(loading.load()))
    assert list(converted) == list(published)
    assert all(np.array_equal(converted[name], published[name]) for name in published)


def test_other_order_is_refused(files: list[Path], tmp_path: Path) -> None:
    """R-Net's file in P-Net's place is refused, and nothing is written."""
    p_net, r_net, o_net = files
    with pytest.raises(WeightsError, match=r"conv4_1\.weight"):
        loading.convert(r_net, p_net, o_net, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
