"""RAW photos: the preview that the camera embedded, at its full size, upright."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from .exif import profile_only
from .refusals import check_size
from .tiff import Directory, directories, from_directory

__all__ = ["largest_full_picture", "open_raw"]

# How LibRaw's orientation turns the image (its documentation: imgdata.sizes.flip), and EXIF's number for the same.
_FLIPS = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.ROTATE_90, 6: Image.Transpose.ROTATE_270}
_EXIF_ORIENTATIONS = {3: 3, 5: 8, 6: 6}
_QUARTER_TURNS = (5, 6)
_LEAST_PREVIEW = 0.5  # of the longer side of the RAW photo


def open_raw(file: BinaryIO, limit: float) -> tuple[Image.Image, Image.Exif | None]:
    """Return a RAW photo upright, and its EXIF data.

    It is the preview, or, if that is too small, the sensor data at half size. Raises ImportError without rawpy, errors
    of LibRaw, and ImageError for more pixels than the limit.
    """
    import rawpy

    file.seek(0)
    with rawpy.imread(file) as raw:
        sizes = raw.sizes
        check_size((sizes.width, sizes.height), limit)
        image = _preview(raw, rawpy)
        if image is None or max(image.size) < _LEAST_PREVIEW * max(sizes.width, sizes.height):
            image = Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8))
            exif = None
        else:
            exif = image.getexif()
            turned_already = sizes.flip in _QUARTER_TURNS and _is_wide(image.size) != _is_wide(
                (sizes.width, sizes.height)
            )
            if sizes.flip in _FLIPS and not turned_already:
                image = image.transpose(_FLIPS[sizes.flip])
    image = image.copy()  # without Pillow's data about the file
    # The key is pillow-heif's, which turns images upright, too.
    image.info = {**profile_only(image.info), "original_orientation": _EXIF_ORIENTATIONS.get(sizes.flip, 1)}
    return image, _exif_of_file(file) or exif


def largest_full_picture(file: BinaryIO, limit: float) -> Image.Image | None:
    """Return the largest picture of a TIFF file that is neither a reduced version nor the data of a sensor.

    None if there is no such picture, or it cannot be decoded. Raises ImageError for more pixels than the limit.
    """
    found = [one for one in directories(file) if not one.is_reduced and not one.is_sensor_data and all(one.size)]
    file.seek(0)
    content = file.read()
    for directory in sorted(found, key=_pixels, reverse=True):
        check_size(directory.size, limit)
        with suppress(SyntaxError, OSError, ValueError, KeyError, TypeError):
            image = TiffImageFile(io.BytesIO(from_directory(content, directory)))
            image.load()
            return image
    return None


def _pixels(directory: Directory) -> int:
    return directory.size[0] * directory.size[1]


def _preview(raw: Any, rawpy: Any) -> Image.Image | None:
    """Return the largest preview of a RAW photo, as stored."""
    try:
        thumb = raw.extract_thumb()
        if thumb.format == rawpy.ThumbFormat.JPEG:
            image = Image.open(io.BytesIO(thumb.data))
            image.load()
            return image
        return Image.fromarray(thumb.data)
    except Image.DecompressionBombError:
        raise
    except Exception:  # there is no preview, or it is damaged: the sensor data may be whole
        return None


def _is_wide(size: tuple[int, int]) -> bool:
    return size[0] > size[1]


def _exif_of_file(file: BinaryIO) -> Image.Exif | None:
    """Return the EXIF data of a RAW file that is a TIFF file by form."""
    found = directories(file)
    if not found:
        return None
    exif = Image.Exif()
    file.seek(0)
    try:
        exif.load(b"Exif\0\0" + from_directory(file.read(), found[0]))
    except Exception:  # as above
        return None
    return exif
