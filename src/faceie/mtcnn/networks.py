"""The three networks of MTCNN: figure 2 of Zhang et al. 2016 (arXiv 1604.02878).

They follow the weights that the authors published, and so deviate from the figure:

- The pools of P-Net, and the last of O-Net, are 2 x 2.
- The windows of pools may reach over the border ("ceil").
- The activations are parametric ReLUs with one slope per channel, as in section III-B of the paper.
- Activations are channels-last. They are flattened in the order column, row, channel, as the published weights need.

Every array line ends with its shape.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from ..nn.reference import Kernels, WindowKernels
from ..nn.tree import Conv, PReLUConv

__all__ = ["LAYOUT", "MTCNN", "ONet", "PNet", "RNet", "o_net", "p_net", "r_net"]

T = TypeVar("T")  # activations


class PNet(NamedTuple):
    conv_1: PReLUConv
    conv_2: PReLUConv
    conv_3: PReLUConv
    face: Conv
    box: Conv


class RNet(NamedTuple):
    conv_1: PReLUConv
    conv_2: PReLUConv
    conv_3: PReLUConv
    dense: PReLUConv
    face: Conv
    box: Conv


class ONet(NamedTuple):
    conv_1: PReLUConv
    conv_2: PReLUConv
    conv_3: PReLUConv
    conv_4: PReLUConv
    dense: PReLUConv
    face: Conv
    box: Conv
    landmarks: Conv


class MTCNN(NamedTuple):
    p_net: PNet
    r_net: RNet
    o_net: ONet


def p_net(x: T, w: PNet, nn: WindowKernels[T]) -> tuple[T, T]:
    """Run the proposal network on every window of 12 x 12 pixels, 2 apart.

    `x`: (n, h, w, 3) float32 RGB, (pixel - 127.5) / 128, h and w at least 12.
    `nn`: the kernels. With `faceie.nn.planar`, channels come before columns in the input and outputs.
    Returns the scores (n, rows, columns), 0 to 1, and the offsets of the windows' corners (n, rows, columns, 4) in
    units of the window, where rows = ceil((h - 2) / 2) - 4, and columns likewise.
    """
    x = nn.conv2d_prelu(x, w.conv_1)  # [n, h, w, 3] -> [n, h - 2, w - 2, 10]
    x = nn.max_pool(x, 2, ceil=True)  # [n, h - 2, w - 2, 10] -> [n, rows + 4, columns + 4, 10]
    x = nn.conv2d_prelu(x, w.conv_2)  # [n, rows + 4, columns + 4, 10] -> [n, rows + 2, columns + 2, 16]
    x = nn.conv2d_prelu(x, w.conv_3)  # [n, rows + 2, columns + 2, 16] -> [n, rows, columns, 32]
    face = nn.probability(nn.conv2d(x, w.face))  # [n, rows, columns, 32] -> [n, rows, columns]
    return face, nn.conv2d(x, w.box)  # [n, rows, columns], [n, rows, columns, 4]


def r_net(x: T, w: RNet, nn: Kernels[T]) -> tuple[T, T]:
    """Run the refinement network, which rejects and corrects proposals.

    `x`: (n, 24, 24, 3) float32 RGB, (pixel - 127.5) / 128. Returns the scores (n,), 0 to 1, and the offsets of the
    boxes' corners (n, 4) in units of the box.
    """
    x = nn.conv2d_prelu(x, w.conv_1)  # [n, 24, 24, 3] -> [n, 22, 22, 28]
    x = nn.max_pool(x, 3, ceil=True)  # [n, 22, 22, 28] -> [n, 11, 11, 28]
    x = nn.conv2d_prelu(x, w.conv_2)  # [n, 11, 11, 28] -> [n, 9, 9, 48]
    x = nn.max_pool(x, 3, ceil=True)  # [n, 9, 9, 48] -> [n, 4, 4, 48]
    x = nn.conv2d_prelu(x, w.conv_3)  # [n, 4, 4, 48] -> [n, 3, 3, 64]
    x = nn.flatten(x)  # [n, 3, 3, 64] -> [n, 576]
    x = nn.linear_prelu(x, w.dense)  # [n, 576] -> [n, 128]
    face = nn.probability(nn.linear(x, w.face))  # [n, 128] -> [n]
    return face, nn.linear(x, w.box)  # [n], [n, 4]


def o_net(x: T, w: ONet, nn: Kernels[T]) -> tuple[T, T, T]:
    """Run the output network, which decides and returns the final box and five landmarks.

    `x`: (n, 48, 48, 3) float32 RGB, (pixel - 127.5) / 128. Returns the scores (n,), 0 to 1, the offsets of the boxes'
    corners (n, 4), and the landmarks (n, 10), both in units of the box. Landmarks are five x, then five y.
    """
    x = nn.conv2d_prelu(x, w.conv_1)  # [n, 48, 48, 3] -> [n, 46, 46, 32]
    x = nn.max_pool(x, 3, ceil=True)  # [n, 46, 46, 32] -> [n, 23, 23, 32]
    x = nn.conv2d_prelu(x, w.conv_2)  # [n, 23, 23, 32] -> [n, 21, 21, 64]
    x = nn.max_pool(x, 3, ceil=True)  # [n, 21, 21, 64] -> [n, 10, 10, 64]
    x = nn.conv2d_prelu(x, w.conv_3)  # [n, 10, 10, 64] -> [n, 8, 8, 64]
    x = nn.max_pool(x, 2, ceil=True)  # [n, 8, 8, 64] -> [n, 4, 4, 64]
    x = nn.conv2d_prelu(x, w.conv_4)  # [n, 4, 4, 64] -> [n, 3, 3, 128]
    x = nn.flatten(x)  # [n, 3, 3, 128] -> [n, 1152]
    x = nn.linear_prelu(x, w.dense)  # [n, 1152] -> [n, 256]
    face = nn.probability(nn.linear(x, w.face))  # [n, 256] -> [n]
    return face, nn.linear(x, w.box), nn.linear(x, w.landmarks)  # [n], [n, 4], [n, 10]


def _conv(height: int, width: int, channels: int, out: int) -> Conv:
    """Return the shapes of a convolution: a leaf of the layout (see `faceie.nn.tree`)."""
    return Conv((height, width, channels, out), (out,))  # type: ignore[arg-type]  # shapes instead of arrays


def _prelu(height: int, width: int, channels: int, out: int) -> PReLUConv:
    return PReLUConv(*_conv(height, width, channels, out), (out,))  # type: ignore[arg-type]  # shapes instead of arrays


#: The names, order and shapes of all weights in a file.
LAYOUT = MTCNN(
    p_net=PNet(
        conv_1=_prelu(3, 3, 3, 10),
        conv_2=_prelu(3, 3, 10, 16),
        conv_3=_prelu(3, 3, 16, 32),
        face=_conv(1, 1, 32, 2),
        box=_conv(1, 1, 32, 4),
    ),
    r_net=RNet(
        conv_1=_prelu(3, 3, 3, 28),
        conv_2=_prelu(3, 3, 28, 48),
        conv_3=_prelu(2, 2, 48, 64),
        dense=_prelu(1, 1, 576, 128),
        face=_conv(1, 1, 128, 2),
        box=_conv(1, 1, 128, 4),
    ),
    o_net=ONet(
        conv_1=_prelu(3, 3, 3, 32),
        conv_2=_prelu(3, 3, 32, 64),
        conv_3=_prelu(3, 3, 64, 64),
        conv_4=_prelu(2, 2, 64, 128),
        dense=_prelu(1, 1, 1152, 256),
        face=_conv(1, 1, 256, 2),
        box=_conv(1, 1, 256, 4),
        landmarks=_conv(1, 1, 256, 10),
    ),
)
