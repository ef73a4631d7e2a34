"""`load`: the encoder's weights, by name or from any file that has them."""

from __future__ import annotations

import hashlib
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
from .names import from_tensorflow, from_torch, from_weightie
from .network import INPUT_SIZE, LAYOUT, InceptionResNetV1, inception_resnet_v1

__all__ = ["answer", "check_picture", "convert", "convert_published", "identify", "load"]


_TO_OURS: dict[readers.Format, Callable[[dict[str, Array]], dict[str, Array]]] = {
    "faceie": lambda tensors: tensors,
    "torch": from_torch,
    "tensorflow": from_tensorflow,
    "weightie": from_weightie,
}


def load(source: str | Path = "vggface2") -> InceptionResNetV1:
    """Load weights of the encoder, for `faceie.encode_faces`.

    `source`: a name, "vggface2" (the default, more accurate) or "casia-webface"; or the `Path` of a file: our own
    format, a ``state_dict`` of facenet-pytorch (``.pt``), a frozen TensorFlow graph of facenet (``.pb``), or
    ``.weights`` of faceie 0.0.5. They are told apart by what is in them.

    A name is looked for in the data distribution ``faceie-<name>``, in Faceie's cache and in facenet-pytorch's; then it
    is downloaded from facenet-pytorch's release, once (`faceie.weights.registry` tells of folders, mirrors and working
    offline). Weights in our own format are mapped into memory, read-only: that takes milliseconds, and processes share
    them.

    Raises WeightsError for a file that is none, and WeightsNotFoundError, which says what was tried, for a name.
    """
    return _load(source) if isinstance(source, str) else _read(source)


@cache
def _load(name: str) -> InceptionResNetV1:
    return _read(registry.locate(name, convert_published))


def convert(source: Path, target: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write the weights that `source` holds, in whichever format, to `target`, in ours.

    `metadata`: what else the file shall say of itself. The same source gives the same bytes. Raises WeightsError.
    """
    _write(_read_finite(source), source, target, metadata or {})


def convert_published(source: Path, target: Path, name: str) -> None:
    """Do the same, if `source` holds the published weights of this name: if they give the known answer. Raises
    WeightsError, and writes nothing, for others.
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


# The first eight numbers of the embedding of `check_picture`, as facenet-pytorch computes them: tools/make_golden.py
# prints them.
_ANSWERS = {
    "vggface2": (0.001678, -0.022531, -0.101715, 0.023812, -0.0223, 0.111594, -0.031973, 0.019614),
    "casia-webface": (-0.027756, 0.085638, 0.03702, -0.061717, 0.015801, 0.014375, -0.04031, -0.027305),
}


def check_picture() -> NDArray[np.uint8]:
    """Return a picture (160, 160, 3) that anyone can make again:

    red grows to the right, green downwards, blue is their product.
    """
    y, x = np.indices((INPUT_SIZE, INPUT_SIZE))
    return np.stack([x, y, x * y % 256], -1).astype(np.uint8)


def answer(weights: InceptionResNetV1) -> Array:
    """Return the first numbers (8,) of the embedding of `check_picture`: equal within 1e-4 for equal weights only."""
    embedding: Array = inception_resnet_v1(to_input(check_picture())[None], weights, layers)[0]  # [512]
    return embedding[:8]


def identify(weights: InceptionResNetV1) -> str | None:
    """Return the name of the published weights that give the same answer as these, within 1e-4, or None."""
    given = answer(weights)
    return next((name for name, known in _ANSWERS.items() if np.abs(given - known).max() < 1e-4), None)
