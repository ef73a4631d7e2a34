"""Picasa's file in a folder, and its contacts."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceie.metadata.picasa import named_faces, read_contacts, read_folder

ANNA, BEN, UNNAMED = "8e62b2035b74b477", "0a1", "ffffffffffffffff"
RECTANGLE = "3f845bcb59418507"


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Picasa is not installed."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / ".picasa.ini"
    path.write_bytes(text.encode(encoding))
    return path


def contacts(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<contacts>{text}</contacts>\n', "utf-8")


def test_faces_of_a_photo(tmp_path: Path) -> None:
    """Areas are fractions of 65535, names are in the section of contacts, a number without one is no name."""
    text = (
        f"[Picasa]\nname=x\n[Contacts2]\n{ANNA}=Anna Müller;anna@example.org;\r\n0{BEN}=Ben;;\n"
        f"[Party.JPG]\nbackuphash=1\nfaces=rect64({RECTANGLE}),{ANNA};rect64({RECTANGLE}),{UNNAMED};"
        f"rect64(1000200030004),{BEN}\n[.album:1]\nfaces=x\n"
    )
    for encoding in ("utf-8", "utf-8-sig", "cp1252"):
        folder = read_folder(write(tmp_path, text, encoding))
        (anna, name), (ben, other) = named_faces(folder, "party.jpg")
        assert (name, other) == ("Anna Müller", "Ben")
        assert anna == pytest.approx([0x3F84 / 65535, 0x5BCB / 65535, 0x5941 / 65535, 0x8507 / 65535])
        assert ben == pytest.approx([1 / 65535, 2 / 65535, 3 / 65535, 4 / 65535])  # zeros at the front are dropped
        assert named_faces(folder, "other.jpg") == []


def test_contacts_in_their_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that the folder lacks are in a file near it, or where Picasa keeps it."""
    album = tmp_path / "photos" / "2012"
    album.mkdir(parents=True)
    folder = read_folder(write(album, f"[a.jpg]\nfaces=rect64({RECTANGLE}),{ANNA};rect64({RECTANGLE}),{BEN};"))
    assert named_faces(folder, "a.jpg", read_contacts(album)) == []
    contacts(tmp_path / "photos" / "contacts.xml", f'<contact id="{ANNA}" name="Anna" display="A" modified_time="x"/>')
    program = tmp_path / "home" / "AppData/Local/Google/Picasa2/contacts"
    contacts(
        program / "contacts.xml", f'<contact id="{BEN}" name="" display="Ben &amp; Co"/><contact id="{ANNA}" name="X"/>'
    )
    names = [name for _, name in named_faces(folder, "a.jpg", read_contacts(album))]
    assert names == ["Anna", "Ben & Co"]


def test_damaged_files(tmp_path: Path) -> None:
    """Lines that make no sense are left out, contacts that are hostile, too."""
    text = (
        f"faces=rect64({RECTANGLE}),{ANNA}\n[\n]\n=\n[Contacts2]\nx\n{ANNA}=Anna\n[a.jpg]\n"
        f"faces=rect64(xyz),{ANNA};rect64(),{ANNA};rect64(0),{ANNA};rect64({RECTANGLE}){ANNA};rect64({RECTANGLE}),{ANNA}\n"
    )
    folder = read_folder(write(tmp_path, text))
    assert [name for _, name in named_faces(folder, "a.jpg")] == ["Anna"]
    (tmp_path / "contacts.xml").write_text('<!DOCTYPE contacts [<!ENTITY e "x">]><contacts/>')
    assert read_contacts(tmp_path) == {}
