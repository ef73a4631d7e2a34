"""Options that several commands share."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from ..errors import OptionError
from ..gallery.settings import GALLERY_DEFAULTS
from ..images import open_image
from ..mtcnn.options import DEFAULTS, DetectionOptions

__all__ = [
    "GALLERY_LIMIT",
    "add_dask_option",
    "add_detection_options",
    "add_folder_options",
    "add_gallery_option",
    "add_html_option",
    "add_json_option",
    "add_min_face_size_option",
    "add_photo_options",
    "detection_options",
    "number_or_name",
    "open_photo",
    "weights_source",
]

GALLERY_LIMIT = "250000000; photos with more than 100000000 are searched at half size"


#: Help of the option that `face_size` reads.
MIN_FACE_SIZE = (
    "size of the smallest face to find, in pixels or per cent of the photo's longer side (1%%); "
    "doubling it takes a quarter of the time"
)


def add_detection_options(parser: argparse.ArgumentParser) -> None:
    """Add the fields of `DetectionOptions`, under their names, with rotations in degrees."""
    group = parser.add_argument_group("detection")

    def add(flag: str, default: float | tuple[float, ...], help: str, **keywords: Any) -> None:
        values = default if isinstance(default, tuple) else (default,)
        text = f"{help} (default: {' '.join(f'{value:g}' for value in values)})"
        group.add_argument(flag, default=default, help=text, **{"type": float, **keywords})

    add(
        "--min-face-size",
        DEFAULTS.min_face_size,
        MIN_FACE_SIZE,
        metavar="SIZE",
        type=str,
    )
    add("--factor", DEFAULTS.factor, "ratio of neighboring levels of the image pyramid", metavar="RATIO")
    add(
        "--thresholds",
        DEFAULTS.thresholds,
        "lowest scores, 0 to 1, that P-Net, R-Net and O-Net must give",
        nargs=3,
        metavar=("P", "R", "O"),
    )
    add(
        "--min-probability",
        DEFAULTS.min_probability,
        "lowest probability of a face, 0 to 1, unless one angle is searched",
        metavar="PROBABILITY",
    )
    add(
        "--nms-overlaps",
        DEFAULTS.nms_overlaps,
        "overlaps, 0 to 1, above which the less probable of two boxes is dropped: "
        "within a level, over all levels, after R-Net and after O-Net",
        nargs=4,
        metavar=("LEVEL", "P", "R", "O"),
    )
    group.add_argument(
        "--rotations",
        default=["auto"],
        nargs="+",
        type=_angle,
        metavar="DEGREES",
        help="angles of faces to search for, in degrees, counter-clockwise; each angle is a search of its own. "
        "If photos follow, put -- before them (default: auto, which rotates a photo only if its faces seem rotated)",
    )
    add("--crop-size", DEFAULTS.crop_size, "height and width of the crops", type=int, metavar="PIXELS")
    group.add_argument(
        "--crop-filter",
        default=DEFAULTS.crop_filter,
        metavar="NAME",
        help="filter that resizes the crops: lanczos, bicubic, bilinear or box (default: %(default)s)",
    )
    add("--margin", DEFAULTS.margin, "part of the crop size that shows the surroundings of the face", metavar="PIXELS")


def add_photo_options(parser: argparse.ArgumentParser, limit: str = "178956970, Pillow's limit") -> None:
    """Add the options of `open_image`. `limit` describes the default of ``--max-pixels``."""
    group = parser.add_argument_group("photos")
    group.add_argument("--truncated", action="store_true", help="use the readable part of damaged photos")
    group.add_argument(
        "--max-pixels", type=int, metavar="NUMBER", help=f"refuse photos with more pixels (default: {limit})"
    )


def add_folder_options(parser: argparse.ArgumentParser, note: str = "") -> None:
    """Add the options of `search_folders`. `note` is added to the help of ``--exclude``."""
    group = parser.add_argument_group("folders")
    group.add_argument(
        "--exclude",
        action="append",
        metavar="PATTERN",
        help="leave out files and folders that match, as in .gitignore: *.png, Screenshots/, /2019/**/raw; "
        f"may be repeated{note}",
    )
    group.add_argument(
        "--follow-links", action="store_true", help="also search folders behind symbolic links, each folder once"
    )


def add_gallery_option(parser: argparse.ArgumentParser, **keywords: Any) -> None:
    """Add the option that names the gallery."""
    parser.add_argument(
        "--gallery",
        metavar="FILE",
        help="file of the gallery, or address of a PostgreSQL database "
        "(default: FACEIE_GALLERY, or gallery.faceie in the user's data folder)",
        **keywords,
    )


def add_json_option(parser: argparse.ArgumentParser, form: str = "JSON Lines", instead: str = "the table") -> None:
    """Add the option that chooses JSON."""
    parser.add_argument("--json", action="store_true", help=f"print {form} instead of {instead}")


def add_dask_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a cluster."""
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="let the workers of a Dask cluster analyze the photos: address of its scheduler, such as "
        "tcp://10.0.0.1:8786, or its scheduler file. They must see the photos under the same paths",
    )


def add_min_face_size_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the smallest face of a new gallery."""
    parser.add_argument(
        "--min-face-size",
        metavar="SIZE",
        help=f"{MIN_FACE_SIZE}. Fixed when the gallery is made (default: {GALLERY_DEFAULTS.min_face_share * 100:g}%%, "
        f"but {GALLERY_DEFAULTS.min_face_size:g} pixels at least)",
    )


def add_html_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that writes a page."""
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the faces, for a browser")


def open_photo(path: Path, arguments: argparse.Namespace) -> Image.Image:
    """Open a photo with the options of `add_photo_options`. Raises ImageError and OptionError."""
    return open_image(path, truncated=arguments.truncated, max_pixels=arguments.max_pixels)


def _angle(text: str) -> float | Literal["auto"]:
    return "auto" if text == "auto" else math.radians(float(text))


_angle.__name__ = "number"  # in argparse's message about an invalid value


def _rotations(angles: list[float | Literal["auto"]]) -> tuple[float, ...] | Literal["auto"]:
    """Return the angles in radians, or "auto". Raises OptionError for a mixture."""
    numbers = tuple(angle for angle in angles if angle != "auto")
    if numbers and len(numbers) < len(angles):
        raise OptionError("--rotations: expected auto or numbers, not both")
    return numbers or "auto"


def detection_options(arguments: argparse.Namespace, *, crops: bool) -> DetectionOptions:
    """Return the options of `add_detection_options`. Raises OptionError for an option out of its range."""
    smallest, share = face_size(arguments.min_face_size)
    return DetectionOptions(
        min_face_size=smallest,
        min_face_share=share,
        factor=arguments.factor,
        thresholds=arguments.thresholds,
        min_probability=arguments.min_probability,
        nms_overlaps=arguments.nms_overlaps,
        rotations=_rotations(arguments.rotations),
        crop_size=arguments.crop_size,
        margin=arguments.margin,
        crop_filter=arguments.crop_filter,
        crops=crops,
    )


def face_size(size: str | float) -> tuple[float, float]:
    """Return the smallest face in pixels and as a share, given in pixels or per cent. Raises OptionError."""
    text = str(size).strip()
    is_share = text.endswith("%")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise OptionError(f"--min-face-size is {text}, expected pixels (40) or per cent (1%)") from None
    return (DEFAULTS.min_face_size, number / 100) if is_share else (number, 0.0)


def number_or_name(text: str) -> int | str:
    """Return the number of a person or cluster, or else a name."""
    return int(text) if text.isdecimal() else text


def weights_source(text: str) -> str | Path:
    """Return a path if the text is a file or looks like one, else the text: the name of published weights."""
    path = Path(text)
    is_path = path.is_file() or path.suffix or os.sep in text or (os.altsep or os.sep) in text
    return path if is_path else text
