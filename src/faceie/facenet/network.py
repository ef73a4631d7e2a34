"""Inception-ResNet-v1 as the FaceNet encoder: 160 x 160 RGB in, a unit vector of 512 out.

Blocks carry the names of Szegedy et al. 2016 (arXiv 1602.07261); a figure number is one of that paper. The network is
the one of David Sandberg's *facenet* (whose weights are published, and which facenet-pytorch took over), and deviates
from the paper:

- Input of 160 x 160 pixels, not 299 x 299: the sizes in the comments follow from it.
- Residuals are scaled by 0.17, 0.10 and 0.20 in blocks A, B and C. The paper (section 3.3) suggests 0.1 to 0.3.
- One more block C follows, without scaling and without ReLU.
- The kernels of block C's 3 x 1 and 1 x 3 and their numbers of channels are those of figure 13; those of Reduction-A
  are table 1's k=192, l=192, m=256, n=384.
- The head gives an embedding (Schroff et al. 2015, arXiv 1503.03832) instead of a softmax: no dropout at inference, a
  linear layer from 1792 to 512 with batch normalization, and projection onto the unit sphere.

Each convolution is followed by batch normalization, which is folded into its kernel and bias (`faceie.nn.fold`), and by
ReLU unless it says "linear" here. "Same" padding is zeros. Every array line ends with its shape, n for the number of
faces.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from ..nn.reference import Kernels
from ..nn.tree import Conv

__all__ = ["INPUT_SIZE", "LAYOUT", "OUTPUT_SIZE", "InceptionResNetV1", "inception_resnet_v1"]

T = TypeVar("T")  # activations

INPUT_SIZE = 160  # pixels, height and width
OUTPUT_SIZE = 512


class Stem(NamedTuple):
    conv_1: Conv
    conv_2: Conv
    conv_3: Conv
    conv_4: Conv
    conv_5: Conv
    conv_6: Conv


class InceptionResNetA(NamedTuple):
    branch_0: Conv
    branch_1: tuple[Conv, Conv]
    branch_2: tuple[Conv, Conv, Conv]
    out: Conv


class ReductionA(NamedTuple):
    branch_0: Conv
    branch_1: tuple[Conv, Conv, Conv]


class InceptionResNetB(NamedTuple):
    branch_0: Conv
    branch_1: tuple[Conv, Conv, Conv]
    out: Conv


class ReductionB(NamedTuple):
    branch_0: tuple[Conv, Conv]
    branch_1: tuple[Conv, Conv]
    branch_2: tuple[Conv, Conv, Conv]


InceptionResNetC = InceptionResNetB  # the same branches, with other kernels


class InceptionResNetV1(NamedTuple):
    stem: Stem
    inception_resnet_a: tuple[InceptionResNetA, ...]  # 5
    reduction_a: ReductionA
    inception_resnet_b: tuple[InceptionResNetB, ...]  # 10
    reduction_b: ReductionB
    inception_resnet_c: tuple[InceptionResNetC, ...]  # 5, and one more
    embedding: Conv


def inception_resnet_v1(x: T, w: InceptionResNetV1, nn: Kernels[T]) -> T:
    """Encode faces: figure 15, with the head of FaceNet.

    `x`: (n, 160, 160, 3) float32 RGB, (pixel - 127.5) / 128. Returns (n, 512) float32, rows of unit length.
    `nn`: the kernels to run on, such as `faceie.nn.layers` or its slow twin `faceie.nn.reference`.
    """
    x = stem(x, w.stem, nn)  # [n, 160, 160, 3] -> [n, 17, 17, 256]
    for a in w.inception_resnet_a:
        x = inception_resnet_a(x, a, nn)  # [n, 17, 17, 256]
    x = reduction_a(x, w.reduction_a, nn)  # [n, 17, 17, 256] -> [n, 8, 8, 896]
    for b in w.inception_resnet_b:
        x = inception_resnet_b(x, b, nn)  # [n, 8, 8, 896]
    x = reduction_b(x, w.reduction_b, nn)  # [n, 8, 8, 896] -> [n, 3, 3, 1792]
    *cs, last = w.inception_resnet_c
    for c in cs:
        x = inception_resnet_c(x, c, nn)  # [n, 3, 3, 1792]
    x = inception_resnet_c(x, last, nn, scale=1.0, relu=False)  # [n, 3, 3, 1792]
    x = nn.global_mean(x)  # [n, 3, 3, 1792] -> [n, 1792]
    x = nn.linear(x, w.embedding)  # [n, 1792] -> [n, 512]
    return nn.normalize(x)  # [n, 512]


def stem(x: T, w: Stem, nn: Kernels[T]) -> T:
    """Figure 14."""
    x = nn.conv2d(x, w.conv_1, stride=2, relu=True)  # [n, 160, 160, 3] -> [n, 79, 79, 32]
    x = nn.conv2d(x, w.conv_2, relu=True)  # [n, 79, 79, 32] -> [n, 77, 77, 32]
    x = nn.conv2d(x, w.conv_3, padding=(1, 1), relu=True)  # [n, 77, 77, 32] -> [n, 77, 77, 64]
    x = nn.max_pool(x, 3)  # [n, 77, 77, 64] -> [n, 38, 38, 64]
    x = nn.conv2d(x, w.conv_4, relu=True)  # [n, 38, 38, 64] -> [n, 38, 38, 80]
    x = nn.conv2d(x, w.conv_5, relu=True)  # [n, 38, 38, 80] -> [n, 36, 36, 192]
    return nn.conv2d(x, w.conv_6, stride=2, relu=True)  # [n, 36, 36, 192] -> [n, 17, 17, 256]


def inception_resnet_a(x: T, w: InceptionResNetA, nn: Kernels[T], *, scale: float = 0.17) -> T:
    """Figure 10, 35 x 35 in the paper (and "block35" in the code of others); 17 x 17 here."""
    a = nn.conv2d(x, w.branch_0, relu=True)  # [n, 17, 17, 256] -> [n, 17, 17, 32]

    b = nn.conv2d(x, w.branch_1[0], relu=True)  # [n, 17, 17, 256] -> [n, 17, 17, 32]
    b = nn.conv2d(b, w.branch_1[1], padding=(1, 1), relu=True)  # [n, 17, 17, 32]

    c = nn.conv2d(x, w.branch_2[0], relu=True)  # [n, 17, 17, 256] -> [n, 17, 17, 32]
    c = nn.conv2d(c, w.branch_2[1], padding=(1, 1), relu=True)  # [n, 17, 17, 32]
    c = nn.conv2d(c, w.branch_2[2], padding=(1, 1), relu=True)  # [n, 17, 17, 32]

    mixed = nn.concatenate([a, b, c])  # [n, 17, 17, 96]
    mixed = nn.conv2d(mixed, w.out)  # [n, 17, 17, 96] -> [n, 17, 17, 256], linear
    return nn.residual(x, mixed, scale=scale, relu=True)  # [n, 17, 17, 256]


def reduction_a(x: T, w: ReductionA, nn: Kernels[T]) -> T:
    """Figure 7, with the channels of table 1."""
    a = nn.conv2d(x, w.branch_0, stride=2, relu=True)  # [n, 17, 17, 256] -> [n, 8, 8, 384]

    b = nn.conv2d(x, w.branch_1[0], relu=True)  # [n, 17, 17, 256] -> [n, 17, 17, 192]
    b = nn.conv2d(b, w.branch_1[1], padding=(1, 1), relu=True)  # [n, 17, 17, 192]
    b = nn.conv2d(b, w.branch_1[2], stride=2, relu=True)  # [n, 17, 17, 192] -> [n, 8, 8, 256]

    c = nn.max_pool(x, 3)  # [n, 17, 17, 256] -> [n, 8, 8, 256]
    return nn.concatenate([a, b, c])  # [n, 8, 8, 896]


def inception_resnet_b(x: T, w: InceptionResNetB, nn: Kernels[T], *, scale: float = 0.10) -> T:
    """Figure 11, 17 x 17 in the paper (and "block17" in the code of others); 8 x 8 here."""
    a = nn.conv2d(x, w.branch_0, relu=True)  # [n, 8, 8, 896] -> [n, 8, 8, 128]

    b = nn.conv2d(x, w.branch_1[0], relu=True)  # [n, 8, 8, 896] -> [n, 8, 8, 128]
    b = nn.conv2d(b, w.branch_1[1], padding=(0, 3), relu=True)  # [n, 8, 8, 128], 1 x 7
    b = nn.conv2d(b, w.branch_1[2], padding=(3, 0), relu=True)  # [n, 8, 8, 128], 7 x 1

    mixed = nn.concatenate([a, b])  # [n, 8, 8, 256]
    mixed = nn.conv2d(mixed, w.out)  # [n, 8, 8, 256] -> [n, 8, 8, 896], linear
    return nn.residual(x, mixed, scale=scale, relu=True)  # [n, 8, 8, 896]


def reduction_b(x: T, w: ReductionB, nn: Kernels[T]) -> T:
    """Figure 12."""
    a = nn.conv2d(x, w.branch_0[0], relu=True)  # [n, 8, 8, 896] -> [n, 8, 8, 256]
    a = nn.conv2d(a, w.branch_0[1], stride=2, relu=True)  # [n, 8, 8, 256] -> [n, 3, 3, 384]

    b = nn.conv2d(x, w.branch_1[0], relu=True)  # [n, 8, 8, 896] -> [n, 8, 8, 256]
    b = nn.conv2d(b, w.branch_1[1], stride=2, relu=True)  # [n, 8, 8, 256] -> [n, 3, 3, 256]

    c = nn.conv2d(x, w.branch_2[0], relu=True)  # [n, 8, 8, 896] -> [n, 8, 8, 256]
    c = nn.conv2d(c, w.branch_2[1], padding=(1, 1), relu=True)  # [n, 8, 8, 256]
    c = nn.conv2d(c, w.branch_2[2], stride=2, relu=True)  # [n, 8, 8, 256] -> [n, 3, 3, 256]

    d = nn.max_pool(x, 3)  # [n, 8, 8, 896] -> [n, 3, 3, 896]
    return nn.concatenate([a, b, c, d])  # [n, 3, 3, 1792]


def inception_resnet_c(x: T, w: InceptionResNetC, nn: Kernels[T], *, scale: float = 0.20, relu: bool = True) -> T:
    """Figure 13, 8 x 8 in the paper (and "block8" in the code of others); 3 x 3 here."""
    a = nn.conv2d(x, w.branch_0, relu=True)  # [n, 3, 3, 1792] -> [n, 3, 3, 192]

    b = nn.conv2d(x, w.branch_1[0], relu=True)  # [n, 3, 3, 1792] -> [n, 3, 3, 192]
    b = nn.conv2d(b, w.branch_1[1], padding=(0, 1), relu=True)  # [n, 3, 3, 192], 1 x 3
    b = nn.conv2d(b, w.branch_1[2], padding=(1, 0), relu=True)  # [n, 3, 3, 192], 3 x 1

    mixed = nn.concatenate([a, b])  # [n, 3, 3, 384]
    mixed = nn.conv2d(mixed, w.out)  # [n, 3, 3, 384] -> [n, 3, 3, 1792], linear
    return nn.residual(x, mixed, scale=scale, relu=relu)  # [n, 3, 3, 1792]


def _conv(height: int, width: int, channels: int, out: int) -> Conv:
    """Return the shapes of a convolution: a leaf of the layout (see `faceie.nn.tree`)."""
    return Conv((height, width, channels, out), (out,))  # type: ignore[arg-type]  # shapes for arrays


_BLOCK_A = InceptionResNetA(
    branch_0=_conv(1, 1, 256, 32),
    branch_1=(_conv(1, 1, 256, 32), _conv(3, 3, 32, 32)),
    branch_2=(_conv(1, 1, 256, 32), _conv(3, 3, 32, 32), _conv(3, 3, 32, 32)),
    out=_conv(1, 1, 96, 256),
)
_BLOCK_B = InceptionResNetB(
    branch_0=_conv(1, 1, 896, 128),
    branch_1=(_conv(1, 1, 896, 128), _conv(1, 7, 128, 128), _conv(7, 1, 128, 128)),
    out=_conv(1, 1, 256, 896),
)
_BLOCK_C = InceptionResNetC(
    branch_0=_conv(1, 1, 1792, 192),
    branch_1=(_conv(1, 1, 1792, 192), _conv(1, 3, 192, 192), _conv(3, 1, 192, 192)),
    out=_conv(1, 1, 384, 1792),
)

#: The names, order and shapes of all weights in a file.
LAYOUT = InceptionResNetV1(
    stem=Stem(
        conv_1=_conv(3, 3, 3, 32),
        conv_2=_conv(3, 3, 32, 32),
        conv_3=_conv(3, 3, 32, 64),
        conv_4=_conv(1, 1, 64, 80),
        conv_5=_conv(3, 3, 80, 192),
        conv_6=_conv(3, 3, 192, 256),
    ),
    inception_resnet_a=(_BLOCK_A,) * 5,
    reduction_a=ReductionA(
        branch_0=_conv(3, 3, 256, 384),
        branch_1=(_conv(1, 1, 256, 192), _conv(3, 3, 192, 192), _conv(3, 3, 192, 256)),
    ),
    inception_resnet_b=(_BLOCK_B,) * 10,
    reduction_b=ReductionB(
        branch_0=(_conv(1, 1, 896, 256), _conv(3, 3, 256, 384)),
        branch_1=(_conv(1, 1, 896, 256), _conv(3, 3, 256, 256)),
        branch_2=(_conv(1, 1, 896, 256), _conv(3, 3, 256, 256), _conv(3, 3, 256, 256)),
    ),
    inception_resnet_c=(_BLOCK_C,) * 6,
    embedding=_conv(1, 1, 1792, 512),
)
