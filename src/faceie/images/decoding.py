"""Open the file of a photo once, in any format: decoded pixels, metadata, and a note if pixels are missing."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TypeAlias

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from ..errors import ImageError
from ..files import not_a_file
from . import jpeg, png
from .exif import exif_of, profile_only
from .formats import START, Format, heif_is_readable, identify, raw_name
from .raw import largest_full_picture, open_raw
from .refusals import check_size, one_line, refusal, too_large
from .tiff import Directory, directories, is_raw

__all__ = ["Accept", "Opened", "Request", "open_bytes", "open_file"]

Accept: TypeAlias = Literal["whole", "early end", "damaged"]

_XMP_TAG = 700  # of TIFF
_XMP_OF_JPEG = b"http://ns.adobe.com/xap/1.0/\0"

_ENDS_EARLY = "incomplete: the file ends early"
_IS_DAMAGED = "incomplete: the file is damaged"
_TO_USE = "to use the readable part: truncated=True"


class Request(NamedTuple):
    """How to open a photo."""

    accept: Accept = "whole"
    """Which files to use: whole ones, also those that end early, or damaged ones as well."""
    max_pixels: int | None = None
    """None for Pillow's own limit."""
    reduce_above: float = math.inf
    """The number of pixels above which to reduce an image."""
    reduce: int = 2
    """The divisor of width and height of an image that is reduced."""
    decode: bool = True
    """Whether to decode pixels, too, or only metadata."""


class Opened(NamedTuple):
    """A photo, decoded but not converted."""

    image: Image.Image
    size: tuple[int, int]
    """Of the whole photo, as stored."""
    exif: Image.Exif | None
    xmp: bytes | str | None
    is_upright: bool
    """Whether the decoder has applied the orientation already."""
    note: str | None = None
    """Why pixels are missing."""


def open_file(path: Path, request: Request) -> Opened:
    """Open the file of a photo and decode it. Raises ImageError, whose message does not name the file."""
    with _translated(request):
        if other := not_a_file(path.stat().st_mode):  # opening a pipe would wait for its other end
            raise ImageError(f"this is {other}, expected a photo")
        with path.open("rb") as file:
            return _open(file, path.suffix, request)


def open_bytes(content: bytes, request: Request, suffix: str = "") -> Opened:
    """Decode the content of a file that is in memory. Raises ImageError."""
    with _translated(request):
        return _open(io.BytesIO(content), suffix, request)


@contextmanager
def _translated(request: Request) -> Iterator[None]:
    """Turn errors of files and decoders into ImageErrors that do not name the file."""
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError("there is no such file") from None
    except Image.DecompressionBombError as error:
        raise ImageError(too_large(f"it has more than {_limit(request)} pixels")) from error
    except OSError as error:
        if error.errno is None:  # Pillow's own have no number
            raise ImageError(one_line(error, "it cannot be read")) from error
        raise ImageError(f"the file cannot be read: {error.strerror or error}") from error


def _open(file: BinaryIO, suffix: str, request: Request) -> Opened:
    start = file.read(START)
    format = identify(start)
    try:
        if format.family in ("tiff", "raw") and (opened := _open_raw(file, format, suffix, request)):
            return opened
        image = _identify(file, format, start, request)
    except (ImageError, Image.DecompressionBombError, MemoryError):
        raise
    except Exception as error:  # decoders raise anything for damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ImageError(refusal(start, suffix)) from error
    return _load(file, image, request)


def _identify(file: BinaryIO, format: Format, start: bytes, request: Request) -> Image.Image:
    """Let Pillow, or pillow-heif, read the header."""
    image: Image.Image | None = None
    try:
        image = _by_pillow(file)
    except Image.DecompressionBombError:
        raise
    except Exception:
        if png.is_png(start):
            image = _by_pillow(_repaired_png(file, request))
        elif format.family != "heif" or not heif_is_readable():
            raise
    if image is None:
        return _open_heif(file, request)
    check_size(image.size, _limit(request))
    return image


def _by_pillow(file: BinaryIO) -> Image.Image:
    """Open an image as `Image.open` does, without its limit of the size, which is global and so not ours to change."""
    file.seek(0)
    start = file.read(16)
    for import_decoders in (Image.preinit, Image.init):  # the common ones, then all of them: slow to import
        import_decoders()
        for name in Image.ID:
            factory, accepts = Image.OPEN[name]
            if accepts and accepts(start) is not True:  # a text is a reason why not
                continue
            file.seek(0)
            with suppress(SyntaxError, IndexError, TypeError, struct.error):  # a decoder refuses a file by one of these
                return factory(file, "")
    raise UnidentifiedImageError


def _limit(request: Request) -> float:
    """Return the largest number of pixels, by default Pillow's."""
    return 2 * (Image.MAX_IMAGE_PIXELS or math.inf) if request.max_pixels is None else request.max_pixels


def _open_heif(file: BinaryIO, request: Request) -> Image.Image:
    """Open HEIC by pillow-heif, which turns the image upright itself."""
    import pillow_heif

    file.seek(0)
    heif = pillow_heif.open_heif(file)  # without registering it with Pillow for the whole process
    check_size(heif.size, _limit(request))
    if not request.decode:
        image = Image.new("L", heif.size, None)  # without touching its memory
        image.info = dict(heif.info)
        image.info["original_orientation"] = pillow_heif.set_orientation(image.info)  # as `to_pillow` does
        return image
    decoded: Image.Image = heif.to_pillow()
    return decoded


def _open_raw(file: BinaryIO, format: Format, suffix: str, request: Request) -> Opened | None:
    """Open the preview of a RAW photo, or the largest picture of a TIFF file whose first one is a smaller version.

    Returns None for other TIFF files.
    """
    found = directories(file)
    raw = format.family == "raw" or is_raw(found)
    if not raw and not (found and found[0].is_reduced):
        return None
    failure: Exception | None = None
    if raw:
        try:
            image, exif = open_raw(file, _limit(request))
            check_size(image.size, _limit(request))
            return Opened(image, image.size, exif, None, is_upright=True)
        except (ImageError, MemoryError, Image.DecompressionBombError):
            raise
        except Exception as error:  # LibRaw's, or rawpy is not installed
            failure = error
    picture = largest_full_picture(file, _limit(request)) if found else None
    if picture is not None:
        return _load(file, picture, request)
    if not raw:
        return None
    name = format.name if format.family == "raw" else raw_name(_maker(found), suffix)
    raise ImageError(refusal(b"", suffix, Format("raw", name))) from failure


def _maker(found: list[Directory]) -> str:
    makes = (one.make for one in found)
    return next(filter(None, makes), "a camera").title()


def _load(file: BinaryIO, image: Image.Image, request: Request) -> Opened:
    """Decode the pixels, all of them or as many as the request accepts."""
    size, note = image.size, None
    reduce = request.decode and math.prod(size) > request.reduce_above
    # TIFF needs its file for this; PNG may have it at the end.
    exif = exif_of(image) if image.format == "TIFF" else None
    if request.decode:
        draft = reduce and image.format in ("JPEG", "MPO")
        if draft:
            image.draft(None, (size[0] // request.reduce, size[1] // request.reduce))
        try:
            image.load()
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            image, note = _readable_part(file, image, request, error)
        if not draft:
            size = image.size  # Pillow turns TIFF images upright while it loads them
    exif, xmp = exif or exif_of(image), _xmp(image)
    if reduce and image.size == size:
        info = profile_only(image.info)
        image = _in_a_mode_to_reduce(image).reduce(request.reduce)
        image.info = info
    return Opened(image, size, exif, xmp, is_upright=False, note=note)


def _in_a_mode_to_reduce(image: Image.Image) -> Image.Image:
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _readable_part(
    file: BinaryIO, image: Image.Image, request: Request, error: Exception
) -> tuple[Image.Image, str | None]:
    """Return the readable part of a file that is not whole, and a note about the missing part."""
    file.seek(0)
    content = file.read() if image.format in ("JPEG", "MPO") else b""
    if content and not jpeg.lacks_pixels(content):
        return _loaded(io.BytesIO(jpeg.with_end(content))), None
    if image.format == "PNG":
        with suppress(Exception):
            return _loaded(_repaired_png(file, request)), None
    if request.accept == "whole" or (request.accept == "early end" and not _ends_early(error)):
        raise _not_whole(error) from error
    if content:
        return _load_part(_draft_again(image, io.BytesIO(jpeg.with_end(content)))), _note(error)
    if image.format == "PNG":
        return _load_part(_by_pillow(_repaired_png(file, request))), _note(error)
    return _as_far_as_decoded(image, error), _note(error)


def _loaded(file: BinaryIO) -> Image.Image:
    image = _by_pillow(file)
    image.load()
    return image


def _draft_again(former: Image.Image, file: BinaryIO) -> Image.Image:
    image = _by_pillow(file)
    if image.size != former.size:
        image.draft(None, former.size)
    return image


def _repaired_png(file: BinaryIO, request: Request) -> BinaryIO:
    file.seek(0)
    return io.BytesIO(png.without_bad_chunks(file.read(), ignore_checksums=request.accept == "damaged"))


def _load_part(image: Image.Image) -> Image.Image:
    """Decode the readable part of an image."""
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:
        return _as_far_as_decoded(image, error)
    return image


def _as_far_as_decoded(image: Image.Image, error: Exception) -> Image.Image:
    """Return an image with the pixels that were decoded before the error."""
    something = None
    if isinstance(image, ImageFile):
        image.tile = []  # nothing more to decode
        with suppress(Exception):
            something = image.getbbox()
    if something is None:
        raise ImageError("no pixel of it can be read; look for another copy of it") from error
    return image


def _ends_early(error: Exception) -> bool:
    text = str(error).lower()
    return "truncated" in text or "not enough" in text or "unexpected end" in text or isinstance(error, EOFError)


def _note(error: Exception) -> str:
    return _ENDS_EARLY if _ends_early(error) else _IS_DAMAGED


def _not_whole(error: Exception) -> ImageError:
    fact = "the file ends early: it is truncated" if _ends_early(error) else "the pixels cannot be read: damaged"
    return ImageError(f"{fact}; {_TO_USE}")


def _xmp(image: Image.Image) -> bytes | str | None:
    """Return the XMP packet of an image, from any of the fields in which formats and versions of Pillow have it."""
    info: dict[Any, Any] = image.info
    packets = [info.get("xmp"), info.get("XML:com.adobe.xmp"), info.get("Raw profile type xmp")]
    with suppress(Exception):
        packets.append(getattr(image, "tag_v2", {}).get(_XMP_TAG))
        for name, data in getattr(image, "applist", ()):
            if name == "APP1" and data.startswith(_XMP_OF_JPEG):
                packets.append(data[len(_XMP_OF_JPEG) :])
    return next((packet for packet in packets if packet and isinstance(packet, bytes | str)), None)
