"""Images: opened from whatever holds them, turned upright, and made the networks' input.

Inside Faceie an image is RGB, 8 bits a channel, and upright. What comes in may be a photo's path, a Pillow image of any
mode, or an array.
"""

from __future__ import annotations

import io
import math
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from .checks import whole_number
from .errors import ImageError
from .files import not_a_file
from .forks import Lock
from .nn.tree import Array

__all__ = ["Affine", "ImageLike", "Upright", "date_taken", "open_image", "to_input", "to_rgb", "upright"]

#: An image for a function that takes one: the path of a photo, a Pillow image of any mode, or an array of uint8,
#: (h, w, 3) RGB, (h, w, 4) RGBA or (h, w) gray.
ImageLike: TypeAlias = Union[str, "os.PathLike[str]", Image.Image, NDArray[np.uint8]]

Affine: TypeAlias = NDArray[np.float64]  # [2, 3]: maps (x, y, 1) to (x, y)

_EXIF_ORIENTATION, _EXIF_IFD, _EXIF_DATE_TAKEN = 0x0112, 0x8769, 0x9003
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# For each EXIF orientation (CIPA DC-008, section 4.6.5): how Pillow makes the stored image upright, and where a point
# (x, y) of the upright image, whose size is (w, h), is in the stored one: the coefficients of x, y, w and h.
_Coefficients: TypeAlias = tuple[int, int, int, int]
_ORIENTATIONS: dict[int, tuple[Image.Transpose, _Coefficients, _Coefficients]] = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, (-1, 0, 1, 0), (0, 1, 0, 0)),
    3: (Image.Transpose.ROTATE_180, (-1, 0, 1, 0), (0, -1, 0, 1)),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, (1, 0, 0, 0), (0, -1, 0, 1)),
    5: (Image.Transpose.TRANSPOSE, (0, 1, 0, 0), (1, 0, 0, 0)),
    6: (Image.Transpose.ROTATE_270, (0, 1, 0, 0), (-1, 0, 1, 0)),
    7: (Image.Transpose.TRANSVERSE, (0, -1, 0, 1), (-1, 0, 1, 0)),
    8: (Image.Transpose.ROTATE_90, (0, -1, 0, 1), (1, 0, 0, 0)),
}

# Formats whose pixels Pillow reads without warning of anything, so that threads may read them side by side.
_QUIET = ("JPEG", "MPO", "PNG", "WEBP")

_warnings_lock = Lock()


class Upright(NamedTuple):
    """An upright RGB image, and the way back to the pixels that it was made from."""

    image: Image.Image
    affine: Affine
    """[2, 3]: from points of `image` to points of the image that was passed in; of a path, those of `image` itself."""


def open_image(path: str | os.PathLike[str], *, truncated: bool = False, max_pixels: int | None = None) -> Image.Image:
    """Open a photo as it is meant to be seen: upright by its EXIF orientation, RGB, transparency over white.

    Of several frames or pages the first counts.
    `truncated`: use what there is of a file that ends too early or is damaged; what is missing is black or gray. By
    default, such a file is an error.
    `max_pixels`: refuse larger images, which may be made to fill the memory. By default, the limit is Pillow's own
    (twice `PIL.Image.MAX_IMAGE_PIXELS`, 179 million pixels); a number counts in its place, lower or higher.

    HEIC needs pillow-heif (the extra `heic`). Raises ImageError, which names the file, for whatever cannot be read, and
    OptionError for a limit that is none.
    """
    if max_pixels is not None:
        max_pixels = whole_number("max_pixels", max_pixels, or_else=", or None")
    path = Path(path)
    try:
        with _open(path, truncated, max_pixels) as file, nullcontext() if file.format in _QUIET else _no_warnings():
            if truncated:
                _load_what_is_there(file)
            rgb = to_rgb(file)
            return _turn_upright(rgb, _orientation(file)).image
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error.__cause__


def date_taken(path: str | os.PathLike[str]) -> str | None:
    """Return when a photo was taken, as its EXIF data have it (DateTimeOriginal), by the clock of the camera, in the
    form "2019-06-01T12:30:00"; None if they do not say.

    Raises ImageError for what cannot be opened.
    """
    with _open(Path(path), truncated=False, max_pixels=None) as file:
        try:
            with _no_warnings():
                text = str(file.getexif().get_ifd(_EXIF_IFD).get(_EXIF_DATE_TAKEN, ""))
            return datetime.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S").isoformat()
        except Exception:  # no date, or metadata that cannot be read
            return None


def upright(image: ImageLike) -> Upright:
    """Return any image upright and RGB. Raises ImageError for what is not an image.

    A Pillow image with an EXIF orientation (it keeps one from its file) is turned by it; an array is taken as it is.
    """
    if isinstance(image, str | os.PathLike):
        opened = open_image(image)
        return Upright(opened, np.eye(2, 3))
    if isinstance(image, np.ndarray):
        return Upright(_from_array(image), np.eye(2, 3))
    if isinstance(image, Image.Image):
        return _turn_upright(to_rgb(image), _orientation(image))
    raise ImageError(
        f"this is a {type(image).__name__}, expected an image: "
        "a path, a Pillow image or a NumPy array of uint8 (h, w, 3)"
    )


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a Pillow image of any mode to RGB: 16 bits to 8, transparency over white, CIE Lab by the sRGB profile.

    Numbers without a fixed range (modes I and F) are taken to reach up to 1, 255 or 65535, whichever holds them all.
    Raises ImageError if the pixels cannot be read or are none.
    """
    if 0 in image.size:
        raise ImageError(f"the image is empty: {image.width} x {image.height} pixels")
    try:
        if image.mode == "RGB" and "transparency" not in image.info:
            image.load()
            return image
        if image.has_transparency_data:
            image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(white, image).convert("RGB")
        if image.mode.startswith(("I", "F")):
            return Image.fromarray(_to_8_bits(np.asarray(image), image.mode)).convert("RGB")
        if image.mode == "LAB":
            return _lab_to_rgb(image)
        return image.convert("RGB")
    except Exception as error:  # Pillow's decoders raise whatever they stumble over: from OSError to IndexError
        raise ImageError(f"the pixels cannot be read ({_reason(error)})") from error


def to_input(pixels: NDArray[Any]) -> Array:
    """Return what the networks expect: (pixel - 127.5) / 128, float32, of the same shape."""
    x: Array = np.subtract(pixels, np.float32(127.5), dtype=np.float32)
    x *= np.float32(1 / 128)
    return x


def _open(path: Path, truncated: bool, max_pixels: int | None) -> Image.Image:
    try:
        if what := not_a_file(path.stat().st_mode):  # to open a pipe would wait for its other end
            raise ImageError(f"this is {what}, expected a photo")
        with _no_warnings():
            return _identify(path, truncated, max_pixels)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError("there is no such file") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{error}: if it is to be trusted, open_image(path, max_pixels=...) takes more") from error
    except Exception as error:  # as above: whatever a decoder stumbles over
        raise ImageError(f"this is not a photo that Pillow can open ({_reason(error)})") from error


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Keep Pillow from warning, which it does here without need: of sizes close to its limit, of corrupt metadata.

    The filters of warnings belong to the whole process: hence the lock.
    """
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _identify(path: Path, truncated: bool, max_pixels: int | None) -> Image.Image:
    """Open a file by its content, with a limit of ours if there is one."""
    content = path.read_bytes() if truncated or max_pixels is not None else b""
    if truncated and content.startswith(_JPEG_START):
        content += _JPEG_END  # the decoder waits for it, before it shows what it has
    try:
        source = io.BytesIO(content) if content else path
        image: Image.Image = Image.open(source) if max_pixels is None else _open_unlimited(content)
    except UnidentifiedImageError:
        if not _is_heif(path):
            raise
        image = _open_heif(path, max_pixels)
    if max_pixels is not None and image.width * image.height > max_pixels:
        image.close()
        raise ImageError(f"it has {image.width} x {image.height} pixels, expected at most {max_pixels} in all")
    return image


def _open_unlimited(content: bytes) -> Image.Image:
    """Do what `Image.open` does, but for its limit of the size: that is a global, and so not ours to change."""
    Image.init()
    for name in Image.ID:
        factory, accepts = Image.OPEN[name]
        if accepts and accepts(content[:16]) is not True:  # a text says why not
            continue
        with suppress(SyntaxError, IndexError, TypeError, struct.error):  # those with which a decoder refuses a file
            return factory(io.BytesIO(content), "")
    raise UnidentifiedImageError("cannot identify image file")


def _is_heif(path: Path) -> bool:
    """Tell photos of the HEIF family (ISO/IEC 23008-12): a box of the type "ftyp", with the brand behind it."""
    with path.open("rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS


def _open_heif(path: Path, max_pixels: int | None) -> Image.Image:
    """Open HEIC by an optional package. It turns the image upright itself."""
    try:
        import pillow_heif
    except ImportError:
        raise ImageError("this is a HEIC photo; to read it: pip install pillow-heif") from None
    heif = pillow_heif.open_heif(path)  # without registering it with Pillow for all
    limit = max_pixels or 2 * (Image.MAX_IMAGE_PIXELS or math.inf)
    if (pixels := math.prod(heif.size)) > limit:
        raise Image.DecompressionBombError(f"Image size ({pixels} pixels) exceeds limit of {limit} pixels")
    image: Image.Image = heif.to_pillow()
    return image


def _load_what_is_there(image: Image.Image) -> None:
    """Decode an image as far as its file goes."""
    try:
        image.load()
    except Exception as error:  # as above
        something = None
        if isinstance(image, ImageFile):
            image.tile = []  # nothing is left to be decoded: what was, counts
            with suppress(Exception):
                something = image.getbbox()
        if something is None:
            raise ImageError(f"no pixel of it can be read ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, if there is none or it makes no sense."""
    try:
        with _no_warnings():
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # metadata that cannot be read is no reason to do without the photo
        return 1
    return orientation if orientation in _ORIENTATIONS else 1


def _turn_upright(image: Image.Image, orientation: int) -> Upright:
    if orientation not in _ORIENTATIONS:
        return Upright(image, np.eye(2, 3))
    method, *rows = _ORIENTATIONS[orientation]
    image = image.transpose(method)
    # What says that it should be turned (EXIF, and XMP, too) goes, or the next one to look would turn it again.
    image.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    affine = np.array([[x, y, w * image.width + h * image.height] for x, y, w, h in rows], np.float64)
    return Upright(image, affine)


def _from_array(array: NDArray[Any]) -> Image.Image:
    good_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not good_shape:
        raise ImageError(
            f"this is an array of {array.dtype} with the shape {array.shape}, "
            "expected uint8 with the shape (height, width, 3) RGB, (height, width, 4) RGBA or (height, width) gray"
        )
    if 0 in array.shape:
        raise ImageError(f"the image is empty: {array.shape[1]} x {array.shape[0]} pixels")
    return to_rgb(Image.fromarray(np.ascontiguousarray(array)))


def _to_8_bits(numbers: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """Scale gray of a wider type to 0 to 255:

    16 bits by their range, others by the smallest usual one that holds all.
    """
    numbers = np.nan_to_num(numbers.astype(np.float32), posinf=0, neginf=0)
    top = numbers.max()
    white = 65535 if top > 255 or mode.startswith("I;16") else 255 if top > 1 or mode == "I" else 1
    return np.clip(np.rint(numbers * (255 / white)), 0, 255).astype(np.uint8)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms  # rarely needed, and not in every build of Pillow

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    if converted is None:  # only when it works in place, which is not asked for
        raise ImageError("Pillow cannot convert CIE Lab")
    return converted
