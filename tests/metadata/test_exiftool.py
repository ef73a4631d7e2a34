"""exiftool, an independent program, reads the names that Faceie writes, and keeps them when it writes a file."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from faceie.metadata.exiftool import changed_copy, find_exiftool, replace_photo
from faceie.metadata.frames import StoredFrame
from faceie.metadata.merge import NamedFace, merge

from .lists import read, written

pytestmark = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")

FACES = [NamedFace("Zoë <&> 李", (0.1, 0.2, 0.3, 0.6)), NamedFace("Berta", (0.5, 0.25, 0.75, 0.5))]


def exiftool(*arguments: str | Path) -> bytes:
    return subprocess.run(["exiftool", *arguments], capture_output=True, check=True, timeout=60).stdout


def tags(path: Path) -> dict[str, Any]:
    """Return the tags of XMP, with structures, as exiftool reads them."""
    found: dict[str, Any] = json.loads(exiftool("-json", "-struct", "-XMP:all", path))[0]
    return found


def assert_names(found: dict[str, Any]) -> None:
    """Assert that exiftool has read both faces in a stored photo of 400 x 200 pixels with the orientation 6."""
    areas = [(0.2, 0.7, 0.6, 0.9), (0.25, 0.25, 0.5, 0.5)]  # turned counter-clockwise
    regions = found["RegionInfo"]
    assert regions["AppliedToDimensions"] == {"W": 400, "H": 200, "Unit": "pixel"}
    assert [region["Name"] for region in regions["RegionList"]] == [face.name for face in FACES]
    assert {region["Type"] for region in regions["RegionList"]} == {"Face"}
    for region, (left, top, right, bottom) in zip(regions["RegionList"], areas, strict=True):
        area = region["Area"]
        assert area["Unit"] == "normalized"
        sides = [float(area[side]) for side in "XYWH"]
        assert sides == pytest.approx([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], abs=1e-6)
    for region, (left, top, right, bottom) in zip(found["RegionInfoMP"]["Regions"], areas, strict=True):
        sides = [float(side) for side in region["Rectangle"].split(", ")]
        assert sides == pytest.approx([left, top, right - left, bottom - top], abs=1e-6)
    names = [face.name for face in FACES]
    assert [region["PersonDisplayName"] for region in found["RegionInfoMP"]["Regions"]] == names
    assert found["PersonInImage"] == found["Subject"] == names
    assert found["HierarchicalSubject"] == [f"People|{name}" for name in names]
    assert found["TagsList"] == [f"People/{name}" for name in names]


def test_exiftool_reads_sidecars(tmp_path: Path) -> None:
    sidecar = tmp_path / "photo.jpg.xmp"
    sidecar.write_bytes(merge(None, FACES, StoredFrame((400, 200), 6)).content or b"")
    assert_names(tags(sidecar))
    assert exiftool("-validate", "-warning", "-a", sidecar).split() == b"Validate : OK".split()


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exiftool_reads_photos(tmp_path: Path, suffix: str) -> None:
    photo = tmp_path / f"photo.{suffix}"
    Image.new("RGB", (40, 20)).save(photo)
    with changed_copy(find_exiftool(), photo, FACES, StoredFrame((400, 200), 6), dry_run=False) as (_, copy):
        assert copy
        replace_photo(photo, copy)
    assert_names(tags(photo))


def test_names_among_those_of_exiftool(tmp_path: Path) -> None:
    """Merged into its file, written again by it, merged again, removed: nothing of either is lost."""
    sidecar, frame = tmp_path / "photo.jpg.xmp", StoredFrame((400, 200), 1)
    exiftool(
        '-RegionInfo={AppliedToDimensions={W=400,H=200,Unit=pixel},RegionList=[{Area={X=.9,Y=.9,W=.1,H=.1,'
        'Unit=normalized},Name=Clara,Type=Face}]}',
        "-Subject=sea", "-Title=Summer", sidecar,
    )  # fmt: skip
    before = sidecar.read_bytes()
    first = merge(before, FACES, frame).content
    assert first is not None
    sidecar.write_bytes(first)
    assert exiftool("-validate", "-warning", "-a", sidecar).split() == b"Validate : OK".split()
    exiftool("-overwrite_original", "-Title=Winter", "-Subject+=snow", sidecar)
    rewritten = sidecar.read_bytes()
    assert rewritten != first
    assert merge(rewritten, FACES, frame).content is rewritten
    expected = written(*FACES)
    found = read(rewritten)
    assert found["regions"] == [("Clara", (0.85, 0.85, 0.95, 0.95)), *expected["regions"]]
    assert found["subject"] == ["sea", *expected["subject"], "snow"]
    sidecar.write_bytes(merge(rewritten, [], None).content or b"")
    rest = tags(sidecar)
    assert rest["Subject"] == ["sea", "snow"]
    assert rest["Title"] == "Winter"
    assert [region["Name"] for region in rest["RegionInfo"]["RegionList"]] == ["Clara"]
    assert {"PersonInImage", "RegionInfoMP", "TagsList", "HierarchicalSubject"}.isdisjoint(rest)
