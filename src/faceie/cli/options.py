"""Arguments that several commands have."""

from __future__ import annotations

import argparse
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NoReturn

from PIL import Image

from ..errors import OptionError
from ..images import open_image
from ..mtcnn.options import DEFAULTS, DetectionOptions

__all__ = [
    "Parser",
    "add_detection_options",
    "add_folder_options",
    "add_gallery_option",
    "add_photo_options",
    "detection_options",
    "opened",
    "weights_source",
    "who",
]


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations: they would break when another option is added."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(allow_abbrev=False, **keywords)

    def error(self, message: str) -> NoReturn:
        """End with the exit code for a wrong command line, even if standard error cannot be written."""
        with suppress(OSError):
            super().error(message)
        raise SystemExit(2)


def add_detection_options(parser: argparse.ArgumentParser) -> None:
    """Add the fields of `DetectionOptions`, under their names, but with rotations in degrees."""
    group = parser.add_argument_group("detection")

    def add(flag: str, default: float | tuple[float, ...], help: str, **keywords: Any) -> None:
        values = default if isinstance(default, tuple) else (default,)
        text = f"{help} (default: {' '.join(f'{value:g}' for value in values)})"
        group.add_argument(flag, default=default, help=text, **{"type": float, **keywords})

    add(
        "--min-face-size",
        DEFAULTS.min_face_size,
        "size of the smallest face to find; twice the size takes a quarter of the time",
        metavar="PIXELS",
    )
    add("--factor", DEFAULTS.factor, "ratio of neighboring levels of the image pyramid", metavar="RATIO")
    add(
        "--thresholds",
        DEFAULTS.thresholds,
        "scores, 0 to 1, that the three networks must give",
        nargs=3,
        metavar=("P", "R", "O"),
    )
    add(
        "--nms-overlaps",
        DEFAULTS.nms_overlaps,
        "overlaps, 0 to 1, above which the less probable of two boxes is dropped: "
        "within a level, over all levels, after the second and after the third network",
        nargs=4,
        metavar=("LEVEL", "P", "R", "O"),
    )
    group.add_argument(
        "--rotations",
        default=["auto"],
        nargs="+",
        type=_angle,
        metavar="DEGREES",
        help="angles of faces to search for, in degrees, counter-clockwise; each costs a search. "
        "If photos follow, put -- before them (default: auto, which turns the photo only if faces seem to be turned)",
    )
    add("--crop-size", DEFAULTS.crop_size, "height and width of the crops", type=int, metavar="PIXELS")
    group.add_argument(
        "--crop-filter",
        default=DEFAULTS.crop_filter,
        metavar="NAME",
        help="how crops are resized: lanczos, bicubic, bilinear or box (default: %(default)s)",
    )
    add("--margin", DEFAULTS.margin, "how much of the crop size is surroundings of the face", metavar="PIXELS")


def add_photo_options(parser: argparse.ArgumentParser, limit: str = "178956970, Pillow's limit") -> None:
    """Add the options of `open_image`; the default limit of pixels is told in words."""
    group = parser.add_argument_group("photos")
    group.add_argument("--truncated", action="store_true", help="use the readable part of photos that are damaged")
    group.add_argument(
        "--max-pixels",
        type=int,
        metavar="NUMBER",
        help=f"refuse photos of more pixels (default: {limit})",
    )


def add_folder_options(parser: argparse.ArgumentParser, kept: str = "") -> None:
    """Add the options of `search_folders`. `kept`: what the help says of patterns that are kept."""
    group = parser.add_argument_group("folders")
    group.add_argument(
        "--exclude",
        action="append",
        metavar="PATTERN",
        help="leave out files and folders that match, as in .gitignore: *.png, Screenshots/, /2019/**/raw; "
        f"may be repeated{kept}",
    )
    group.add_argument(
        "--follow-links", action="store_true", help="search folders that symbolic links lead to, too, each once"
    )


def opened(path: Path, arguments: argparse.Namespace) -> Image.Image:
    """Open a photo as these options say. Raises ImageError and OptionError."""
    return open_image(path, truncated=arguments.truncated, max_pixels=arguments.max_pixels)


def _angle(text: str) -> float | Literal["auto"]:
    return "auto" if text == "auto" else math.radians(float(text))


_angle.__name__ = "number"  # what argparse calls it, when it complains


def _rotations(angles: list[float | Literal["auto"]]) -> tuple[float, ...] | Literal["auto"]:
    """Return the angles, unless they are left to Faceie. Raises OptionError for a mixture."""
    numbers = tuple(angle for angle in angles if angle != "auto")
    if numbers and len(numbers) < len(angles):
        raise OptionError("--rotations: expected auto or numbers, not both")
    return numbers or "auto"


def detection_options(arguments: argparse.Namespace, *, crops: bool) -> DetectionOptions:
    """Return the options that were given. Raises OptionError for one out of range."""
    return DetectionOptions(
        min_face_size=arguments.min_face_size,
        factor=arguments.factor,
        thresholds=arguments.thresholds,
        nms_overlaps=arguments.nms_overlaps,
        rotations=_rotations(arguments.rotations),
        crop_size=arguments.crop_size,
        margin=arguments.margin,
        crop_filter=arguments.crop_filter,
        crops=crops,
    )


def add_gallery_option(parser: argparse.ArgumentParser, **keywords: Any) -> None:
    """Add the option that names the gallery."""
    parser.add_argument(
        "--gallery",
        type=Path,
        metavar="FILE",
        help="the file of the gallery (default: FACEIE_GALLERY, or gallery.faceie in the folder for data of users)",
        **keywords,
    )


def who(text: str) -> int | str:
    """Return the number of a person or cluster, or else a name."""
    return int(text) if text.isdecimal() else text


def weights_source(text: str) -> str | Path:
    """Return the path of a file of weights if this looks like one, else the text: a name."""
    path = Path(text)
    is_path = path.is_file() or path.suffix or os.sep in text or (os.altsep or os.sep) in text
    return path if is_path else text
