"""The weights of the detector: those that come with the package, and converted ones."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import WeightsError
from ..nn.tree import build, leaves
from ..types import Array
from ..weights import safetensors, torch
from ..weights.versions import read_once
from .names import from_torch
from .networks import LAYOUT, MTCNN

__all__ = ["PUBLISHED", "convert", "load"]

PUBLISHED = Path(__file__).parent / "data" / "mtcnn.safetensors"


def load(path: str | os.PathLike[str] = PUBLISHED) -> MTCNN:
    """Load weights of the detector, for `faceie.detect_faces`.

    The file is mapped into memory, read-only. A file that has not changed is read once.

    Parameters
    ----------
    path : path, optional
        A file made by ``faceie-convert-mtcnn-weights``. Default: the published weights, which come with Faceie.

    Returns
    -------
    faceie.mtcnn.networks.MTCNN
        The weights of P-, R- and O-Net, float32.

    Raises
    ------
    WeightsError
        If the file cannot be read, or does not hold the weights of MTCNN.

    Examples
    --------
    >>> from faceie import mtcnn
    >>> weights = mtcnn.load()
    >>> weights.p_net.conv_1.kernel.shape
    (3, 3, 3, 10)
    """
    return _load(Path(path))


def _read(path: Path) -> MTCNN:
    return _build(str(path), safetensors.read(path)[0])


_load = read_once(_read, maxsize=4)


def convert(p_net: Path, r_net: Path, o_net: Path, target: Path) -> None:
    """Convert three files of facenet-pytorch (``pnet.pt``, ``rnet.pt``, ``onet.pt``) to one in our format.

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
