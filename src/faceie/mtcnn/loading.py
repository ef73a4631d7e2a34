"""The weights of the detector, which come with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..errors import WeightsError
from ..nn.tree import build, leaves
from ..types import Array
from ..weights import safetensors, torch
from .names import from_torch
from .networks import LAYOUT, MTCNN

__all__ = ["PUBLISHED", "convert", "load"]

PUBLISHED = Path(__file__).parent / "data" / "mtcnn.safetensors"


def load(path: Path = PUBLISHED) -> MTCNN:
    """Load the detector's weights: the published ones, or a file made by ``faceie-convert-mtcnn-weights``.

    The file is mapped into memory, read-only, and read where it is touched. Raises WeightsError.
    """
    return _load(path)


@cache
def _load(path: Path) -> MTCNN:
    return _build(str(path), safetensors.read(path)[0])


def convert(p_net: Path, r_net: Path, o_net: Path, target: Path) -> None:
    """Write the weights that three files of facenet-pytorch (``pnet.pt``, ``rnet.pt``, ``onet.pt``) hold to `target`,
    in our format.

    The same sources give the same bytes. Raises WeightsError.
    """
    sources = (p_net, r_net, o_net)
    name = ", ".join(map(str, sources))
    try:
        tensors = from_torch(*map(torch.read, sources))
    except KeyError as error:
        raise WeightsError(
            f"{name}: these are not the weights of P-, R- and O-Net, in this order: {error} is missing"
        ) from None
    safetensors.write(target, dict(leaves(_build(name, tensors))), {"network": "mtcnn"})


def _build(name: str, tensors: dict[str, Array]) -> MTCNN:
    try:
        return build(LAYOUT, tensors)
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{name}: these are not weights of MTCNN: {error.args[0]}") from None
