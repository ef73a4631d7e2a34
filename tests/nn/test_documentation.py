"""The documents about plans are true."""

from __future__ import annotations

import re

import numpy as np

from faceie import facenet
from faceie.facenet.network import inception_resnet_v1
from faceie.nn import reference
from faceie.nn.buffers import PackedWeights, Recorder
from faceie.nn.graph import trace
from faceie.nn.methods import METHODS, Convolution, Epilogue, choose
from faceie.nn.plan import Plan
from faceie.nn.tree import Conv

from ..conftest import ROOT, assert_close


def test_printed_plan() -> None:
    """The page about plans shows the first lines of the encoder's plan for four faces, and its size."""
    page = (ROOT / "docs" / "how-a-plan-works.md").read_text("utf-8")
    plan = Plan(trace(inception_resnet_v1, facenet.load(), (160, 160, 3)), 4, PackedWeights(), small_gemm=False)
    (shown,) = re.findall(r"```text\n(kernel +method.*?)```", page, re.DOTALL)
    assert shown.splitlines() == str(plan).splitlines()[: len(shown.splitlines())]
    (megabytes,) = re.findall(r"a plan for four faces takes (\d+) MB", page)
    assert megabytes == f"{plan.megabytes:.0f}"
    assert 850 < len(plan.calls) < 950  # "some 900"


def test_method_of_the_example(rng: np.random.Generator) -> None:
    """The method that CONTRIBUTING.md adds is chosen, and gives the same as the slow twin."""
    document = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    assert len(example.splitlines()) <= 20
    before = dict(METHODS)
    try:
        exec(compile(example, "CONTRIBUTING.md", "exec"), {})
        (name,) = set(METHODS) - set(before)
        METHODS["patches"] = METHODS.pop("patches")  # stays last
        assert choose((9, 8, 12), (3, 2, 12, 7), 1, (1, 0), 2) == name
        x = rng.standard_normal((2, 9, 8, 12)).astype(np.float32)
        kernel = rng.standard_normal((3, 2, 12, 7)) / 9
        w = Conv(kernel.astype(np.float32), rng.standard_normal(7).astype(np.float32))
        expected = reference.conv2d(x, w, padding=(1, 0), relu=True)
        y, record = np.empty(expected.shape, np.float32), Recorder()
        METHODS[name].plan(Convolution(x, w.kernel, Epilogue(y, w.bias, relu=True), 1, (1, 0)), record)
        record.run()
        assert_close(y, expected, 1e-5)
    finally:
        METHODS.clear()
        METHODS.update(before)
