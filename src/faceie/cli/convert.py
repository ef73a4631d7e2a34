"""``faceie-convert-facenet-weights`` and ``faceie-convert-mtcnn-weights``: convert weights to Faceie's format.

Both check their result: they load the new file, and compare its outputs for a test picture with known outputs.
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
from .outputs import check_new, is_same_file
from .parser import Parser
from .terminal import FAILED, OK, error, run_command, write
from .text import printable

__all__ = [
    "FACENET_DESCRIPTION",
    "add_facenet_arguments",
    "convert_facenet",
    "convert_facenet_weights",
    "convert_mtcnn_weights",
    "facenet_parser",
    "mtcnn_parser",
]

FACENET_DESCRIPTION = (
    "Convert weights of the FaceNet encoder to Faceie's format, and check the result. IN is a state_dict of "
    "facenet-pytorch (.pt), a frozen TensorFlow graph of facenet (.pb), or a .weights file of faceie 0.0.5."
)
_MTCNN_DESCRIPTION = (
    "Convert weights of the MTCNN detector to Faceie's format, and check the result. "
    "PNET, RNET and ONET are the state_dicts of facenet-pytorch (pnet.pt, rnet.pt, onet.pt)."
)

_TOLERANCE = 1e-5  # outputs that differ by no more come from the same weights


def convert_facenet_weights(arguments: Sequence[str] | None = None) -> int:
    """Run ``faceie-convert-facenet-weights``; return the exit code."""
    return run_command(lambda: convert_facenet(facenet_parser().parse_args(arguments)))


def convert_mtcnn_weights(arguments: Sequence[str] | None = None) -> int:
    """Run ``faceie-convert-mtcnn-weights``; return the exit code."""
    return run_command(lambda: _convert_mtcnn(mtcnn_parser().parse_args(arguments)))


def facenet_parser() -> Parser:
    """Return the parser of ``faceie-convert-facenet-weights``."""
    parser = Parser(prog="faceie-convert-facenet-weights", description=FACENET_DESCRIPTION)
    add_facenet_arguments(parser)
    return parser


def mtcnn_parser() -> Parser:
    """Return the parser of ``faceie-convert-mtcnn-weights``."""
    parser = Parser(prog="faceie-convert-mtcnn-weights", description=_MTCNN_DESCRIPTION)
    for net in "PRO":
        parser.add_argument(f"{net}_net", type=Path, metavar=f"{net}NET", help=f"weights of {net}-Net")
    _add_target(parser)
    return parser


def add_facenet_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `convert_facenet`."""
    parser.add_argument("source", type=Path, metavar="IN", help="the weights to convert")
    _add_target(parser)


def convert_facenet(arguments: argparse.Namespace) -> int:
    """Convert the encoder, and compare the embeddings of the test picture before and after."""
    source, target = arguments.source, arguments.target
    _check_target(target, [source], arguments.force)
    facenet.loading.convert(source, target)
    _report_size(target)
    weights = facenet.load(target)
    name = identify(weights)
    write(f'They are the published weights "{name}".' if name else "They are not among the published weights.")
    before, after = encode_faces(check_picture(), facenet.load(source)), encode_faces(check_picture(), weights)
    difference = np.abs(after - before).max()
    write(f"The embeddings of a test picture, before and after, differ by {difference:.1g} at most.")
    if difference <= _TOLERANCE:
        return OK
    error(printable(f"{target}: the embeddings are not those of {source}. Do not use this file."))
    return FAILED


def _convert_mtcnn(arguments: argparse.Namespace) -> int:
    """Convert the detector, and compare its outputs for the test picture with those of the packaged weights."""
    sources, target = (arguments.P_net, arguments.R_net, arguments.O_net), arguments.target
    _check_target(target, sources, arguments.force)
    mtcnn.loading.convert(*sources, target)
    _report_size(target)
    outputs = zip(_outputs(mtcnn.load(target)), _outputs(mtcnn.load()), strict=True)
    difference = max(np.abs(converted - packaged).max() for converted, packaged in outputs)
    same = "the same as" if difference <= _TOLERANCE else "not"
    write(f"They are {same} the packaged weights: outputs for a test picture differ by {difference:.1g} at most.")
    return OK


def _outputs(weights: MTCNN) -> list[Array]:
    """Return the outputs of the three networks for the test picture."""
    picture = Image.fromarray(check_picture())
    x_24, x_48 = (to_input(np.asarray(picture.resize((size, size))))[None] for size in (24, 48))
    return [
        *p_net(x_48, weights.p_net, layers),
        *r_net(x_24, weights.r_net, layers),
        *o_net(x_48, weights.o_net, layers),
    ]


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, metavar="OUT", help="the file to write, usually named *.safetensors")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")


def _check_target(target: Path, sources: Iterable[Path], force: bool) -> None:
    """Raise OptionError if writing the file would overwrite a source, or an existing file without ``--force``."""
    if any(is_same_file(source, target) for source in sources):
        raise OptionError(f"{target}: this would overwrite the weights to convert. Choose another name.")
    check_new(target, force)


def _report_size(target: Path) -> None:
    write(f"{printable(target)}: {target.stat().st_size / 1e6:.1f} MB of weights were written.")
