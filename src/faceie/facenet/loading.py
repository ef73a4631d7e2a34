"""`load`: the encoder's weights, by name or from a file of any known format."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError
from ..images import to_input
from ..nn import layers
from ..nn.tree import build, leaves
from ..types import Array
from ..weights import readers, registry, safetensors
from ..weights.versions import read_once
from .names import from_tensorflow, from_torch, from_weightie
from .network import INPUT_SIZE, LAYOUT, InceptionResNetV1, inception_resnet_v1

__all__ = ["answer", "check_picture", "convert", "convert_published", "identify", "load"]


_TO_OURS: dict[readers.Format, Callable[[dict[str, Array]], dict[str, Array]]] = {
    "faceie": lambda tensors: tensors,
    "torch": from_torch,
    "tensorflow": from_tensorflow,
    "weightie": from_weightie,
}


def load(source: str | os.PathLike[str] = "vggface2") -> InceptionResNetV1:
    """Load weights of the encoder, for `faceie.encode_faces`.

    A name is looked for in the data distribution ``faceie-<name>``, in Faceie's cache and in facenet-pytorch's. If it
    is not there, it is downloaded once from facenet-pytorch's release. See `faceie.weights.registry` for folders,
    mirrors and working offline.

    Parameters
    ----------
    source : str or path, default "vggface2"
        A name, "vggface2" (more accurate) or "casia-webface"; or the `pathlib.Path` of a file: our own format, a
        ``state_dict`` of facenet-pytorch (``.pt``), a frozen TensorFlow graph of facenet (``.pb``), or ``.weights`` of
        faceie 0.0.5. Formats are recognized by their contents.

    Returns
    -------
    faceie.facenet.network.InceptionResNetV1
        The weights, float32, batch normalization folded. Those in our own format are mapped into memory, read-only:
        this takes milliseconds, and processes share them.

    Raises
    ------
    WeightsError
        If the file cannot be read, or does not hold the weights of the encoder.
    WeightsNotFoundError
        If a name is unknown, or its weights are not on this machine and cannot be downloaded. The message lists all
        attempts.

    Examples
    --------
    >>> from faceie import facenet
    >>> weights = facenet.load("vggface2")
    >>> weights.embedding.kernel.shape
    (1, 1, 1792, 512)
    """
    if isinstance(source, str):
        return _load(source)
    return _load_file(Path(source))


@cache
def _load(name: str) -> InceptionResNetV1:
    return _read(registry.locate(name, convert_published))


def convert(source: Path, target: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Convert a file of weights of any known format to ours.

    `metadata`: texts to store in the file. The same source gives the same bytes. Raises WeightsError.
    """
    _write(_read_finite(source), source, target, metadata or {})


def convert_published(source: Path, target: Path, name: str) -> None:
    """Convert a file that holds the published weights of this name.

    They are recognized by their embedding of a test picture. Raises WeightsError for others, and writes nothing.
    """
    weights = _read_finite(source)
    found = identify(weights)
    if found != name:
        what = f'the weights "{found}"' if found else "weights that were not published under a name"
        raise WeightsError(f'{source}: this file holds {what}, expected "{name}"')
    _write(weights, source, target, {"name": name})


def _read_finite(source: Path) -> InceptionResNetV1:
    weights = _read(source)
    for name, tensor in leaves(weights):
        if not np.isfinite(tensor).all():
            raise WeightsError(f"{source}: tensor {name!r} has numbers that are not finite: the file is damaged")
    return weights


def _write(weights: InceptionResNetV1, source: Path, target: Path, metadata: Mapping[str, str]) -> None:
    about = {
        "network": "inception-resnet-v1",
        "source": source.name,
        "source_sha256": _sha256(source),
        **metadata,
    }
    safetensors.write(target, dict(leaves(weights)), about)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read(path: Path) -> InceptionResNetV1:
    file = readers.read(path)
    try:
        return build(LAYOUT, _TO_OURS[file.format](file.tensors))
    except (KeyError, ValueError) as error:
        fact = error.args[0]
        raise WeightsError(
            f"{path}: this file ({file.format}) does not hold the weights of the encoder: {fact}"
        ) from None


_load_file = read_once(_read, maxsize=2)


# The first eight numbers of the embedding of `check_picture`, as facenet-pytorch computes them: tools/make_golden.py
# prints them.
_ANSWERS = {
    "vggface2": (0.001678, -0.022531, -0.101715, 0.023812, -0.0223, 0.111594, -0.031973, 0.019614),
    "casia-webface": (-0.027756, 0.085638, 0.03702, -0.061717, 0.015801, 0.014375, -0.04031, -0.027305),
}


def check_picture() -> NDArray[np.uint8]:
    """Return a picture (160, 160, 3) that is easy to make again.

    Red grows to the right, green downwards, blue is their product.
    """
    y, x = np.indices((INPUT_SIZE, INPUT_SIZE))
    return np.stack([x, y, x * y % 256], -1).astype(np.uint8)


def answer(weights: InceptionResNetV1) -> Array:
    """Return the first numbers (8,) of the embedding of `check_picture`: equal within 1e-4 only for equal weights."""
    embedding: Array = inception_resnet_v1(to_input(check_picture())[None], weights, layers)[0]  # [512]
    return embedding[:8]


def identify(weights: InceptionResNetV1) -> str | None:
    """Return the name of the published weights that give the same answer as these, within 1e-4, or None."""
    given = answer(weights)
    return next((name for name, known in _ANSWERS.items() if np.abs(given - known).max() < 1e-4), None)
