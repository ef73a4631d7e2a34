"""Every fast kernel gives what its slow twin gives, over one table of cases."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from faceie.nn import layers, reference
from faceie.nn.tree import Conv, PReLUConv

from ..conftest import assert_close

Case = tuple[str, tuple[Any, ...], dict[str, Any]]


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def _conv(*shape: int) -> Conv:
    return Conv(_random(*shape) / np.float32(np.sqrt(np.prod(shape[:3]))), _random(shape[-1]))


def _prelu_conv(*shape: int) -> PReLUConv:
    # Slopes beyond 0 .. 1 occur in the published weights.
    return PReLUConv(*_conv(*shape), np.linspace(-0.5, 1.5, shape[-1], dtype=np.float32))


CASES: list[Case] = [
    # Every form of convolution in the networks, and sizes around the borders of blocks.
    ("conv2d", (_random(1, 160, 160, 3), _conv(3, 3, 3, 32)), {"stride": 2, "relu": True}),
    ("conv2d", (_random(2, 79, 79, 32), _conv(3, 3, 32, 32)), {"relu": True}),
    ("conv2d", (_random(1, 40, 40, 32), _conv(3, 3, 32, 64)), {"padding": (1, 1), "relu": True}),
    ("conv2d", (_random(2, 38, 38, 64), _conv(1, 1, 64, 80)), {"relu": True}),
    ("conv2d", (_random(33, 8, 8, 128), _conv(1, 7, 128, 128)), {"padding": (0, 3), "relu": True}),
    ("conv2d", (_random(3, 8, 8, 128), _conv(7, 1, 128, 128)), {"padding": (3, 0), "relu": True}),
    ("conv2d", (_random(5, 17, 17, 192), _conv(3, 3, 192, 256)), {"stride": 2, "relu": True}),
    ("conv2d", (_random(7, 3, 3, 192), _conv(1, 3, 192, 192)), {"padding": (0, 1)}),
    ("conv2d", (_random(1, 3, 3, 384), _conv(1, 1, 384, 1792)), {}),
    ("conv2d", (_random(1, 9, 7, 5), _conv(1, 1, 5, 4)), {"stride": 2}),
    ("conv2d", (_random(1, 3, 3, 1), _conv(3, 3, 1, 1)), {}),
    ("conv2d", (_random(2, 5, 4, 30000), _conv(3, 3, 30000, 2)), {}),  # one row of patches does not fit the buffer
    ("conv2d", (_random(1, 12, 12, 8)[:, ::2, 1::2], _conv(3, 3, 8, 4)), {}),  # not contiguous
    ("conv2d_prelu", (_random(2, 61, 48, 3), _prelu_conv(3, 3, 3, 10)), {}),
    ("conv2d_prelu", (_random(4, 4, 4, 48), _prelu_conv(2, 2, 48, 64)), {}),
    ("linear", (_random(5, 576), _conv(1, 1, 576, 128)), {}),
    ("linear_prelu", (_random(5, 576), _prelu_conv(1, 1, 576, 128)), {}),
    *(
        ("max_pool", (_random(2, height, width, 3), size), {"ceil": ceil})
        for height in (4, 5, 6, 7)
        for width in (3, 8)
        for size in (2, 3)
        for ceil in (False, True)
    ),
    ("concatenate", ([_random(2, 3, 3, 4), _random(2, 3, 3, 5), _random(2, 3, 3, 1)],), {}),
    ("residual", (_random(2, 3, 3, 8), _random(2, 3, 3, 8)), {"scale": 0.17, "relu": True}),
    ("residual", (_random(2, 3, 3, 8), _random(2, 3, 3, 8)), {"scale": 1.0, "relu": False}),
    ("global_mean", (_random(2, 3, 3, 1792),), {}),
    ("flatten", (_random(2, 3, 4, 5),), {}),
    ("probability", (_random(2, 3, 4, 2),), {}),
    ("probability", (np.array([[80.0, -80.0], [-1e-3, 0.0]], np.float32),), {}),
    ("normalize", (_random(4, 512),), {}),
    ("normalize", (np.array([[0.0, 0.0], [1e-20, 0.0], [3.0, -4.0]], np.float32),), {}),
]


def _name(case: Case) -> str:
    kernel, arguments, options = case
    shapes = [str(getattr(getattr(a, "kernel", a), "shape", a)) for a in arguments if not isinstance(a, list)]
    return " ".join([kernel, *shapes, *(f"{k}={v}" for k, v in options.items())])


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_fast_kernel_equals_its_twin(case: Case) -> None:
    """Fast and slow differ by rounding only, and the fast one stays in float32 and leaves its input alone."""
    name, arguments, options = case
    before = np.array(arguments[0][0] if isinstance(arguments[0], list) else arguments[0])
    fast = getattr(layers, name)(*arguments, **options)
    slow = getattr(reference, name)(*arguments, **options)
    assert fast.dtype == np.float32
    assert_close(fast, slow, 1e-5 if name.startswith(("conv2d", "linear")) else 1e-6)
    assert np.array_equal(arguments[0][0] if isinstance(arguments[0], list) else arguments[0], before)


def _kernels() -> list[str]:
    members = {**vars(reference.WindowKernels), **vars(reference.Kernels)}
    return [name for name, member in members.items() if inspect.isfunction(member) and name[0] != "_"]


@pytest.mark.parametrize("module", [layers, reference])
def test_kernels_are_all_there(module: Any) -> None:
    """Both sets of kernels have all that networks ask for, with the same parameters, and every kernel has a case."""
    for name in _kernels():
        asked: Callable[..., Any] = getattr(reference.Kernels, name)
        given = getattr(module, name)
        assert list(inspect.signature(asked).parameters)[1:] == list(inspect.signature(given).parameters)
        assert any(case[0] == name for case in CASES)
