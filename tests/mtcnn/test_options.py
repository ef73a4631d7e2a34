"""Options of detection outside their ranges are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from faceie import DetectionOptions, OptionError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_face_size", 0.5),
        ("factor", 1.0),
        ("thresholds", (0.6, 0.7)),
        ("thresholds", (0.6, 0.7, 1.5)),
        ("nms_overlaps", (0.5, 0.7, 0.7, -0.1)),
        ("rotations", "upright"),
        ("rotations", (7.0,)),
        ("crop_size", 160.5),
        ("crop_size", 5000),
        ("margin", 160),
        ("crop_filter", "nearest"),
    ],
)
def test_refused(name: str, value: Any) -> None:
    """The message names the option."""
    with pytest.raises(OptionError, match=name):
        DetectionOptions(**{name: value})
