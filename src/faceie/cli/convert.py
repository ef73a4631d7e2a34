"""``faceie-convert-facenet-weights`` and ``faceie-convert-mtcnn-weights``: other people's weights in Faceie's format.

What was written is read again, and asked about a picture to which the answers are known.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .. import OptionError, encode_faces, facenet, mtcnn
from ..facenet.loading import check_picture, identify
from ..images import to_input
from ..mtcnn.networks import MTCNN, o_net, p_net, r_net
from ..nn import layers
from ..types import Array
from .options import Parser
from .results import is_same_file
from .terminal import OK, TROUBLE, complain, guarded, printable, write

__all__ = [
    "FACENET_DESCRIPTION",
    "add_facenet_arguments",
    "convert_facenet",
    "convert_facenet_weights",
    "convert_mtcnn_weights",
]

FACENET_DESCRIPTION = (
    "Convert weights of the FaceNet encoder to Faceie's format, and check the result. IN is a state_dict of "
    "facenet-pytorch (.pt), a frozen TensorFlow graph of facenet (.pb), or .weights of faceie 0.0.5."
)
_MTCNN_DESCRIPTION = (
    "Convert weights of the MTCNN detector to Faceie's format, and check the result. "
    "PNET, RNET and ONET are the state_dicts of facenet-pytorch (pnet.pt, rnet.pt, onet.pt)."
)

_SAME = 1e-5  # answers that differ by no more come from the same weights


def convert_facenet_weights(arguments: Sequence[str] | None = None) -> int:
    """Run ``faceie-convert-facenet-weights``; return the exit code."""
    parser = Parser(prog="faceie-convert-facenet-weights", description=FACENET_DESCRIPTION)
    add_facenet_arguments(parser)
    return guarded(lambda: convert_facenet(parser.parse_args(arguments)))


def convert_mtcnn_weights(arguments: Sequence[str] | None = None) -> int:
    """Run ``faceie-convert-mtcnn-weights``; return the exit code."""
    parser = Parser(prog="faceie-convert-mtcnn-weights", description=_MTCNN_DESCRIPTION)
    for net in "PRO":
        parser.add_argument(f"{net}_net", type=Path, metavar=f"{net}NET", help=f"weights of {net}-Net")
    _add_target(parser)
    return guarded(lambda: _convert_mtcnn(parser.parse_args(arguments)))


def add_facenet_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `convert_facenet` needs."""
    parser.add_argument("source", type=Path, metavar="IN", help="the weights to convert")
    _add_target(parser)


def convert_facenet(arguments: argparse.Namespace) -> int:
    """Convert the encoder, and compare what the two files make of the test picture."""
    source, target = arguments.source, arguments.target
    _check_target(target, [source], arguments.force)
    facenet.loading.convert(source, target)
    _tell_written(target)
    weights = facenet.load(target)
    name = identify(weights)
    write(f'They are the published weights "{name}".' if name else "They are none of the published weights.")
    before, after = encode_faces(check_picture(), facenet.load(source)), encode_faces(check_picture(), weights)
    difference = np.abs(after - before).max()
    write(f"The embeddings of a test picture, before and after, differ by {difference:.1g} at most.")
    if difference <= _SAME:
        return OK
    complain(printable(f"{target}: do not use this file, it does not give the answers of {source}"))
    return TROUBLE


def _convert_mtcnn(arguments: argparse.Namespace) -> int:
    """Convert the detector, and compare what it and the packaged one make of the test picture."""
    sources, target = (arguments.P_net, arguments.R_net, arguments.O_net), arguments.target
    _check_target(target, sources, arguments.force)
    mtcnn.loading.convert(*sources, target)
    _tell_written(target)
    answers = zip(_answers(mtcnn.load(target)), _answers(mtcnn.load()), strict=True)
    difference = max(np.abs(converted - packaged).max() for converted, packaged in answers)
    same = "the same as" if difference <= _SAME else "not"
    write(f"They are {same} the packaged weights: answers to a test picture differ by {difference:.1g} at most.")
    return OK


def _answers(weights: MTCNN) -> list[Array]:
    """Return what the three networks make of the test picture."""
    picture = Image.fromarray(check_picture())
    x_24, x_48 = (to_input(np.asarray(picture.resize((size, size))))[None] for size in (24, 48))
    return [
        *p_net(x_48, weights.p_net, layers),
        *r_net(x_24, weights.r_net, layers),
        *o_net(x_48, weights.o_net, layers),
    ]


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, metavar="OUT", help="the file to write, usually called *.safetensors")
    parser.add_argument("--force", action="store_true", help="overwrite OUT if it exists")


def _check_target(target: Path, sources: Iterable[Path], force: bool) -> None:
    """Raise OptionError if the file must not be written."""
    if any(is_same_file(source, target) for source in sources):
        raise OptionError(f"{target}: this would overwrite the weights to convert")
    if target.exists() and not force:
        raise OptionError(f"{target}: this exists already; --force overwrites it")


def _tell_written(target: Path) -> None:
    write(f"{printable(target)}: {target.stat().st_size / 1e6:.1f} MB of weights were written.")
