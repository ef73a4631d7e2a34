"""The names of the encoder's tensors in other projects, and their conversion to ours.

Our names are the path in the tree of `network.InceptionResNetV1`. Other files hold the same network:

- facenet-pytorch: ``repeat_1.0.branch1.1.conv.weight`` (out, in, height, width), with the four arrays of batch
  normalization beside it (``...bn.weight``, ``bias``, ``running_mean``, ``running_var``);
- faceie 0.0.5: no names, but the same order as ours: for each convolution the kernel (out, in, height, width), then
  mean, variance, gamma, beta and epsilon of its batch normalization. At the end of a block, the bias follows instead,
  then the scale of the residual;
- David Sandberg's TensorFlow graphs: ``InceptionResnetV1/Repeat/block35_1/Branch_1/Conv2d_0b_3x3/weights`` (height,
  width, in, out). Some graphs have batch normalization folded in already, and then there is one more array, the bias,
  ``.../Conv2D_bn_offset``; others have ``.../BatchNorm/beta``, ``moving_mean`` and ``moving_variance`` (no gamma).

The functions here return our tensors, in the order of our layout, batch normalization folded. They raise KeyError for a
missing tensor. The caller checks shapes by building the tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..nn.fold import fold_batch_norm
from ..nn.tree import Conv
from ..types import Array

__all__ = ["from_tensorflow", "from_torch", "from_weightie"]

# One row a block: our name, facenet-pytorch's, TensorFlow's. Then the convolutions of each kind of block: our name and
# TensorFlow's. facenet-pytorch's are ours without the underscore (branch_1.0: branch1.0), and conv2d for the output of
# a block.
_STEM = [
    ("stem.conv_1", "conv2d_1a", "Conv2d_1a_3x3"),
    ("stem.conv_2", "conv2d_2a", "Conv2d_2a_3x3"),
    ("stem.conv_3", "conv2d_2b", "Conv2d_2b_3x3"),
    ("stem.conv_4", "conv2d_3b", "Conv2d_3b_1x1"),
    ("stem.conv_5", "conv2d_4a", "Conv2d_4a_3x3"),
    ("stem.conv_6", "conv2d_4b", "Conv2d_4b_3x3"),
]
_INCEPTION_RESNET_A = {
    "branch_0": "Branch_0/Conv2d_1x1",
    "branch_1.0": "Branch_1/Conv2d_0a_1x1",
    "branch_1.1": "Branch_1/Conv2d_0b_3x3",
    "branch_2.0": "Branch_2/Conv2d_0a_1x1",
    "branch_2.1": "Branch_2/Conv2d_0b_3x3",
    "branch_2.2": "Branch_2/Conv2d_0c_3x3",
    "out": "Conv2d_1x1",
}
_REDUCTION_A = {
    "branch_0": "Branch_0/Conv2d_1a_3x3",
    "branch_1.0": "Branch_1/Conv2d_0a_1x1",
    "branch_1.1": "Branch_1/Conv2d_0b_3x3",
    "branch_1.2": "Branch_1/Conv2d_1a_3x3",
}
_INCEPTION_RESNET_B = {
    "branch_0": "Branch_0/Conv2d_1x1",
    "branch_1.0": "Branch_1/Conv2d_0a_1x1",
    "branch_1.1": "Branch_1/Conv2d_0b_1x7",
    "branch_1.2": "Branch_1/Conv2d_0c_7x1",
    "out": "Conv2d_1x1",
}
_REDUCTION_B = {
    "branch_0.0": "Branch_0/Conv2d_0a_1x1",
    "branch_0.1": "Branch_0/Conv2d_1a_3x3",
    "branch_1.0": "Branch_1/Conv2d_0a_1x1",
    "branch_1.1": "Branch_1/Conv2d_1a_3x3",
    "branch_2.0": "Branch_2/Conv2d_0a_1x1",
    "branch_2.1": "Branch_2/Conv2d_0b_3x3",
    "branch_2.2": "Branch_2/Conv2d_1a_3x3",
}
_INCEPTION_RESNET_C = {
    "branch_0": "Branch_0/Conv2d_1x1",
    "branch_1.0": "Branch_1/Conv2d_0a_1x1",
    "branch_1.1": "Branch_1/Conv2d_0b_1x3",
    "branch_1.2": "Branch_1/Conv2d_0c_3x1",
    "out": "Conv2d_1x1",
}
_BLOCKS = [
    *((f"inception_resnet_a.{i}", f"repeat_1.{i}", f"Repeat/block35_{i + 1}", _INCEPTION_RESNET_A) for i in range(5)),
    ("reduction_a", "mixed_6a", "Mixed_6a", _REDUCTION_A),
    *(
        (f"inception_resnet_b.{i}", f"repeat_2.{i}", f"Repeat_1/block17_{i + 1}", _INCEPTION_RESNET_B)
        for i in range(10)
    ),
    ("reduction_b", "mixed_7a", "Mixed_7a", _REDUCTION_B),
    *((f"inception_resnet_c.{i}", f"repeat_3.{i}", f"Repeat_2/block8_{i + 1}", _INCEPTION_RESNET_C) for i in range(5)),
    ("inception_resnet_c.5", "block8", "Block8", _INCEPTION_RESNET_C),
]


def _convolutions() -> Iterator[tuple[str, str, str]]:
    """Yield our name, facenet-pytorch's and TensorFlow's of each convolution, in our order."""
    yield from _STEM
    for ours, torch, tensorflow, parts in _BLOCKS:
        for part, tensorflow_part in parts.items():
            torch_part = "conv2d" if part == "out" else part.replace("_", "")
            yield f"{ours}.{part}", f"{torch}.{torch_part}", f"{tensorflow}/{tensorflow_part}"


def from_torch(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return our tensors from those of a facenet-pytorch ``state_dict``. The classifier (``logits``) is left out."""
    converted: dict[str, Array] = {}
    for ours, theirs, _ in _convolutions():
        if ours.endswith(".out"):
            conv = Conv(_channels_last(tensors[f"{theirs}.weight"]), tensors[f"{theirs}.bias"])
        else:
            conv = _fold_torch(tensors[f"{theirs}.conv.weight"], tensors, f"{theirs}.bn")
        _put(converted, ours, conv)
    _put(converted, "embedding", _fold_torch(tensors["last_linear.weight"][..., None, None], tensors, "last_bn"))
    return converted


def _channels_last(kernel: Array) -> Array:
    """Turn a kernel (out, in, height, width) into (height, width, in, out)."""
    view: Array = kernel.transpose(2, 3, 1, 0)
    return view


def _fold_torch(kernel: Array, tensors: Mapping[str, Array], norm: str) -> Conv:
    mean, variance, beta, gamma = (
        tensors[f"{norm}.{part}"] for part in ("running_mean", "running_var", "bias", "weight")
    )
    return fold_batch_norm(_channels_last(kernel), mean, variance, beta, gamma)


def from_tensorflow(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return our tensors from the constants of a frozen TensorFlow graph of facenet."""
    tensors = {name.removeprefix("InceptionResnetV1/"): tensor for name, tensor in tensors.items()}
    converted: dict[str, Array] = {}
    for ours, _, theirs in _convolutions():
        kernel = tensors[f"{theirs}/weights"]
        if ours.endswith(".out"):
            conv = Conv(kernel, tensors[f"{theirs}/biases"])
        elif f"{theirs}/Conv2D_bn_offset" in tensors:
            conv = Conv(kernel, tensors[f"{theirs}/Conv2D_bn_offset"])
        else:
            conv = _fold_tensorflow(kernel, tensors, f"{theirs}/BatchNorm")
        _put(converted, ours, conv)
    kernel = tensors["Bottleneck/weights"][None, None]  # [1792, 512] -> [1, 1, 1792, 512]
    _put(converted, "embedding", _fold_tensorflow(kernel, tensors, "Bottleneck/BatchNorm"))
    return converted


def _fold_tensorflow(kernel: Array, tensors: Mapping[str, Array], norm: str) -> Conv:
    mean, variance, beta = (tensors[f"{norm}/{part}"] for part in ("moving_mean", "moving_variance", "beta"))
    return fold_batch_norm(kernel, mean, variance, beta)


def _put(tensors: dict[str, Array], name: str, conv: Conv) -> None:
    tensors[f"{name}.kernel"] = np.ascontiguousarray(conv.kernel)
    tensors[f"{name}.bias"] = conv.bias


def from_weightie(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return our tensors from those of faceie 0.0.5, which have an order but no names."""
    order = iter(tensors.values())
    converted: dict[str, Array] = {}

    def fold(kernel: Array) -> Conv:
        mean, variance, gamma, beta, epsilon = (_next(order) for _ in range(5))
        return fold_batch_norm(kernel, mean, variance, beta, gamma, float(epsilon))

    for ours, _, _ in _convolutions():
        kernel = _channels_last(_next(order))
        if ours.endswith(".out"):
            conv = Conv(kernel, _next(order))
            _next(order)  # the scale: a constant of the network, here
        else:
            conv = fold(kernel)
        _put(converted, ours, conv)
    _put(converted, "embedding", fold(_next(order)[None, None]))  # [1792, 512] -> [1, 1, 1792, 512]
    return converted


def _next(tensors: Iterator[Array]) -> Array:
    try:
        return next(tensors)
    except StopIteration:
        raise KeyError("there are too few tensors") from None
