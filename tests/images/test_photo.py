"""Images: any mode, any orientation, and clear errors."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from faceie.cli import main
from faceie.errors import ImageError, OptionError
from faceie.images import open_image, to_input, to_rgb, upright

from ..conftest import assert_close

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def gray(pixels: np.ndarray) -> np.ndarray:
    return np.stack([pixels] * 3, -1)


def in_bits(bits: int) -> np.ndarray:
    """Return the ramp with this number of bits."""
    return np.rint(RAMP * ((2**bits - 1) / 255))


def transparent(image: Image.Image) -> Image.Image:
    """Make the left half transparent."""
    image = image.convert("RGBA")
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:, :8] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def palette_with_alpha() -> Image.Image:
    """The same with a palette of grays; Pillow's conversions to this mode drop the alpha."""
    image = Image.merge("PA", [Image.fromarray(RAMP), transparent(Image.fromarray(RAMP)).getchannel("A")])
    image.putpalette([level for level in range(256) for _ in range(3)])
    return image


OVER_WHITE = gray(np.where(np.arange(16) < 8, 255, RAMP).astype(np.uint8))

CONVERSIONS = {
    "L": (Image.fromarray(RAMP), gray(RAMP), 0),
    "1": (Image.fromarray(RAMP > 127), gray(np.where(RAMP > 127, 255, 0)), 0),
    "P": (Image.fromarray(RAMP).convert("P"), gray(RAMP), 0),
    "I;16": (Image.fromarray(RAMP.astype(np.uint16) * 257), gray(RAMP), 0),
    "I;16 of 8 bits": (Image.fromarray(RAMP.astype(np.uint16)), gray(RAMP), 0),
    "I;16 of 10 bits": (Image.fromarray(in_bits(10).astype(np.uint16)), gray(RAMP), 0),
    "I;16 of 12 bits": (Image.fromarray(in_bits(12).astype(np.uint16)), gray(RAMP), 0),
    "I;16 of 14 bits": (Image.fromarray(in_bits(14).astype(np.uint16)), gray(RAMP), 0),
    "I of 12 bits": (Image.fromarray(in_bits(12).astype(np.int32)), gray(RAMP), 0),
    "F of 12 bits": (Image.fromarray(in_bits(12).astype(np.float32)), gray(RAMP), 0),
    "F above 16 bits": (Image.fromarray(np.full((16, 16), 1e6, np.float32)), gray(np.full((16, 16), 255)), 0),
    "I of 16 bits": (Image.fromarray(RAMP.astype(np.int32) * 257), gray(RAMP), 0),
    "I of 8 bits": (Image.fromarray(RAMP.astype(np.int32)), gray(RAMP), 0),
    "F to 1": (Image.fromarray(RAMP.astype(np.float32) / 255), gray(RAMP), 0),
    "F to 255": (Image.fromarray(RAMP.astype(np.float32)), gray(RAMP), 0),
    "F with NaN": (
        Image.fromarray(np.where(RAMP == 7, np.nan, RAMP).astype(np.float32)),
        gray(np.where(RAMP == 7, 0, RAMP)),
        0,
    ),
    "CMYK": (Image.fromarray(gray(RAMP)).convert("CMYK"), gray(RAMP), 1),
    "YCbCr": (Image.fromarray(gray(RAMP)).convert("YCbCr"), gray(RAMP), 1),
    "HSV": (Image.fromarray(gray(RAMP)).convert("HSV"), gray(RAMP), 1),
    "RGBA": (transparent(Image.fromarray(RAMP)), OVER_WHITE, 0),
    "LA": (transparent(Image.fromarray(RAMP)).convert("LA"), OVER_WHITE, 0),
    "PA": (palette_with_alpha(), OVER_WHITE, 0),
    "La": (transparent(Image.fromarray(RAMP)).convert("LA").convert("La"), OVER_WHITE, 0),
    "RGBa": (transparent(Image.fromarray(RAMP)).convert("RGBa"), OVER_WHITE, 0),
}


@pytest.mark.parametrize("mode", CONVERSIONS)
def test_every_mode_equals_its_rgb_twin(mode: str) -> None:
    """An image of any mode looks as its plain RGB twin does."""
    image, expected, tolerance = CONVERSIONS[mode]
    converted = to_rgb(image)
    assert converted.mode == "RGB"
    assert np.abs(np.asarray(converted).astype(int) - expected).max() <= tolerance


def test_lab_equals_its_rgb_twin() -> None:
    """CIE Lab is converted by the sRGB profile."""
    rgb = Image.fromarray(gray(RAMP))
    lab = ImageCms.profileToProfile(
        rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    assert lab.mode == "LAB"
    assert (
        np.abs(np.asarray(to_rgb(lab)).astype(int) - gray(RAMP)).max() <= 6
    )  # 8 bits of Lab are coarser than 8 of RGB


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif", ".mpo"])
def test_first_of_several_pictures(suffix: str, tmp_path: Path) -> None:
    """Of an animation, and of a file with several pictures, the first counts."""
    first, second = Image.new("RGB", (16, 16), (200, 30, 40)), Image.new("RGB", (16, 16), (0, 0, 255))
    path = tmp_path / f"photo{suffix}"
    first.save(path, save_all=True, append_images=[second], **({"lossless": True} if suffix == ".webp" else {}))
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) == 2
    assert_close(np.asarray(open_image(path)), np.asarray(first), 3)  # MPO are JPEGs


def test_transparent_color_is_over_white() -> None:
    """A color that stands for transparency (tRNS) becomes white, and RGB images can have one, too."""
    image = Image.fromarray(gray(RAMP))
    image.info["transparency"] = (0, 0, 0)
    assert to_rgb(image).getpixel((0, 0)) == (255, 255, 255)
    assert to_rgb(image).getpixel((1, 0)) == (1, 1, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int, tmp_path: Path) -> None:
    """A photo is opened upright, and the way back leads to the stored pixels."""
    seen = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 8, 3), np.uint8))
    # How each orientation is stored, in the words of the standard: which sides row 0 and column 0 are.
    stored = {
        1: seen,
        2: seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: seen.rotate(180),
        4: seen.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: seen.transpose(Image.Transpose.TRANSPOSE),
        6: seen.rotate(90, expand=True),
        7: seen.transpose(Image.Transpose.TRANSVERSE),
        8: seen.rotate(270, expand=True),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(open_image(tmp_path / "photo.png"), seen)
    with Image.open(tmp_path / "photo.png") as tagged:
        result = upright(tagged)
    assert np.array_equal(result.image, seen)
    again = upright(open_image(tmp_path / "photo.png"))
    assert np.array_equal(again.image, seen)
    assert np.array_equal(again.affine, np.eye(2, 3))
    for x, y in ((0, 0), (7, 0), (0, 4), (7, 4), (3, 1)):
        stored_x, stored_y = result.affine @ (x + 0.5, y + 0.5, 1)
        assert stored.getpixel((int(stored_x), int(stored_y))) == seen.getpixel((x, y))


def test_arrays() -> None:
    """Arrays of uint8 are taken as RGB, RGBA over white, or gray; slices of others, too."""
    assert np.array_equal(upright(gray(RAMP)).image, gray(RAMP))
    assert np.array_equal(upright(gray(RAMP)[::2, ::-1]).image, gray(RAMP)[::2, ::-1])
    assert np.array_equal(upright(RAMP).image, gray(RAMP))
    assert np.array_equal(upright(np.asarray(transparent(Image.fromarray(RAMP)))).image, OVER_WHITE)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (gray(RAMP).astype(np.float32), r"array of float32 with the shape \(16, 16, 3\), expected uint8"),
        (np.zeros((2, 16, 16, 3), np.uint8), r"shape \(2, 16, 16, 3\)"),
        (np.zeros((16, 16, 2), np.uint8), r"shape \(16, 16, 2\)"),
        (np.zeros((0, 16, 3), np.uint8), "empty: 16 x 0 pixels"),
        (Image.new("RGB", (0, 7)), "empty: 0 x 7 pixels"),
        (None, "this is a NoneType, expected an image"),
        (b"bytes", "this is a bytes"),
    ],
)
def test_what_is_no_image(image: object, message: str) -> None:
    """The error names the type and the expected ones."""
    with pytest.raises(ImageError, match=message):
        upright(image)  # type: ignore[arg-type]


def test_photos_that_cannot_be_opened(tmp_path: Path) -> None:
    """The error names the file and the reason."""
    (tmp_path / "text.jpg").write_text("this is not a photo")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.fromarray(gray(RAMP)).resize((99, 99)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-200])
    for name, message in {
        "nowhere.jpg": "no such file",
        "": "this is a folder",
        "text.jpg": "this is a text file",
        "empty.png": "this is an empty file",
        "half.png": "the file ends early: it is truncated",
    }.items():
        with pytest.raises(ImageError, match=message) as caught:
            open_image(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_to_input() -> None:
    """Pixels become (pixel - 127.5) / 128, exactly."""
    x = to_input(RAMP)
    assert x.dtype == np.float32
    assert np.array_equal(x.astype(float), (RAMP.astype(float) - 127.5) / 128)


@pytest.fixture
def photo(photos: Path) -> Image.Image:
    return open_image(photos / "obama.jpg")


@pytest.mark.parametrize(
    ("suffix", "options", "least"),
    [
        (".jpg", {}, 0.45),
        (".jpg", {"progressive": True}, 0.9),
        (".png", {}, 0.45),
        (".bmp", {}, 0.45),
        (".gif", {}, 0.45),
    ],
    ids=["JPEG", "progressive JPEG", "PNG", "BMP", "GIF"],
)
def test_truncated(suffix: str, options: dict, least: float, photo: Image.Image, tmp_path: Path) -> None:
    """Half of a file is an error, or, if that was asked for, about half of the photo."""
    path = tmp_path / f"half{suffix}"
    photo.save(path, **options)
    whole = np.asarray(open_image(path)).astype(int)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match="truncated"):
        open_image(path)
    half = open_image(path, truncated=True)
    assert half.size == photo.size
    same = (np.abs(np.asarray(half) - whole).max(-1) < 40).mean()
    assert same > least
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_nothing_left(photo: Image.Image, tmp_path: Path) -> None:
    """A file of which no pixel can be read is an error, always."""
    path = tmp_path / "none.png"
    photo.save(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ImageError, match="no pixel of it can be read"):
        open_image(path, truncated=True)


def test_limit_of_the_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's limit holds, unless the caller gives another, lower or higher; Pillow's stays as it is."""
    path = tmp_path / "image.png"
    Image.new("RGB", (100, 80), "teal").save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    with pytest.raises(ImageError, match="expected at most 6000 in all"):
        open_image(path)
    assert open_image(path, max_pixels=8000).getpixel((0, 0)) == (0, 128, 128)
    with pytest.raises(ImageError, match="100 x 80 pixels, expected at most 7999"):
        open_image(path, max_pixels=7999)
    assert Image.MAX_IMAGE_PIXELS == 3000
    for limit in (0, -1, 1.5, "many"):
        with pytest.raises(OptionError, match="max_pixels is"):
            open_image(path, max_pixels=limit)  # type: ignore[arg-type]
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ImageError, match="this is a text file"):
        open_image(tmp_path / "text.png", max_pixels=100)


def test_heic(photo: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HEIC is read with the extra package, and without registering that for the whole process; else a message says
    how to get it.
    """
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "photo.heic"
    heif.from_pillow(photo).save(path, quality=90)
    opened = open_image(path)
    assert opened.size == photo.size
    assert np.abs(np.asarray(opened).astype(int) - np.asarray(photo)).mean() < 2
    assert not {"HEIF", "HEIC"} & set(Image.OPEN)
    with pytest.raises(ImageError, match=r"720 x 900 pixels, expected at most 1000 in all; .* max_pixels=NUMBER"):
        open_image(path, max_pixels=1000)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ImageError, match="this is a HEIC photo, but it is damaged"):
        open_image(path)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match="pip install pillow-heif"):
        open_image(path)


def test_formats_that_warn_are_quiet(tmp_path: Path) -> None:
    """A file of which Pillow warns (a tag that is longer than the file) is read; the command line does not warn."""
    path = tmp_path / "image.tif"
    Image.fromarray(RAMP).save(path, tiffinfo={270: "a description"}, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    tag = content.index(struct.pack("<HH", 270, 2))
    content[tag + 4 : tag + 8] = struct.pack("<I", 1 << 20)  # its length
    path.write_bytes(content)
    message = "Tag data larger than file|Truncated File Read"  # the latter in old versions
    with pytest.warns(UserWarning, match=message):
        image = Image.open(path)
    with image, pytest.warns(UserWarning, match=message):
        image.load()
    with pytest.warns(UserWarning, match=message):
        assert np.array_equal(np.asarray(open_image(path)), gray(RAMP))
    assert main(["detect", str(path)]) == 0  # warnings are errors in these tests
