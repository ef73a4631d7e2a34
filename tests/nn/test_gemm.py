"""Products that are made of small ones are the same."""

from __future__ import annotations

import numpy as np
import pytest

from faceie.nn.buffers import PackedWeights, Recorder
from faceie.nn.gemm import _step, blas_has_small_gemm, matmul, pack

from ..conftest import assert_close


@pytest.mark.parametrize("m", [1, 5, 6, 47, 48, 49, 300])
@pytest.mark.parametrize(("k", "n"), [(3, 32), (64, 80), (96, 256), (1792, 192), (7000, 32), (20, 7), (20, 112)])
def test_product(m: int, k: int, n: int, rng: np.random.Generator) -> None:
    """Of any size, of rows that lie apart, into rows that lie apart."""
    a = rng.standard_normal((m, k + 3)).astype(np.float32)[:, 2 : 2 + k]
    b = rng.standard_normal((k, n)).astype(np.float32) / np.float32(np.sqrt(k))
    whole = np.zeros((m, n + 5), np.float32)
    for small_gemm in (False, True):
        record = Recorder(small_gemm=small_gemm)
        matmul(a, pack(b, m, record), whole[:, 4 : 4 + n], record)
        whole[...] = 0
        record.run()
        assert_close(whole[:, 4 : 4 + n], a.astype(np.float64) @ b, 1e-5)
        assert not whole[:, :4].any()
        assert not whole[:, 4 + n :].any()


def test_stacks(rng: np.random.Generator) -> None:
    """Stacks of matrices are multiplied one by one, and may be transformed first."""
    a = rng.standard_normal((4, 50, 40)).astype(np.float32)
    b = rng.standard_normal((4, 40, 64)).astype(np.float32)
    for small_gemm in (False, True):
        record, out = Recorder(small_gemm=small_gemm), np.empty((4, 50, 64), np.float32)
        doubled = pack(b, 50, record, _doubled)
        assert (doubled.panels is not None) == small_gemm
        matmul(a, doubled, out, record)
        record.run()
        assert_close(out, 2 * (a.astype(np.float64) @ b), 1e-4)


def _doubled(kernel: np.ndarray) -> np.ndarray:
    return 2 * kernel


def test_kernels_are_packed_once(rng: np.random.Generator) -> None:
    """Recorders that share `packed` share the packed kernels."""
    kernel = rng.standard_normal((64, 64)).astype(np.float32)
    packed = PackedWeights()
    first, second = (pack(kernel, 9, Recorder(packed=packed, small_gemm=True)).panels for _ in range(2))
    assert first is second
    assert len(packed) == 1


def test_small_products_are_known_of() -> None:
    """NumPy's BLAS has them or not."""
    assert blas_has_small_gemm() in (True, False)


def test_small_products_are_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another library that SciPy brings along does not count."""
    theirs = {"architecture": "SkylakeX", "filepath": "/lib/scipy.libs/libscipy_openblas.so"}
    ours = {"architecture": "Haswell", "filepath": "/lib/numpy.libs/libopenblas.so"}
    for libraries, expected in (([theirs, ours], False), ([theirs, {**ours, "architecture": "SkylakeX"}], True)):
        monkeypatch.setattr("threadpoolctl.threadpool_info", lambda libraries=libraries: libraries)
        assert blas_has_small_gemm.__wrapped__() == expected


def test_rows_of_small_products() -> None:
    """The fewest groups of six rows come first, then a single call, then the fewest products."""
    assert [_step(m, 48) for m in (1, 9, 32, 36, 72)] == [1, 9, 32, 36, 36]
    assert _step(32, 20) == 16
    for m in range(1, 300):
        for most in (6, 17, 48):
            step = _step(m, most)
            assert 1 <= step <= min(m, most)
            sixes = m // step * -(-step // 6) + -(-(m % step) // 6)
            assert sixes <= -(-m // 6)
