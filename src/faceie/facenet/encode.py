"""`encode_faces`: crops of faces in, embeddings out."""

from __future__ import annotations

import itertools
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

_MANY, _FEW = 4, 2  # faces in a part, of which a thread takes one at a time: more at a time gain 3 % and take 4 MB each

_plans = Plans(inception_resnet_v1, (INPUT_SIZE, INPUT_SIZE, 3))

T = TypeVar("T")


def encode_faces(
    images: ImageLike | Iterable[ImageLike] | NDArray[np.uint8],
    weights: InceptionResNetV1 | None = None,
    *,
    mirror: bool = False,
) -> Array:
    """Turn crops of faces into embeddings: unit vectors whose distance says how alike two faces are.

    `images`: one crop, or any number of them: a list, an iterator (which is read as it is needed), or an array (n, h,
    w, 3) of uint8. A crop is what `detect_faces` gives as `images`, or anything that is an image: a path, a Pillow
    image of any mode, an array of uint8 (h, w, 3) RGB. Crops of other sizes than 160 x 160 are resized; they should
    show a face and little else.
    `weights`: what `faceie.facenet.load` returned; the default are those called "vggface2".
    `mirror`: encode each crop and its mirror image, and return the mean of both, at length 1. This takes twice the time
    and is a little more accurate (docs/accuracy.md). It may be compared with embeddings made without.

    Returns (512,) float32 for one image, (n, 512) for n of them, (0, 512) for none; of length 1. Only embeddings of the
    same weights can be compared.
    Raises ImageError, which says which of the images is none, and WeightsError.

    The method is FaceNet, Schroff et al. 2015 (arXiv 1503.03832), with an Inception-ResNet-v1, as in facenet-pytorch.
    """
    if weights is not None and not isinstance(weights, InceptionResNetV1):
        raise WeightsError(
            f"weights is a {type(weights).__name__}, expected what faceie.facenet.load(name or path) returns"
        )
    if _is_one(images):
        embedding: Array = encode_faces([images], weights, mirror=mirror)[0]  # type: ignore[list-item]  # _is_one has told
        return embedding
    if not isinstance(images, Iterable) or (isinstance(images, np.ndarray) and images.ndim == 0):
        raise ImageError(f"this is a {type(images).__name__}, expected an image or several")
    embeddings = [np.empty((0, OUTPUT_SIZE), np.float32)]
    for batch in _batches(_pixels(images), max(16, 2 * _MANY * get_threads())):
        weights = weights or load()
        x = to_input(np.stack(batch))  # [n, 160, 160, 3]
        alone = len(batch) == 1 and len(embeddings) == 1
        y = _encode(x, weights, alone)  # [n, 512]
        embeddings.append(layers.normalize(y + _encode(x[:, :, ::-1], weights, alone)) if mirror else y)
    return np.concatenate(embeddings)


def _encode(x: Array, w: InceptionResNetV1, alone: bool) -> Array:
    """Run the network on parts of a batch, each in one thread; on a face that comes alone, with the threads of BLAS."""
    if alone and get_threads() > 1:
        with limited_blas(get_threads()):
            return _plans.run(x, w, 1, small_gemm=False)[0]  # large products are what they can share

    def run(part: Array) -> Array:
        return _plans.run(part, w, len(part), small_gemm=blas_has_small_gemm())[0]

    return np.concatenate(parallel(run, _parts(x)))


def _parts(x: Array) -> list[Array]:
    """Cut a batch into parts of a size that computes fast, but small ones at its end, so that threads end together.

    The cut does not depend on the number of threads, and so neither do the embeddings.
    """
    whole = len(x) // (2 * _MANY) * 2 * _MANY
    edges = [*range(_MANY, whole, _MANY), *range(whole, len(x), _FEW if len(x) > _FEW else 1)]
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
