"""``faceie people export`` and ``faceie people links``: their output, files and exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from faceie import Gallery, cli

from ..gallery.test_export_names import BOX, add
from .conftest import needs_weights

pytestmark = needs_weights
links = pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos, of Anna and of an unknown person, whose gallery is the default one."""
    with Gallery(tmp_path / "gallery.faceie") as gallery:
        gallery.confirm("Anna", add(gallery, tmp_path / "album" / "a.jpg", BOX))
        add(gallery, tmp_path / "album" / "b.jpg", BOX, color="red")
    monkeypatch.setenv("FACEIE_GALLERY", str(tmp_path / "gallery.faceie"))
    return tmp_path / "album"


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> tuple[str, str]:
    assert cli.main(["people", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_export(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar = album / "a.jpg.xmp"
    out, messages = run(capsys, "export", "--sidecars", "--dry-run")
    assert out == f"to write  {sidecar}\n"
    assert messages == "faceie: 1 to write, 0 to clear, 0 unchanged; 1 name in all\n"
    assert not sidecar.exists()
    out, messages = run(capsys, "export", "--sidecars")
    assert out == f"written  {sidecar}\n"
    assert messages == "faceie: 1 written, 0 cleared, 0 unchanged; 1 name in all\n"
    assert run(capsys, "export", "--sidecars") == ("", "faceie: 0 written, 0 cleared, 1 unchanged; 1 name in all\n")
    assert run(capsys, "export", "--sidecars", "--remove")[0] == f"cleared  {sidecar}\n"
    assert not sidecar.exists()


def test_export_to_another_folder(album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "export", "--to", tmp_path / "mirror", album)
    assert [file.name for file in (tmp_path / "mirror").iterdir()] == ["a.jpg.xmp"]


def test_export_as_json(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar = album / "a.jpg.xmp"
    run(capsys, "export", "--sidecars")
    sidecar.write_bytes(sidecar.read_bytes().replace(b"<mwg-rs:Name>Anna", b"<mwg-rs:Name>Clara"))
    out, messages = run(capsys, "export", "--sidecars", "--json", album, album / "none", code=1)
    assert json.loads(out) == {
        "dry_run": False,
        "written": [],
        "removed": [str(sidecar)],
        "unchanged": 0,
        "names": 0,
        "conflicts": [{"path": str(sidecar), "name": "Anna", "other": "Clara"}],
        "problems": [{"path": str(album / "none"), "reason": json.loads(out)["problems"][0]["reason"]}],
    }
    assert messages == ""


def test_conflicts_and_problems_are_told(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar = album / "a.jpg.xmp"
    run(capsys, "export", "--sidecars")
    sidecar.write_bytes(sidecar.read_bytes().replace(b"<mwg-rs:Name>Anna", b"<mwg-rs:Name>Cla\xc2\x9bra"))
    out, _ = run(capsys, "export", "--sidecars")
    assert f"left out  {sidecar}: Anna, since the file has Cla\\x9bra" in out  # nothing for the terminal to obey
    sidecar.write_bytes(b"no XML")
    out, messages = run(capsys, "export", "--sidecars", code=1)
    assert f"faceie: {sidecar}: it is not well-formed XML" in messages
    assert sidecar.read_bytes() == b"no XML"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--sidecars", "--to", "x"],
        ["--sidecars", "--embed"],
        ["--sidecars", "--all", "--remove"],
        ["--sidecars", "--all", "--min-probability", "2"],
    ],
)
def test_wrong_command_lines(album: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        raise SystemExit(cli.main(["people", "export", *arguments]))
    assert end.value.code == 2
    assert not list(album.glob("*.xmp"))


def test_export_without_exiftool(
    album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "exiftool is not installed" in run(capsys, "export", "--embed", code=1)[1]


@links
def test_links(album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = tmp_path / "people"
    assert run(capsys, "links", people, "--dry-run")[0] == "1 person: 1 new link, 0 removed, 0 unchanged\n"
    assert run(capsys, "links", people)[0] == "1 person: 1 new link, 0 removed, 0 unchanged\n"
    assert (people / "Anna" / "a.jpg").resolve() == (album / "a.jpg").resolve()
    assert run(capsys, "links", people, "--copy")[0] == "1 person: 1 new copy, 1 removed, 0 unchanged\n"
    (album / "a.jpg").unlink()
    out, _ = run(capsys, "links", tmp_path / "other", "--json", code=1)
    assert json.loads(out) == {
        "dry_run": False,
        "people": 1,
        "made": 0,
        "removed": 0,
        "unchanged": 0,
        "problems": [{"path": str(album / "a.jpg"), "reason": "No such file or directory"}],
    }
