"""Files of all formats are read, with all their tensors."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from faceie.errors import WeightsError
from faceie.weights import readers, safetensors

from . import makers

SAMPLES = Path(__file__).parent / "samples"
NUMBERS = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["zip.pt", "legacy.pt", "checkpoint.pt"])
def test_torch(name: str) -> None:
    """PyTorch's own files: views, shared storages, parameters, other types; whole numbers are left out."""
    file = readers.read(SAMPLES / name)
    expected = {
        "whole": NUMBERS,
        "transposed": NUMBERS.transpose(2, 0, 1),
        "part": NUMBERS.ravel()[5:20:3],
        "parameter": np.array([1.5, -2]),
        "double": np.float32([[0.1]]),
        "half": np.array([0.5, 65504]),
        "number": np.array(7.25),
        "empty": np.empty((0, 3)),
    }
    assert file.format == "torch"
    assert list(file.tensors) == list(expected)
    for key, tensor in file.tensors.items():
        assert tensor.dtype == np.float32
        assert np.array_equal(tensor, expected[key])


def test_weightie() -> None:
    """A file of faceie 0.0.5's own library: arrays by their indices, nothing for None."""
    file = readers.read(SAMPLES / "sample.weights")
    assert file.format == "weightie"
    assert list(file.tensors) == ["0.0", "0.1", "1.0.0", "2"]
    for tensor, expected in zip(file.tensors.values(), (NUMBERS, [1, 2], NUMBERS[0], 0.25), strict=True):
        assert np.array_equal(tensor, np.float32(expected))


def test_tensorflow(tmp_path: Path) -> None:
    """A frozen graph: constants of float32 with a shape, full or splat; other nodes are skipped."""
    splat = makers.field(5, struct.pack("<f", 1.5))
    sizes = makers.field(2, makers.field(1, 3))
    attribute = makers.field(1, b"value") + makers.field(
        2, makers.field(8, makers.field(1, 1) + makers.field(2, sizes) + splat)
    )
    graph = (
        makers.tensorflow({"scope/weights": NUMBERS})
        + makers.tensorflow_constant("whole numbers", (2,), bytes(8), kind=3)
        + makers.tensorflow_constant("no shape", (), bytes(4))
        + makers.field(1, makers.field(1, b"splat") + makers.field(2, b"Const") + makers.field(5, attribute))
        + makers.field(4, makers.field(1, 134))  # the versions of the graph
    )
    file = readers.read(makers.write(tmp_path / "graph", graph))
    assert file.format == "tensorflow"
    assert list(file.tensors) == ["scope/weights", "splat"]
    assert np.array_equal(file.tensors["scope/weights"], NUMBERS)
    assert file.tensors["splat"].tolist() == [1.5, 1.5, 1.5]


def test_made_files_are_like_real_ones(tmp_path: Path) -> None:
    """Files made by these tests are read as those of the real programs are, so refusals have other reasons."""
    tensors = {"a": NUMBERS, "b": NUMBERS[0]}
    for data in (
        makers.torch_zip(*makers.torch_state_dict(tensors)),
        makers.torch_legacy(*makers.torch_state_dict(tensors)),
    ):
        read = readers.read(makers.write(tmp_path / "made.pt", data)).tensors
        assert list(read) == ["a", "b"]
        assert all(np.array_equal(read[key], tensors[key]) for key in tensors)
    parts = makers.group(makers.weightie_array(0, (2, 3, 4)), makers.weightie_array(65536, (2,)))
    data = makers.weightie(parts, NUMBERS.tobytes().ljust(65536, b"\0") + NUMBERS.tobytes())
    read = readers.read(makers.write(tmp_path / "made.weights", data)).tensors
    assert np.array_equal(read["0"], NUMBERS)
    assert read["1"].tolist() == [0, 1]


def test_safetensors_there_and_back(tmp_path: Path) -> None:
    """Tensors are written, and read as read-only views, by us and by the library of the format; we read its files."""
    tensors = {"b": NUMBERS.transpose(1, 0, 2), "a/å": np.float32(3.5), "empty": np.empty((0, 2), np.float32)}
    tensors = {key: np.asarray(tensor) for key, tensor in tensors.items()}
    safetensors.write(tmp_path / "ours", tensors, {"network": "none"})
    save_file(
        {key: np.array(tensor, order="C") for key, tensor in tensors.items()}, tmp_path / "theirs", {"network": "none"}
    )
    for name in ("ours", "theirs"):
        read, metadata = safetensors.read(tmp_path / name)
        assert metadata == {"network": "none"}
        library = load_file(tmp_path / name)
        assert sorted(read) == sorted(library) == sorted(tensors)
        for key, tensor in tensors.items():
            assert read[key].shape == library[key].shape == tensor.shape
            assert np.array_equal(read[key], tensor)
            assert np.array_equal(library[key], tensor)
            assert not read[key].flags.writeable
    assert list(safetensors.read(tmp_path / "ours")[0]) == list(tensors)
    assert readers.read(tmp_path / "ours").format == "faceie"


def test_safetensors_are_mapped_and_aligned(tmp_path: Path) -> None:
    """Tensors are parts of the mapped file, which starts on a page; the same input gives the same bytes."""
    for name in ("one", "two"):
        safetensors.write(tmp_path / name, {"a": NUMBERS}, {"x": "y"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes()[-96:] == NUMBERS.tobytes()
    assert ((tmp_path / "one").stat().st_size - 96) % 4096 == 0
    tensor = safetensors.read(tmp_path / "one")[0]["a"]
    base: object = tensor
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If writing fails, the file that was there stays, and nothing else is left behind."""
    path = tmp_path / "weights"
    safetensors.write(path, {"a": NUMBERS}, {})
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WeightsError, match=r"weights: weights cannot be written here: .*No space left"):
        safetensors.write(path, {"a": NUMBERS * 2}, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>Not found</html>", "it is a web page"),
        (b"\n <html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "a pointer of Git LFS"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        (b"\x1f\x8b\x08" + bytes(100), "compressed by gzip"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "no format known here"),
        (bytes(5000), "no format known here"),
    ],
)
def test_what_is_no_weights(data: bytes, message: str, tmp_path: Path) -> None:
    """The error names the file, its format if known, and the formats that can be read."""
    path = makers.write(tmp_path / "file.pt", data)
    with pytest.raises(WeightsError, match=message) as caught:
        readers.read(path)
    assert str(path) in str(caught.value)
    assert "It reads its own safetensors" in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    """A missing file and a folder are reported."""
    with pytest.raises(WeightsError, match="nowhere: there is no such file"):
        readers.read(tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
        readers.read(tmp_path)
