"""Picasa's names: a file ``.picasa.ini`` in each folder, and a file of contacts.

    [Contacts2]
    8e62b2035b74b477=Anna Example;;
    [party.jpg]
    faces=rect64(3f845bcb59418507),8e62b2035b74b477;rect64(...),ffffffffffffffff

``rect64`` holds left, top, right and bottom, 16 bits each, as fractions of 65535, without leading zeros. The area is of
the photo as stored; that of a RAW photo is of the upright photo. A number without a contact, such as the last one,
stands for a face without a name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import MetadataError
from .frames import Area
from .texts import clean_name
from .xmp import parse_xml, read_file

__all__ = ["FILES", "PicasaFolder", "named_faces", "read_contacts", "read_folder"]

#: Names of Picasa's file in a folder, in small letters.
FILES = (".picasa.ini", "picasa.ini")

_CONTACTS = ("contacts.xml", "contacts/contacts.xml")
_ABOVE = 8  # folders above a photo's in which contacts are looked for

# Where Picasa keeps its contacts: on Windows, macOS, and Linux by Wine.
_PROGRAM = (
    "AppData/Local/Google/Picasa2/contacts",
    "Local Settings/Application Data/Google/Picasa2/contacts",
    "Library/Application Support/Google/Picasa3/contacts",
    ".google/picasa/3.0/drive_c/users/*/AppData/Local/Google/Picasa2/contacts",
    ".google/picasa/3.0/drive_c/Documents and Settings/*/Local Settings/Application Data/Google/Picasa2/contacts",
)

_SECTION = re.compile(r"\s*\[(.+)\]\s*")
_FACE = re.compile(r"rect64\(([0-9a-f]{1,16})\)\s*,\s*([0-9a-f]{1,16})", re.IGNORECASE)


class PicasaFolder(NamedTuple):
    """The contents of a ``.picasa.ini``."""

    faces: dict[str, list[tuple[Area, str]]]
    """By the name of the photo in small letters: areas, and the contact of each."""
    contacts: dict[str, str]
    """Names of contacts."""


def read_folder(path: Path) -> PicasaFolder:
    """Read a ``.picasa.ini``. Raises MetadataError if it cannot be read."""
    content = read_file(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:  # of an old version, in the alphabet of the system
        text = content.decode("cp1252", "replace")
    folder = PicasaFolder({}, {})
    section = ""
    for line in text.splitlines():
        if match := _SECTION.fullmatch(line):
            section = match[1].casefold()
            continue
        key, _, value = line.partition("=")
        if section in ("contacts", "contacts2"):
            if name := clean_name(value.split(";")[0]):
                folder.contacts.setdefault(_contact(key), name)
        elif key.strip().lower() == "faces":
            found = ((_area(match[1]), _contact(match[2])) for match in _FACE.finditer(value))
            folder.faces[section] = [(area, contact) for area, contact in found if area]
    return folder


def named_faces(folder: PicasaFolder, photo: str, *contacts: Mapping[str, str]) -> list[tuple[Area, str]]:
    """Return the areas and names of a photo's faces. Names missing in the folder are looked for in `contacts`."""
    found = []
    for area, contact in folder.faces.get(photo.casefold(), []):
        names = (known[contact] for known in (folder.contacts, *contacts) if contact in known)
        if name := next(names, None):
            found.append((area, name))
    return found


def read_contacts(folder: Path) -> dict[str, str]:
    """Return the names of contacts in the files that belong to a folder of photos: near it, and those of Picasa."""
    near = [folder, *folder.parents][: _ABOVE + 1]
    files = [above / name for above in near for name in _CONTACTS]
    files += [file / "contacts.xml" for pattern in _PROGRAM for file in sorted(_home().glob(pattern))]
    names: dict[str, str] = {}
    for file in files:
        if not file.is_file():
            continue
        try:
            root = parse_xml(read_file(file))
        except MetadataError:  # of another program, perhaps
            continue
        for contact in root.iter("contact"):
            if name := clean_name(contact.get("name") or contact.get("display") or ""):
                names.setdefault(_contact(contact.get("id", "")), name)
    return names


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111  # unlike Path.home, never raises


def _contact(text: str) -> str:
    """Return the number of a contact in one form: files differ in leading zeros."""
    return text.strip().lower().lstrip("0")


def _area(rectangle: str) -> Area | None:
    digits = rectangle.rjust(16, "0")
    left, top, right, bottom = (int(digits[at : at + 4], 16) / 65535 for at in range(0, 16, 4))
    return (left, top, right, bottom) if left < right and top < bottom else None
