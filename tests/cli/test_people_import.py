"""``faceie people import``: its output and its exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from faceie import Gallery, cli

from ..conftest import PHOTOS
from ..metadata.packets import bag, mixed, mwg, packet
from .conftest import needs_weights

pytestmark = needs_weights


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two photos, names beside them, and a gallery that knows the photos."""
    folder = tmp_path_factory.mktemp("import")
    for name in ("astronaut.jpg", "biden.jpg"):
        shutil.copy(PHOTOS / name, folder)
    with Gallery(folder / "gallery.faceie") as gallery:
        gallery.index([folder], workers=1)
        x1, y1, x2, y2 = next(face.box for face in gallery.faces() if face.path.name == "astronaut.jpg")
    width, height = 512, 512
    box = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    (folder / "astronaut.jpg.xmp").write_bytes(
        packet(mwg([mixed("Eileen", box), mixed("Missing", (0.05, 0.05, 0.05, 0.05))]))
    )
    people = packet(f"<Iptc4xmpExt:PersonInImage>{bag(['Joe'])}</Iptc4xmpExt:PersonInImage>")
    (folder / "biden.jpg.xmp").write_bytes(people)
    return folder


@pytest.fixture
def folder(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, with a copy of its gallery as the default one."""
    shutil.copy(indexed / "gallery.faceie", tmp_path / "gallery.faceie")
    monkeypatch.setenv("FACEIE_GALLERY", str(tmp_path / "gallery.faceie"))
    return indexed


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> tuple[str, str]:
    assert cli.main(["people", "import", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_import(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dry run prints the same numbers as the import. A second import finds the names there."""
    dry, _ = run(capsys, "--dry-run")
    assert "2 photos with names of 3 people, 3 of them new" in dry
    assert "2 faces would get a name, 0 of them found by a second search; 0 faces have it already" in dry
    assert f"1 name without a face, would be kept for the photo:\n  {folder / 'astronaut.jpg'}: Missing\n" in dry
    out, messages = run(capsys)
    assert messages == ""
    assert "2 faces got a name" in out
    again, _ = run(capsys, folder)
    assert "0 of them new" in again
    assert "0 faces got a name, 0 of them found by a second search; 2 faces have it already" in again
    assert cli.main(["search", "--person", "missing"]) == 0
    assert "astronaut.jpg" in capsys.readouterr().out


def test_conflicts_and_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Conflicts are listed with the face and the reason. JSON has the same in one object."""
    assert cli.main(["people", "is", "Ellen", "1"]) == 0
    capsys.readouterr()
    out, _ = run(capsys)
    assert (
        f"1 conflict, not imported:\n  {folder / 'astronaut.jpg'}: Eileen, face 1: you have named this face Ellen"
        in out
    )
    report = json.loads(run(capsys, "--json", "--dry-run")[0])
    assert report["dry_run"] is True
    assert [one["name"] for one in report["conflicts"]] == ["Eileen"]
    assert report["conflicts"][0]["path"] == str(folder / "astronaut.jpg")
    assert (report["photos"], report["people"], report["known"], report["problems"]) == (2, 3, 1, [])


def test_bad_files(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sidecar that cannot be read, and an unknown folder, are told on standard error; the rest is imported."""
    sidecar = folder / "biden.jpg.xmp"
    content = sidecar.read_bytes()
    sidecar.write_bytes(b"<x")
    try:
        out, messages = run(capsys, folder, tmp_path / "unknown", code=1)
    finally:
        sidecar.write_bytes(content)
    assert "1 face got a name" in out
    assert "unknown: no photo of it is in the gallery" in messages
    assert "biden.jpg.xmp: its metadata is not valid XML" in messages


def test_no_gallery(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, messages = run(capsys, "--gallery", tmp_path / "none.faceie", code=1)
    assert "there is no gallery here" in messages
