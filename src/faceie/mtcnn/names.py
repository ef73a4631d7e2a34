"""The names of the detector's tensors in facenet-pytorch, and their conversion to ours.

Our names are the path in the tree of `networks.MTCNN`. facenet-pytorch has a file for each network, with
``conv1.weight`` (out, in, height, width), ``prelu1.weight``, and ``dense4.weight`` (out, in) for linear layers. The
layers of a network are numbered from first to last.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..types import Array

__all__ = ["from_torch"]

_P_NET = {"conv_1": "1", "conv_2": "2", "conv_3": "3", "face": "conv4_1", "box": "conv4_2"}
_R_NET = {"conv_1": "1", "conv_2": "2", "conv_3": "3", "dense": "4", "face": "dense5_1", "box": "dense5_2"}
_O_NET = {
    "conv_1": "1",
    "conv_2": "2",
    "conv_3": "3",
    "conv_4": "4",
    "dense": "5",
    "face": "dense6_1",
    "box": "dense6_2",
    "landmarks": "dense6_3",
}


def from_torch(p_net: Mapping[str, Array], r_net: Mapping[str, Array], o_net: Mapping[str, Array]) -> dict[str, Array]:
    """Return our tensors from the three ``state_dict``s of facenet-pytorch.

    Raises KeyError for a missing tensor. The caller checks shapes by building the tree.
    """
    converted: dict[str, Array] = {}
    for network, tensors, layers in (("p_net", p_net, _P_NET), ("r_net", r_net, _R_NET), ("o_net", o_net, _O_NET)):
        for ours, theirs in layers.items():
            numbered = theirs.isdigit()  # a convolution or linear layer with a parametric ReLU
            layer = f"{'dense' if ours == 'dense' else 'conv'}{theirs}" if numbered else theirs
            kernel = tensors[f"{layer}.weight"]  # [out, in, height, width] or [out, in]
            if kernel.ndim == 2:
                kernel = kernel[..., None, None]
            converted[f"{network}.{ours}.kernel"] = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
            converted[f"{network}.{ours}.bias"] = tensors[f"{layer}.bias"]
            if numbered:
                converted[f"{network}.{ours}.slope"] = tensors[f"prelu{theirs}.weight"]
    return converted
