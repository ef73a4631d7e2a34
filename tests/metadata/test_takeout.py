"""Google's JSON files: which one belongs to a photo, in all ways to cut and to number names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faceie import MetadataError
from faceie.metadata.takeout import TakeoutFolder, read_people

LONG = "PXL_20221219_114459254.TS_exported_13241_167156"  # 47 characters


def write(folder: Path, name: str, people: Any = ("Anna",), title: str | None = None) -> None:
    content: dict[str, Any] = {"people": [{"name": one} for one in people] if isinstance(people, tuple) else people}
    if title is not None:
        content["title"] = title
    (folder / name).write_text(json.dumps(content))


def names(folder: Path, photo: str) -> list[str]:
    found = TakeoutFolder(folder, [path.name for path in folder.iterdir()]).find(photo)
    return read_people(found) if found else []


@pytest.mark.parametrize(
    ("photo", "file", "title"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.json", None),
        ("IMG_1.JPG", "IMG_1.jpg.json", None),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json", "IMG_1.jpg"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metada.json", None),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-me.json", None),
        ("IMG_1.jpg", "IMG_1.jpg.suppl.json", None),
        ("IMG_1.jpg", "IMG_1.jpg.s.json", None),
        ("IMG_1.jpg", "IMG_1.jpg..json", None),
        ("IMG_1(1).jpg", "IMG_1.jpg(1).json", "IMG_1.jpg"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json", "IMG_1.jpg"),
        ("IMG_1(3).jpg", "IMG_1.jpg.supplemental-me(3).json", None),
        ("IMG_1(1).jpg", "IMG_1(1).jpg.json", None),
        ("IMG_1(1).jpg", "IMG_1(1).jpg.supplemental-metadata.json", None),
        ("IMG_1.jpg", "IMG_1.json", "IMG_1.jpg"),
        ("IMG_1.jpg", "IMG_1.supplemental-metadata.json", "IMG_1.jpg"),
        ("Peanut Butter.jpg", "Peanut Butter.supplemental-metadata.json", "Peanut Butter"),
        ("A_B.jpg", "A_B.json", "A&B.jpg"),
        (f"{LONG}.jpg", f"{LONG[:46]}.json", f"{LONG}.jpg"),
        (f"{LONG}.jpg", f"{LONG[:46]}.json", f"{LONG}_more.jpg"),
        (f"{LONG[:44]}.jpg", f"{LONG[:44]}.j.json", f"{LONG[:44]}.jpg"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.supplemental-metadata.json", None),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.json", None),
        ("IMG_1-edited(1).jpg", "IMG_1.jpg(1).json", None),
    ],
)
def test_names_of_files(tmp_path: Path, photo: str, file: str, title: str | None) -> None:
    """Each form of a name leads to its file."""
    write(tmp_path, file, title=title)
    assert names(tmp_path, photo) == ["Anna"]


@pytest.mark.parametrize(
    ("photo", "file", "title"),
    [
        ("IMG_1.jpg", "IMG_1.jpg(1).json", None),
        ("IMG_1(1).jpg", "IMG_1.jpg.json", None),
        ("IMG_1(1).jpg", "IMG_1.jpg(2).json", None),
        ("IMG_1.jpg", "IMG_10.jpg.json", None),
        ("IMG_1.jpg", "IMG_.json", "IMG_1.jpg"),
        ("IMG_1.jpg", "IMG_1.json", None),  # no title proves that it is not that of IMG_1.png
        ("IMG_1.jpg", "IMG_1.json", "IMG_1.png"),
        ("metadata.jpg", "metadata.json", "Album"),
        (f"{LONG}.jpg", f"{LONG[:46]}.json", f"{LONG[:46]}8.jpg"),
        ("IMG_1.jpg", "IMG_1.jpg.other.json", None),
    ],
)
def test_files_of_other_photos(tmp_path: Path, photo: str, file: str, title: str | None) -> None:
    """A file that may belong to another photo is left alone."""
    write(tmp_path, file, title=title)
    assert names(tmp_path, photo) == []


def test_the_best_file_counts(tmp_path: Path) -> None:
    """A file with the whole name comes before one without the extension."""
    write(tmp_path, "a.json", ("Ben",), title="a.png")
    write(tmp_path, "a.jpg.json", ("Anna",))
    assert names(tmp_path, "a.jpg") == ["Anna"]
    assert names(tmp_path, "a.png") == ["Ben"]


def test_contents(tmp_path: Path) -> None:
    """Names are cleaned, and counted once; anything else is no name."""
    write(
        tmp_path,
        "a.jpg.json",
        [{"name": " Zo&amp;#235; "}, {"name": ""}, {"name": 5}, {}, "x", {"name": "Anna"}, {"name": "Anna"}],
    )
    assert names(tmp_path, "a.jpg") == ["Zoë", "Anna"]
    for people in ("Anna", 5, None, {"name": "Anna"}):
        write(tmp_path, "a.jpg.json", people)
        assert names(tmp_path, "a.jpg") == []
    for text in ("{", "", "\0", "[" * 100_000, '{"people": [', "\xff"):
        (tmp_path / "a.jpg.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(MetadataError, match="not valid JSON"):
            names(tmp_path, "a.jpg")
    (tmp_path / "a.jpg.json").write_text("[]")
    assert names(tmp_path, "a.jpg") == []
