"""Photos that are damaged, or unusual: metadata, alpha, profiles, sizes, several pictures."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from faceie.errors import ImageError
from faceie.images import open_image, photo, read_photo, to_rgb

from ..conftest import PHOTOS
from .raws import dng, two_pictures

PHOTO = open_image(PHOTOS / "astronaut.jpg").resize((320, 240))
END = "incomplete: the file ends early"


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum or zlib.crc32(kind + data))


JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "full colors": {"subsampling": 0},
    "restarts": {"restart_marker_blocks": 4},
}
ENDINGS: dict[str, Callable[[bytes], bytes]] = {
    "no end": lambda content: content[:-2],
    "half an end": lambda content: content[:-1],
    "zeros": lambda content: content[:-2] + bytes(5000),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", JPEGS)
def test_jpeg_that_lacks_its_end_only(kind: str, ending: str, tmp_path: Path) -> None:
    """A JPEG whose pixels are all there is used, and equals the whole file."""
    content = encoded(PHOTO, "JPEG", **JPEGS[kind])
    (tmp_path / "whole.jpg").write_bytes(content)
    (tmp_path / "cut.jpg").write_bytes(ENDINGS[ending](content))
    assert open_image(tmp_path / "cut.jpg").tobytes() == open_image(tmp_path / "whole.jpg").tobytes()
    assert read_photo(tmp_path / "cut.jpg").note is None


@pytest.mark.parametrize("missing", [20, 1000, "a scan"])
@pytest.mark.parametrize("kind", JPEGS)
def test_jpeg_that_lacks_more(kind: str, missing: int | str, tmp_path: Path) -> None:
    """A JPEG that lacks pixels is refused, and the message names the option; `read_photo` uses it, with a note."""
    content = encoded(PHOTO, "JPEG", **JPEGS[kind])
    cut = content.rindex(b"\xff\xda") if missing == "a scan" else len(content) - int(missing)
    path = tmp_path / "cut.jpg"
    path.write_bytes(content[: cut if kind == "progressive" or missing != "a scan" else len(content) // 2])
    with pytest.raises(ImageError, match=r"the file ends early: it is truncated; .* truncated=True"):
        open_image(path)
    assert open_image(path, truncated=True).size == PHOTO.size
    assert read_photo(path)[1:] == (PHOTO.size, None, END)


PNG = encoded(PHOTO, "PNG")
BIG = zlib.compress(b"a" * 3_000_000)
EXTRAS = {
    "large text": chunk(b"zTXt", b"workflow\0\0" + BIG),
    "large XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BIG),
    "large profile": chunk(b"iCCP", b"ICC\0\0" + BIG),
    "broken profile": chunk(b"iCCP", b"ICC\0\0junk"),
    "wrong checksum of text": chunk(b"tEXt", b"a\0b", 5),
    "wrong checksum of size": chunk(b"pHYs", bytes(9), 5),
    "wrong checksum of EXIF": chunk(b"eXIf", b"II*\0", 5),
    "short size": chunk(b"pHYs", b"123"),
    "many texts": b"".join(chunk(b"zTXt", b"%d\0\0" % n + zlib.compress(bytes(900_000))) for n in range(80)),
    "unknown critical chunk": chunk(b"CgBI", b"1234"),
}


@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("extra", EXTRAS)
def test_png_with_odd_metadata(extra: str, at: str, tmp_path: Path) -> None:
    """Metadata that are large or damaged, before or behind the pixels, do not matter."""
    place = 33 if at == "start" else len(PNG) - 12
    path = tmp_path / "photo.png"
    path.write_bytes(PNG[:place] + EXTRAS[extra] + PNG[place:])
    assert np.array_equal(open_image(path), PHOTO)
    assert read_photo(path).note is None


def test_png_with_damaged_pixels(tmp_path: Path) -> None:
    """Wrong checksums of pixels are an error, unless damage is accepted; that of the header alone is repaired."""
    path = tmp_path / "photo.png"
    path.write_bytes(PNG[:29] + b"abcd" + PNG[33:])
    assert np.array_equal(open_image(path), PHOTO)
    damaged = bytearray(PNG)
    damaged[len(PNG) // 2] ^= 255
    path.write_bytes(damaged)
    for function in (open_image, read_photo):
        with pytest.raises(ImageError, match="damaged; to use the readable part: truncated=True"):
            function(path)
    assert read_photo(path, truncated=True).note == "incomplete: the file is damaged"
    path.write_bytes(PNG[:-3000])
    assert read_photo(path).note == END


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_that_was_never_filled(mode: str) -> None:
    """Alpha that is zero everywhere is ignored; with a single other pixel, it counts."""
    image = PHOTO.convert("L").convert("RGBA").convert(mode if mode != "PA" else "LA")
    image.putalpha(0)
    expected = np.asarray(PHOTO.convert("L").convert("RGB"))
    if mode == "PA":
        gray = image.getchannel(0)
        image = Image.merge("PA", [gray, Image.new("L", gray.size)])
        image.putpalette([level for level in range(256) for _ in range(3)])
    assert np.array_equal(to_rgb(image), expected)
    if mode == "RGBA":
        image.putpixel((0, 0), (0, 0, 0, 255))
        assert np.asarray(to_rgb(image))[1:].min() == 255


def profile(name: str) -> bytes:
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB" if name == "LAB" else "sRGB")).tobytes()
    if name != "wide":
        return made
    # Swap the primaries of red and green, by the table of tags (ICC.1, 7.3), and the description.
    swapped = made.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be")).replace(b"sRGB", b"wide")


def test_profiles_are_converted(tmp_path: Path) -> None:
    """Colors are converted to sRGB by the profile; one that is sRGB, broken, or of other colors changes nothing."""
    path = tmp_path / "photo.png"
    for name, content in (("sRGB", profile("sRGB")), ("LAB", profile("LAB")), ("broken", b"junk" * 99)):
        PHOTO.save(path, icc_profile=content)
        assert np.array_equal(open_image(path), PHOTO), name
    PHOTO.save(path, icc_profile=profile("wide"))
    converted = open_image(path)
    assert np.abs(np.asarray(converted)[..., [1, 0, 2]].astype(int) - np.asarray(PHOTO)).max() <= 2
    assert "icc_profile" not in converted.info
    assert np.array_equal(to_rgb(converted), converted)  # not once more
    rgba = PHOTO.convert("RGBA")
    rgba.paste((0, 0, 0, 0), (0, 0, 160, 240))
    rgba.save(path, icc_profile=profile("wide"))
    half = np.asarray(open_image(path))
    assert half[:, :160].min() == 255
    assert np.array_equal(half[:, 160:], np.asarray(converted)[:, 160:])


def linear_gray() -> bytes:
    """Return a profile for gray that is linear in light (ICC.1, 8.3)."""
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    size = 128 + 4 + 2 * 12 + len(white) + len(curve)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x02100000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + white[8:]
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", 156, len(white), b"kTRC", 156 + len(white), len(curve))
    return head.ljust(128, b"\0") + tags + white + curve


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_gray_profiles_are_converted(mode: str, tmp_path: Path) -> None:
    """Gray has profiles, too: half of the light is 188 of 255 in sRGB."""
    path = tmp_path / "gray.png"
    Image.new("L", (8, 8), 128).convert(mode).save(path, icc_profile=linear_gray())
    assert np.abs(np.asarray(open_image(path)).astype(int) - 188).max() <= 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_large_photos_are_reduced(mode: str, format: str, tmp_path: Path) -> None:
    """Above a number of pixels, a photo has half of its width and height, and remembers its size, upright."""
    if (mode, format) == ("P", "JPEG"):
        pytest.skip("JPEG has no palettes")
    path = tmp_path / "photo"
    exif = Image.Exif()
    exif[0x0112] = 6
    (PHOTO.quantize() if mode == "P" else PHOTO.convert(mode)).save(path, format, exif=exif)
    photo = read_photo(path, reduce_above=320 * 240 - 1)
    assert (photo.image.mode, photo.image.size, photo.size) == ("RGB", (120, 160), (240, 320))
    whole = read_photo(path, reduce_above=320 * 240)
    assert (whole.image.size, whole.size) == ((240, 320), (240, 320))
    small = np.asarray(whole.image.reduce(2)).astype(int)
    assert np.abs(small - np.asarray(photo.image)).mean() < 2
    with pytest.raises(ImageError, match="pixels, expected at most 1000 in all"):
        read_photo(path, max_pixels=1000)


@pytest.mark.parametrize("is_dng", [False, True])
@pytest.mark.parametrize("sub", [False, True])
def test_first_picture_that_is_a_reduced_version(is_dng: bool, sub: bool, tmp_path: Path) -> None:
    """The largest full picture of a TIFF file is the photo, not the thumbnail in front of it."""
    path = tmp_path / "photo.dng"
    path.write_bytes(two_pictures(PHOTO.resize((64, 48)), PHOTO, sub=sub, dng=is_dng))
    assert np.array_equal(open_image(path), PHOTO.convert("L").convert("RGB"))
    with pytest.raises(ImageError, match="320 x 240 pixels"):
        open_image(path, max_pixels=1000)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_raw_photo(orientation: int, tmp_path: Path) -> None:
    """The preview of a RAW photo is opened at its full size, upright; one that is too small is replaced by the data of
    the sensor at half size.
    """
    pytest.importorskip("rawpy")
    path = tmp_path / "photo.dng"
    turn = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}
    method = turn[orientation]
    upright = PHOTO.transpose(method) if method is not None else PHOTO
    path.write_bytes(dng(PHOTO, 400, 300, orientation))
    photo = read_photo(path)
    assert photo.size == photo.image.size == upright.size
    assert np.abs(np.asarray(photo.image).astype(int) - np.asarray(upright)).mean() < 3
    assert photo.taken == "2015-07-11T11:18:19"
    path.write_bytes(dng(PHOTO.resize((100, 75)), 400, 300, orientation))
    assert read_photo(path).image.size == ((200, 150) if orientation in (1, 3) else (150, 200))
    with pytest.raises(ImageError, match="max_pixels=NUMBER"):
        open_image(path, max_pixels=1000)


def test_raw_photo_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rawpy, a RAW photo is named by its maker, and the message says how to search its preview."""
    path = tmp_path / "photo.dng"
    path.write_bytes(dng(PHOTO, 400, 300, 1))
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(ImageError, match=r"this is a RAW photo of Faceie \(DNG\); .*: pip install rawpy"):
        open_image(path)


def test_a_photo_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels, date and note come from one opening of the file."""
    calls = []

    def open_file(*arguments: object) -> object:
        calls.append(arguments)
        return original(*arguments)

    original: Callable[..., object] = photo.open_file
    monkeypatch.setattr(photo, "open_file", open_file)
    PHOTO.save(tmp_path / "photo.jpg")
    assert read_photo(tmp_path / "photo.jpg").image.size == PHOTO.size
    assert len(calls) == 1
