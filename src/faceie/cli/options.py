"""Arguments that several commands have."""

from __future__ import annotations

import argparse
import math
from typing import Any

from ..mtcnn.options import DEFAULTS, DetectionOptions

__all__ = ["Parser", "add_detection_options", "detection_options"]


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations: they would break when another option is added."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(allow_abbrev=False, **keywords)


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
    add(
        "--rotations",
        tuple(map(math.degrees, DEFAULTS.rotations)),
        "angles of faces to search for, in degrees, counter-clockwise; each costs a search. "
        "If photos follow, put -- before them",
        nargs="+",
        metavar="DEGREES",
    )
    add("--crop-size", DEFAULTS.crop_size, "height and width of the crops", type=int, metavar="PIXELS")
    add("--margin", DEFAULTS.margin, "how much of the crop size is surroundings of the face", metavar="PIXELS")


def detection_options(arguments: argparse.Namespace, *, crops: bool) -> DetectionOptions:
    """Return the options that were given. Raises OptionError for one out of range."""
    return DetectionOptions(
        min_face_size=arguments.min_face_size,
        factor=arguments.factor,
        thresholds=arguments.thresholds,
        nms_overlaps=arguments.nms_overlaps,
        rotations=tuple(math.radians(angle) for angle in arguments.rotations),
        crop_size=arguments.crop_size,
        margin=arguments.margin,
        crops=crops,
    )
