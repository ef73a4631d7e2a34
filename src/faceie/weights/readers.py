"""Read a file of weights of any known format, recognized by its contents, never by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from ..errors import WeightsError
from ..types import Array
from . import safetensors, tensorflow, torch, weightie

__all__ = ["Format", "WeightsFile", "read"]

Format: TypeAlias = Literal["faceie", "torch", "tensorflow", "weightie"]

_START = 1024  # bytes from which formats are recognized

_MISTAKES = {
    b"version https://git-lfs": "it is a pointer of Git LFS: the file itself has not been fetched (git lfs pull)",
    b"<!doctype html": "it is a web page: the download was answered with one instead of the file",
    b"<html": "it is a web page: the download was answered with one instead of the file",
    b"\x89hdf": "it is an HDF5 file, as Keras writes them",
    b"\x1f\x8b": "it is compressed by gzip: unpack it first",
}
"""The first bytes, in lower case, of files that are often taken for weights, with an explanation."""


class WeightsFile(NamedTuple):
    """The tensors of a file, with the names and axes of its own format."""

    format: Format
    tensors: dict[str, Array]


def read(path: Path) -> WeightsFile:
    """Read a file of weights. Raises WeightsError, which names the file and the reason."""
    try:
        with path.open("rb") as file:
            start = file.read(_START)
        is_weightie = weightie.looks_like(path)
    except FileNotFoundError:
        raise WeightsError(f"{path}: there is no such file") from None
    except OSError as error:
        raise WeightsError(f"{path}: this cannot be read: {error.strerror}") from error
    if start.startswith((torch.ZIP_START, torch.LEGACY_START)):
        return WeightsFile("torch", torch.read(path))
    if safetensors.looks_like(start):
        return WeightsFile("faceie", safetensors.read(path)[0])
    if is_weightie:
        return WeightsFile("weightie", weightie.read(path))
    if tensorflow.looks_like(start):
        return WeightsFile("tensorflow", tensorflow.read(path))
    raise WeightsError(f"{path}: this is not a file of weights that Faceie can read: {_identify(start)}. {_CAN_READ}")


_CAN_READ = (
    "It reads its own safetensors, state_dicts of PyTorch (.pt), frozen graphs of TensorFlow (.pb), "
    "and .weights of faceie 0.0.5"
)


def _identify(start: bytes) -> str:
    if not start:
        return "the file is empty"
    lowered = start.lower().lstrip()
    return next((text for sign, text in _MISTAKES.items() if lowered.startswith(sign)), "it is of no format known here")
