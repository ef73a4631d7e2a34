"""Areas in the frame of the stored photo agree with `open_image`, in all formats and orientations."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import ImageError, open_image
from faceie.metadata.frames import StoredFrame, stored_frame
from tests.images import raws

AREA = (0.125, 0.25, 0.375, 0.75)  # of the upright photo
SIZE = (80, 40)


def _upright() -> Image.Image:
    """Return a gray image whose `AREA` is white."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    pixels[10:30, 10:30] = 255
    return Image.fromarray(pixels)


def _stored(orientation: int) -> Image.Image:
    """Return the pixels that this orientation turns upright."""
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    methods = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    return _upright().transpose(Image.Transpose(methods[inverse])) if orientation > 1 else _upright()


def with_xmp(path: Path, packet: bytes) -> Path:
    """Put a packet into a JPEG."""
    content, segment = path.read_bytes(), b"http://ns.adobe.com/xap/1.0/\0" + packet
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:])
    return path


def _white_area(image: Image.Image) -> tuple[float, ...]:
    ys, xs = np.nonzero(np.asarray(image.convert("L")) > 170)
    box = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    return tuple(value / side for value, side in zip(box, image.size * 2, strict=True))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_the_frame_agrees_with_open_image(tmp_path: Path, suffix: str, orientation: int) -> None:
    path, stored = tmp_path / f"photo.{suffix}", _stored(orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(path, exif=exif, quality=95)
    frame = stored_frame(path)
    assert frame == (stored.size, orientation)
    assert _white_area(open_image(path)) == AREA
    assert frame.to_stored(AREA) == _white_area(stored)
    assert frame.to_upright(frame.to_stored(AREA)) == AREA


def test_the_orientation_of_xmp_counts_where_open_image_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    packet = (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    _stored(6).save(path, quality=95)
    with_xmp(path, packet)
    is_turned = open_image(path).size == SIZE  # not by old versions of Pillow
    assert stored_frame(path) == ((40, 80), 6 if is_turned else 1)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_is_measured_before_it_was_turned(tmp_path: Path, orientation: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "photo.heic"
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = heif.from_pillow(_stored(orientation))
    image.info["exif"] = exif.tobytes()
    image.save(path, quality=95)
    assert open_image(path).size == SIZE
    frame = stored_frame(path)
    assert frame == (_stored(orientation).size, orientation)
    assert frame.to_stored(AREA) == _white_area(_stored(orientation))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_raw_is_measured_before_it_was_turned(tmp_path: Path, orientation: int) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "photo.dng"
    preview = Image.new("RGB", (480, 320), "white")
    path.write_bytes(raws.dng(preview, 480, 320, orientation))
    assert stored_frame(path) == ((480, 320), orientation)
    assert open_image(path).size == ((320, 480) if orientation in (6, 8) else (480, 320))


def test_areas_turn_as_exif_says() -> None:
    assert StoredFrame((4, 4), 6).to_upright((0, 0, 0.25, 0.5)) == (0.5, 0, 1, 0.25)  # the top left goes to the right
    assert StoredFrame((4, 4), 2).to_upright((0, 0, 0.25, 0.5)) == (0.75, 0, 1, 0.5)


@pytest.mark.parametrize("content", [b"", b"no photo"])
def test_a_file_that_is_no_photo_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"photo\.jpg: "):
        stored_frame(tmp_path / "photo.jpg")
    with pytest.raises(ImageError, match="there is no such file"):
        stored_frame(tmp_path / "nowhere.jpg")
