"""`encode_faces`: one image, many, none, of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import ImageError, WeightsError, WeightsNotFoundError, detect_faces, encode_faces, set_threads
from faceie.facenet import encode, load
from faceie.facenet.network import InceptionResNetV1
from faceie.weights import registry

from ..conftest import assert_close, golden


@pytest.fixture(scope="module")
def crops() -> list[Image.Image]:
    return [Image.fromarray(crop) for crop in golden("detections")["crops"]]


def test_one_and_many(crops: list[Image.Image]) -> None:
    """One image gives one embedding, a list or an iterator of n gives n, and all are those of the reference."""
    answers = golden("vggface2")["embeddings"][: len(crops)]
    one = encode_faces(crops[0])
    assert (one.shape, one.dtype) == ((512,), np.float32)
    assert_close(one, answers[0], 1e-5)
    for several in (crops, tuple(crops), iter(crops), np.stack([np.asarray(crop) for crop in crops])):
        embeddings = encode_faces(several)
        assert (embeddings.shape, embeddings.dtype) == ((len(crops), 512), np.float32)
        assert_close(embeddings, answers, 1e-5)
    assert_close(np.linalg.norm(embeddings, axis=1), np.ones(len(crops)), 1e-6)


@pytest.mark.parametrize("nothing", [[], (), iter([]), np.empty((0, 160, 160, 3), np.uint8)])
def test_none(nothing: object) -> None:
    """No images give no embeddings, but an array of the right shape."""
    embeddings = encode_faces(nothing)  # type: ignore[arg-type]
    assert (embeddings.shape, embeddings.dtype) == ((0, 512), np.float32)


def test_faces_of_a_photo_without_faces() -> None:
    """Results of `detect_faces` can be encoded, with and without faces."""
    assert encode_faces(detect_faces(np.zeros((50, 50, 3), np.uint8)).images or []).shape == (0, 512)


def test_any_mode_and_size(crops: list[Image.Image], tmp_path: Path) -> None:
    """Modes and sizes may be mixed; each is encoded as it would be alone, resized to 160 x 160."""
    large = crops[0].resize((300, 200))
    crops[1].save(tmp_path / "face.png")
    mixed = [crops[0].convert("CMYK"), large, np.asarray(crops[1]), tmp_path / "face.png", crops[2].convert("L")]
    embeddings = encode_faces(mixed)
    for image, embedding in zip(mixed, embeddings, strict=True):
        assert_close(encode_faces(image), embedding, 1e-6)
    assert_close(embeddings[1], encode_faces(large.resize((160, 160), Image.Resampling.BILINEAR)), 1e-6)
    assert_close(embeddings[2], embeddings[3], 1e-6)


def test_long_lists_are_read_in_slices(crops: list[Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    """An iterator is read as it is needed: never more than a batch ahead of the encoder."""
    ahead: list[int] = []
    waiting = 0
    encode_batch = encode._encode
    set_threads(2)

    def counting(x: np.ndarray, w: InceptionResNetV1, alone: bool) -> np.ndarray:
        nonlocal waiting
        waiting = 0
        return encode_batch(x[:1], w, alone).repeat(len(x), 0)

    def images() -> Iterator[Image.Image]:
        nonlocal waiting
        for _ in range(100):
            waiting += 1
            ahead.append(waiting)
            yield crops[0]

    monkeypatch.setattr(encode, "_encode", counting)
    assert encode_faces(images()).shape == (100, 512)
    assert max(ahead) <= 16


def test_errors_say_which_image(crops: list[Image.Image]) -> None:
    """An item that is not an image is named by its number; other objects are refused as weights."""
    with pytest.raises(ImageError, match="image 1: this is a int"):
        encode_faces([crops[0], 5])  # type: ignore[list-item]
    with pytest.raises(ImageError, match="this is a int, expected an image or several"):
        encode_faces(5)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r"this is an array of int64 with the shape \(\)"):
        encode_faces(np.array(5, np.int64))  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="this is a ndarray, expected an image or several"):
        encode_faces(np.array(None))
    with pytest.raises(ImageError, match=r"image 0: .*nowhere.jpg: there is no such file"):
        encode_faces("nowhere.jpg")
    with pytest.raises(WeightsError, match=r"weights is a int, expected a name, a path or what faceie\.facenet\.load"):
        encode_faces(crops, 3)  # type: ignore[arg-type]
    with pytest.raises(WeightsNotFoundError, match='no weights are called "vggface"; did you mean "vggface2"'):
        encode_faces(crops, "vggface")


def test_weights_by_name_and_path(crops: list[Image.Image]) -> None:
    """Weights are given by name, by the path of a file, which is read once, or loaded."""
    expected = encode_faces(crops)
    path = registry.find("vggface2")
    assert path is not None
    assert load(path) is load(path)
    for weights in ("vggface2", path, load(path)):
        assert np.array_equal(encode_faces(crops, weights), expected)


def test_mirror(crops: list[Image.Image]) -> None:
    """With the mirror image, the embedding is the mean of both, of length 1: a face and its mirror image have one."""
    flipped = [crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for crop in crops]
    both = encode_faces(crops) + encode_faces(flipped)
    expected = both / np.linalg.norm(both, axis=1, keepdims=True)
    embeddings = encode_faces(crops, mirror=True)
    assert (embeddings.shape, embeddings.dtype) == ((len(crops), 512), np.float32)
    assert_close(embeddings, expected, 1e-6)
    assert_close(encode_faces(flipped, mirror=True), embeddings, 1e-6)
    assert_close(encode_faces(crops[0], mirror=True), embeddings[0], 1e-6)
    assert encode_faces([], mirror=True).shape == (0, 512)
