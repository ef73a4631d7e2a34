"""Hostile and damaged files: each is refused, with its name and the reason, and none of it is run."""

from __future__ import annotations

import builtins
import codecs
import json
import os
import pickle
import struct
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from faceie.errors import WeightsError
from faceie.weights import pickles, readers

from . import makers
from .makers import (
    END,
    call,
    dictionary,
    group,
    integer,
    name,
    storage,
    tensor,
    text,
    torch_legacy,
    torch_zip,
    weightie,
)

SAMPLES = Path(__file__).parent / "samples"
EIGHT = {"0": bytes(32)}  # a storage of eight numbers

# Pickles that run code when Python's own unpickler loads them. {} is the command.
RUNS_CODE = {
    "os.system by REDUCE": call(name("os", "system"), text("{}")),
    "posix.system, the other name of it": call(name("posix", "system"), text("{}")),
    "builtins.eval by REDUCE": call(name("builtins", "eval"), text("__import__('os').system('{}')")),
    "builtins.exec under its old name": call(name("__builtin__", "exec"), text("__import__('os').system('{}')")),
    "subprocess.Popen by NEWOBJ": name("subprocess", "Popen") + group(text("{}"), b"]", b"N") + b"\x81",
    "os.system by INST": b"(" + text("{}") + b"ios\nsystem\n",
    "os.system by OBJ": b"(" + name("os", "system") + text("{}") + b"o",
    "os.system by STACK_GLOBAL": text("os") + text("system") + b"\x93" + group(text("{}")) + b"R",
    "a function by an extension code (EXT1)": b"\x82\x01" + group(text("{}")) + b"R",
    "getattr of an allowed module": call(name("builtins", "getattr"), name("torch", "Size"), text("__class__")),
    "an attribute below an allowed name": text("torch._utils") + text("_rebuild_tensor_v2.__globals__") + b"\x93",
    "torch.load of another file": call(name("torch.serialization", "load"), text("{}")),
    "calling a result": call(call(name("collections", "OrderedDict")), text("{}")),
    "calling the type of a storage": call(name("torch", "FloatStorage"), text("{}")),
    "BUILD with a __setstate__": call(name("collections", "OrderedDict"))
    + dictionary({"__setstate__": text("{}")})
    + b"b",
    "os.system as a persistent id": group(call(name("os", "system"), text("{}"))) + b"Q",
    "os.system as the key of a dictionary": b"}" + call(name("os", "system"), text("{}")) + b"Ns",
}

# Each tuple holds the one before it twice: 2^60 of them, if they are counted.
DOUBLING = b")" + b"q\x00h\x00\x86" * 60

A = tensor(storage("0", 8), (2, 4))

MANY = dictionary({str(i): tensor(storage("0", 10_000), (100, 100)) for i in range(1000)})

PICKLES = {
    "a dictionary of numbers": dictionary({"a": integer(1)}),
    "no dictionary": integer(1),
    "an empty dictionary": dictionary({}),
    "keys that are not names": b"}" + integer(1) + A + b"s",
    "a key of the same tuple twice, sixty deep, which takes forever to hash": b"}" + DOUBLING + A + b"s",
    "a tensor larger than its storage": dictionary({"a": tensor(storage("0", 8), (3, 4))}),
    "a tensor larger than memory": dictionary({"a": tensor(storage("0", 8), (1 << 40, 4))}),
    "a tensor of 2^63 by 2^63": dictionary({"a": tensor(storage("0", 8), (1 << 63, 1 << 63), (0, 0))}),
    "a negative size": dictionary({"a": tensor(storage("0", 8), (-2, 4))}),
    "a negative stride": dictionary({"a": tensor(storage("0", 8), (2, 4), (-4, 1))}),
    "strides that reach beyond": dictionary({"a": tensor(storage("0", 8), (2, 4), (100, 1))}),
    "an offset beyond": dictionary({"a": tensor(storage("0", 8), (2, 4), offset=5)}),
    "a negative offset": dictionary({"a": tensor(storage("0", 8), (2, 4), offset=-1)}),
    "fewer strides than sizes": dictionary({"a": tensor(storage("0", 8), (2, 4), (4,))}),
    "more numbers than the storage has": dictionary({"a": tensor(storage("0", 2000), (2, 1000))}),
    "fewer numbers than the storage has": dictionary({"a": tensor(storage("0", 7), (1, 7))}),
    "a storage that is not there": dictionary({"a": tensor(storage("1", 8), (2, 4))}),
    "a storage that is a text": dictionary({"a": tensor(text("0"), (2, 4))}),
    "a reference to nothing": dictionary({"a": tensor(group(text("storage")) + b"Q", (2, 4))}),
    "a shape of texts": dictionary(
        {"a": call(name("torch._utils", "_rebuild_tensor_v2"), storage("0", 8), integer(0), text("ab"), text("cd"))}
    ),
    "hundred dimensions": dictionary({"a": tensor(storage("0", 8), (1,) * 100)}),
    "an operand from an empty stack": b"00R",
    "a mark that is not there": b"t",
    "a memory that is not there": b"h\x07",
    "an operation of old pickles": b"I5\n",
    "no end": b"}" * 1000 + b"\x80",
    "larger than any honest one": b"N0" * pickles.LIMIT,
    "nested deeper than the stack of Python": b"]" * 100_000 + b"a" * 99_999,
}


def header(entries: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file."""
    raw = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(shape: object = (2,), offsets: object = (0, 8), dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


SAFETENSORS = {
    "a header longer than the file": header({"a": entry()}, bytes(8), 1 << 19),
    "a header of 2^64 bytes": header({"a": entry()}, bytes(8), (1 << 64) - 1)[:9] + b"{" * 100,
    "a header cut off": header({"a": entry()}, length=20),
    "a header that is not JSON": header(b"{not json}", bytes(8)),
    "a header that is not text": header(b'{"\xff": 1}'),
    "a header nested too deep": header(b'{"a":' * 50_000),
    "a name twice": header(b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), bytes(8)),
    "an entry that is a number": header({"a": 5}, bytes(8)),
    "an entry that says more": header({"a": {**entry(), "x": 1}}, bytes(8)),
    "metadata that are not texts": header({"__metadata__": {"a": 1}}),
    "another type": header({"a": entry(dtype="F64")}, bytes(8)),
    "a type that is a list": header({"a": entry(dtype=[])}, bytes(8)),
    "a negative size": header({"a": entry(shape=[-2, -1])}, bytes(8)),
    "a size of 2^70": header({"a": entry(shape=[1 << 70, 0], offsets=[0, 0])}),
    "a size that is a fraction": header({"a": entry(shape=[2.0])}, bytes(8)),
    "a size that is true": header({"a": entry(shape=[2, True])}, bytes(8)),
    "a shape that is not a list": header({"a": entry(shape=2)}, bytes(8)),
    "offsets backwards": header({"a": entry(offsets=[8, 0])}, bytes(8)),
    "three offsets": header({"a": entry(offsets=[0, 4, 8])}, bytes(8)),
    "offsets beyond the file": header({"a": entry(shape=[200], offsets=[0, 800])}, bytes(8)),
    "a shape that does not fill its bytes": header({"a": entry(shape=[3])}, bytes(8)),
    "tensors that overlap": header({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)),
    "the same bytes twice": header({"a": entry(), "b": entry()}, bytes(8)),
    "a gap between tensors": header({"a": entry(), "b": entry(offsets=[12, 20])}, bytes(20)),
    "bytes after the last tensor": header({"a": entry()}, bytes(12)),
    "bytes of no tensor": header({}, bytes(4)),
    "offsets that are not aligned": header({"a": entry(shape=[0], offsets=[1, 1]), "b": entry()}, bytes(8)),
}

CONSTANT = makers.tensorflow_constant("a", (2, 4), bytes(32))

TENSORFLOW = {
    "no weights in it": makers.tensorflow({}),
    "a length beyond the end": makers.tensorflow({}) + b"\x0a\xff\xff\xff\xff\x7f",
    "a number that does not end": makers.tensorflow({}) + b"\xff" * 50,
    "a number cut off": makers.tensorflow({}) + b"\x0a\xff",
    "a field of an unknown kind": makers.tensorflow({}) + b"\x0b",
    "a name that is not text": makers.tensorflow({}) + CONSTANT.replace(b"Const", b"\xff\xfe\xff\xfe\xff"),
    "more numbers than bytes": makers.tensorflow({}) + makers.tensorflow_constant("a", (2, 5), bytes(32)),
    "one number for more than memory holds": makers.tensorflow({})
    + makers.tensorflow_constant("a", (1 << 20, 1 << 20), bytes(4)),
    "a size of 2^64 - 1": makers.tensorflow({}) + makers.tensorflow_constant("a", ((1 << 64) - 1, 0), bytes(32)),
}

WEIGHTIE = {
    "an array beyond the file": weightie(group(makers.weightie_array(0, (9,))), bytes(32)),
    "an offset beyond the file": weightie(group(makers.weightie_array(1 << 40, (8,))), bytes(32)),
    "a negative offset": weightie(group(makers.weightie_array(-4, (8,))), bytes(32)),
    "a negative size": weightie(group(makers.weightie_array(0, (-8, -1))), bytes(32)),
    "an array larger than memory": weightie(group(makers.weightie_array(0, (1 << 40, 1 << 40))), bytes(32)),
    "the same array a thousand times": weightie(group(*[makers.weightie_array(0, (1000,))] * 1000), bytes(4000)),
    "objects for numbers": weightie(group(makers.weightie_array(0, (4,), "O")), bytes(32)),
    "an array with a pickle's length for its letters": weightie(
        group(makers.weightie_array(0, (4,), "f4, f4")), bytes(32)
    ),
    "a text among the arrays": weightie(group(text("a")), bytes(32)),
    "tuples of the same tuple twice, sixty deep": weightie(DOUBLING, bytes(32)),
    "a pickle that is not a tree": weightie(integer(1), bytes(32)),
}

FILES = {
    **{f"torch, zip: {k}": torch_zip(v, EIGHT) for k, v in PICKLES.items()},
    **{f"torch, legacy: {k}": torch_legacy(v, EIGHT) for k, v in PICKLES.items()},
    "torch, zip: a tensor a thousand times": torch_zip(MANY, {"0": bytes(40_000)}),
    "torch, legacy: a tensor a thousand times": torch_legacy(MANY, {"0": bytes(40_000)}),
    "torch, zip: compressed, and so a bomb": torch_zip(
        dictionary({"a": A}), {"0": bytes(1 << 20)}, zipfile.ZIP_DEFLATED
    ),
    "torch, zip: no data.pkl": torch_zip(b"", {}).replace(b"data.pkl", b"date.pkl"),
    "torch, zip: a wrong checksum": torch_zip(dictionary({"a": A}), {"0": b"12345678" * 4}).replace(
        b"12345678", b"12345679"
    ),
    "torch, legacy: another version": torch_legacy(dictionary({"a": A}), EIGHT).replace(integer(1001), integer(1002)),
    "torch, legacy: a storage larger than the file": torch_legacy(dictionary({"a": A}), EIGHT, count=1 << 40),
    "torch, legacy: a negative count": torch_legacy(dictionary({"a": A}), EIGHT, count=-1),
    "torch, legacy: a storage that was not announced": torch_legacy(dictionary({"a": A}), {"9": bytes(32)}),
    **{f"safetensors: {k}": v for k, v in SAFETENSORS.items()},
    **{f"tensorflow: {k}": v for k, v in TENSORFLOW.items()},
    **{f"weightie: {k}": v for k, v in WEIGHTIE.items()},
}


def test_the_pickles_do_run_code(tmp_path: Path) -> None:
    """The hostile pickles are hostile: Python's own unpickler runs the first of them."""
    canary = tmp_path / "canary"
    pickled = RUNS_CODE["os.system by REDUCE"].replace(text("{}"), text(f"touch {canary}"))
    pickle.loads(b"\x80\x02" + pickled + END)
    assert canary.exists()


@pytest.mark.parametrize("form", ["zip", "legacy", "weightie"])
@pytest.mark.parametrize("way", RUNS_CODE)
def test_no_code_is_run(way: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile pickles are refused before anything is imported or called."""
    canary = tmp_path / "canary"
    pickled = RUNS_CODE[way].replace(text("{}"), text(f"touch {canary}"))
    make = {"zip": torch_zip, "legacy": torch_legacy, "weightie": weightie}[form]
    path = makers.write(tmp_path / "hostile", make(pickled))

    codecs.lookup("cp437")  # zipfile needs it, and importing it needs exec

    def forbidden(*arguments: object, **_: object) -> None:
        raise AssertionError(f"something was run: {arguments}")

    for module, function in ((os, "system"), (builtins, "eval"), (builtins, "exec"), (subprocess, "Popen")):
        monkeypatch.setattr(module, function, forbidden)
    try:
        with pytest.raises(WeightsError, match="hostile: ") as caught:
            readers.read(path)
    finally:
        monkeypatch.undo()
    assert not canary.exists()
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("case", FILES)
def test_hostile_file_is_refused(case: str, tmp_path: Path) -> None:
    """The error names the file, and no memory is allocated for sizes that the file only claims."""
    path = makers.write(tmp_path / "hostile", FILES[case])
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match="hostile: "):
            readers.read(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def samples() -> dict[str, bytes]:
    """One small honest file of each format."""
    tensors = {"a": np.arange(8, dtype=np.float32).reshape(2, 4), "b": np.ones(3, np.float32)}
    safetensors = header({"a": entry([2, 4], [0, 32]), "b": entry([3], [32, 44])}, bytes(44))
    arrays = group(makers.weightie_array(0, (2, 4)), makers.weightie_array(32, (3,)))
    return {
        "zip": (SAMPLES / "zip.pt").read_bytes(),
        "legacy": (SAMPLES / "legacy.pt").read_bytes(),
        "safetensors": safetensors,
        "tensorflow": makers.tensorflow(tensors),
        "weightie": weightie(arrays, bytes(44)),
    }


@pytest.mark.parametrize("form", samples())
def test_truncated_files_are_refused(form: str, tmp_path: Path) -> None:
    """A file that is cut off anywhere is refused, unless its tensors are whole: a graph may lack its last nodes."""
    data = samples()[form]
    path = tmp_path / "hostile"
    whole = readers.read(makers.write(path, data)).tensors
    for length in range(0, len(data), max(1, len(data) // 150)):
        makers.write(path, data[:length])
        try:
            tensors = readers.read(path).tensors
        except WeightsError as error:
            assert "hostile: " in str(error)  # noqa: PT017  # it may be raised, or not
        else:
            assert form == "tensorflow"
            assert tensors.keys() < whole.keys()


@pytest.mark.parametrize("form", samples())
def test_damaged_files_are_read_or_refused(form: str, tmp_path: Path) -> None:
    """With bytes changed at random, a file is read or refused: there is no other error, and it is fast."""
    random = np.random.default_rng(0)
    data = np.frombuffer(samples()[form], np.uint8)
    refused = 0
    for _ in range(300):
        damaged = data.copy()
        damaged[random.integers(0, len(data), random.integers(1, 6))] = random.integers(0, 256)
        try:
            readers.read(makers.write(tmp_path / "hostile", damaged.tobytes()))
        except WeightsError as error:
            assert "hostile: " in str(error)  # noqa: PT017  # it may be raised, or not
            refused += 1
    assert refused > 20
