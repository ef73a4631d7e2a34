"""`encode_faces`: from crops of faces to embeddings."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError, WeightsError
from ..images import to_input, upright
from ..nn import layers
from ..nn.gemm import blas_has_small_gemm
from ..nn.parallel import get_threads, limited_blas, parallel
from ..nn.plan import Plans
from ..types import Array, ImageLike
from .loading import load
from .network import INPUT_SIZE, OUTPUT_SIZE, InceptionResNetV1, inception_resnet_v1

__all__ = ["encode_faces"]

_PARTS = (8, 4)  # faces that a thread encodes at a time: larger parts gain 1 % and take 4 MB a face

_plans = Plans(inception_resnet_v1, (INPUT_SIZE, INPUT_SIZE, 3))

T = TypeVar("T")


def encode_faces(
    images: ImageLike | Iterable[ImageLike] | NDArray[np.uint8],
    weights: str | os.PathLike[str] | InceptionResNetV1 | None = None,
    *,
    mirror: bool = False,
) -> Array:
    """Turn crops of faces into embeddings: unit vectors that are close for faces of one person.

    Parameters
    ----------
    images : image, iterable of images, or numpy.ndarray, shape (n, h, w, 3), uint8
        One crop or several. A crop is an upright face with little else, such as `detect_faces` makes. It is a path, a
        Pillow image of any mode, or an array of uint8, shape (h, w, 3) RGB. Crops of other sizes than 160 x 160 are
        resized. An iterator is read in batches.
    weights : str, path or faceie.facenet.network.InceptionResNetV1, optional
        A name or a `pathlib.Path`, as `faceie.facenet.load` takes them, or its result. Default: "vggface2".
    mirror : bool, default False
        Whether to encode the mirror image of each crop, too, and return the mean of both, at length 1. This is a little
        more accurate (docs/accuracy.md) and takes twice the time. The result can be compared with embeddings made
        without.

    Returns
    -------
    numpy.ndarray, shape (512,) or (n, 512), float32
        An embedding of length 1 for one crop, n of them for n crops, shape (0, 512) for none. Only embeddings made with
        the same weights can be compared.

    Raises
    ------
    ImageError
        If an item is not an image. The message has its number, from 0.
    WeightsError
        If the weights cannot be read. `WeightsNotFoundError` if they are not on this machine and cannot be downloaded.

    See Also
    --------
    detect_faces : Makes the crops.
    distance : Compares embeddings.

    References
    ----------
    The method is FaceNet: F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: A Unified Embedding for Face Recognition
    and Clustering", CVPR 2015, arXiv 1503.03832. The network is an Inception-ResNet-v1: C. Szegedy et al.,
    "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", 2016, arXiv 1602.07261.

    Examples
    --------
    >>> from faceie import detect_faces, encode_faces
    >>> faces = detect_faces("obama.jpg")
    >>> embeddings = encode_faces(faces.images)
    >>> embeddings.shape, embeddings.dtype
    ((1, 512), dtype('float32'))
    """
    if not (weights is None or isinstance(weights, str | os.PathLike | InceptionResNetV1)):
        raise WeightsError(
            f"weights is a {type(weights).__name__}, expected a name, a path or what faceie.facenet.load returns"
        )
    if _is_one(images):
        embedding: Array = encode_faces([images], weights, mirror=mirror)[0]  # type: ignore[list-item]  # checked by _is_one
        return embedding
    if not isinstance(images, Iterable) or (isinstance(images, np.ndarray) and images.ndim == 0):
        raise ImageError(f"this is a {type(images).__name__}, expected an image or several")
    embeddings = [np.empty((0, OUTPUT_SIZE), np.float32)]
    for batch in _batches(_pixels(images), 2 * _PARTS[0] * -(-get_threads() // 2)):
        if not isinstance(weights, InceptionResNetV1):
            weights = load(weights or "vggface2")
        x = to_input(np.stack(batch))  # [n, 160, 160, 3]
        alone = len(batch) == 1 and len(embeddings) == 1
        y = _encode(x, weights, alone)  # [n, 512]
        embeddings.append(layers.normalize(y + _encode(x[:, :, ::-1], weights, alone)) if mirror else y)
    return np.concatenate(embeddings)


def _encode(x: Array, w: InceptionResNetV1, alone: bool) -> Array:
    """Run the network on parts of a batch, each in one thread; on a single face, with the threads of BLAS."""
    if alone and get_threads() > 1:
        with limited_blas(get_threads()):
            return _plans.run(x, w, 1, small_gemm=False)[0]  # they can only share large products

    def run(part: Array) -> Array:
        return _plans.run(part, w, len(part), small_gemm=blas_has_small_gemm())[0]

    return np.concatenate(parallel(run, _parts(x)))


def _parts(x: Array) -> list[Array]:
    """Split a batch into parts of the fastest size, with smaller ones at the end, so that threads finish together.

    The split does not depend on the number of threads, so neither do the embeddings.
    """
    edges = [0]
    for size in _PARTS:
        for _ in range((len(x) - edges[-1]) // (2 * size)):
            edges += [edges[-1] + size, edges[-1] + 2 * size]
    edges += range(edges[-1], len(x), 2 if len(x) > 2 else 1)
    return [part for part in np.split(x, edges) if len(part)]


def _is_one(images: Any) -> bool:
    """Tell one image from several."""
    if isinstance(images, np.ndarray):
        return images.ndim != 4 and images.dtype != object and (images.ndim == 0 or len(images) > 0)
    return isinstance(images, str | Image.Image) or hasattr(images, "__fspath__")


def _pixels(images: Iterable[Any]) -> Iterator[NDArray[np.uint8]]:
    """Yield each image as pixels (160, 160, 3)."""
    for number, image in enumerate(images):
        if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.shape == (INPUT_SIZE, INPUT_SIZE, 3):
            yield image  # as it is
            continue
        try:
            crop = upright(image).image
        except ImageError as error:
            raise ImageError(f"image {number}: {error}") from error.__cause__
        if crop.size != (INPUT_SIZE, INPUT_SIZE):
            crop = crop.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR)
        yield np.asarray(crop)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
