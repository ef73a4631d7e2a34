"""All sources of names for a photo, first to last.

1. the sidecar ``photo.jpg.xmp``
2. the sidecar ``photo.xmp``, which may belong to another photo of this name
3. the packet in the photo
4. Picasa's ``.picasa.ini`` in the folder
5. Google's JSON file beside the photo: names without regions

Regions are those of the first source that has any. Names without regions are those of the first of 1 to 3 that names
anybody, and those of 5. So a program that moves or deletes a region in a sidecar is believed, whatever the photo says.
A source that cannot be read is told, and the others count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ..errors import FaceieError, MetadataError
from ..images.formats import SUFFIXES
from . import namespaces as ns
from .frames import StoredFrame, stored_frame
from .picasa import FILES, PicasaFolder, named_faces, read_contacts, read_folder
from .rdf import Properties, text
from .regions import Region, read_names, read_regions
from .takeout import TakeoutFolder, read_people
from .xmp import parse_xml, photo_packets, read_file

__all__ = ["NameReader", "PhotoNames", "Problem"]

_DEVELOPED = ("photo", "heif", "avif")


class Problem(NamedTuple):
    """A source of names that cannot be used."""

    path: Path
    reason: str


class PhotoNames(NamedTuple):
    """The names of the people in a photo."""

    frame: StoredFrame | None
    """The frame to which the regions refer. None without regions."""
    regions: list[Region]
    names: list[str]
    """Names without regions; those of the regions may be among them."""
    problems: list[Problem]


class _Folder(NamedTuple):
    """A folder of photos: its files, and the names in files that belong to all of them."""

    files: dict[str, list[str]]
    """The names of files, by their names in small letters."""
    developed: dict[str, list[str]]
    """The names of photos, without RAW files, by their stems in small letters."""
    picasa: PicasaFolder
    takeout: TakeoutFolder
    problems: list[Problem]


class NameReader:
    """A reader of the names in photos and in the files beside them.

    Parameters
    ----------
    photos : iterable of Path
        All photos that will be read. Picasa's contacts in one of their folders count for the others.
    """

    def __init__(self, photos: Iterable[Path]) -> None:
        self._folders = {folder: _read_folder(folder) for folder in {photo.parent: None for photo in photos}}
        self._contacts: dict[str, str] = {}
        for folder in self._folders.values():
            self._contacts = {**folder.picasa.contacts, **self._contacts}
        self._files_of_contacts: dict[Path, dict[str, str]] = {}

    @property
    def problems(self) -> list[Problem]:
        """Problems with files that belong to a whole folder."""
        return [problem for folder in self._folders.values() for problem in folder.problems]

    def read(self, photo: Path) -> PhotoNames:
        """Read all sources of names for a photo. Errors are part of the result."""
        folder = self._folders[photo.parent]
        problems: list[Problem] = []
        regions: list[Region] = []
        names: list[str] = []
        try:
            frame = stored_frame(photo)
        except FaceieError as error:
            reason = str(error).removeprefix(f"{photo}: ")
            return PhotoNames(None, [], [], [Problem(photo, reason)])
        for source, packets in _sources(photo, folder):
            with _telling(source, problems):
                roots: list[Element] = []
                for packet in packets():
                    with _telling(source, problems):  # a damaged extension does not hide the main packet
                        roots.append(parse_xml(packet))
                properties = Properties(roots)
                if _belongs(properties, source, photo, folder):
                    found = read_regions(properties, frame.size)
                    names = names or read_names(properties) or [region.name for region in found]
                    regions = regions or found
        regions = regions or self._of_picasa(photo, frame)
        if json := folder.takeout.find(photo.name):
            with _telling(json, problems):
                names = [*names, *read_people(json)]
        return PhotoNames(frame, regions, list(dict.fromkeys(names)), problems)

    def _of_picasa(self, photo: Path, frame: StoredFrame) -> list[Region]:
        """Return the regions in the file of Picasa."""
        folder, place = self._folders[photo.parent], photo.parent
        if not folder.picasa.faces.get(photo.name.casefold()):
            return []
        if place not in self._files_of_contacts:
            self._files_of_contacts[place] = read_contacts(place)
        found = named_faces(folder.picasa, photo.name, self._files_of_contacts[place], self._contacts)
        is_raw = SUFFIXES.get(photo.suffix.lower()) == "raw"  # of which Picasa's areas are upright
        return [Region(name, frame.to_stored(area) if is_raw else area) for area, name in found]


def _read_folder(folder: Path) -> _Folder:
    files: dict[str, list[str]] = {}
    developed: dict[str, list[str]] = {}
    problems: list[Problem] = []
    picasa = PicasaFolder({}, {})
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        names = []
        problems.append(Problem(folder, f"it cannot be listed: {error.strerror or error}"))
    for name in names:
        files.setdefault(name.casefold(), []).append(name)
        path = Path(name)
        if SUFFIXES.get(path.suffix.lower()) in _DEVELOPED:
            developed.setdefault(path.stem.casefold(), []).append(name)
    for name in (name for kind in FILES for name in files.get(kind, ())):
        with _telling(folder / name, problems):
            picasa = read_folder(folder / name)
            break
    return _Folder(files, developed, picasa, TakeoutFolder(folder, names), problems)


@contextmanager
def _telling(source: Path, problems: list[Problem]) -> Iterator[None]:
    """Record the error of a source that cannot be read."""
    try:
        yield
    except MetadataError as error:
        problems.append(Problem(source, str(error)))


def _sources(photo: Path, folder: _Folder) -> Iterator[tuple[Path, Callable[[], list[bytes]]]]:
    """Yield the files that may hold XMP about a photo, each with a function that reads its packets."""
    for name in (f"{photo.name}.xmp", f"{photo.stem}.xmp"):
        found = folder.files.get(name.casefold(), [])
        if found:
            sidecar = photo.with_name(name if name in found else found[0])
            yield sidecar, lambda: [read_file(sidecar)]  # noqa: B023  # called before the next one is yielded
    yield photo, lambda: photo_packets(photo)


def _belongs(properties: Properties, source: Path, photo: Path, folder: _Folder) -> bool:
    """Tell whether a source is about a photo. Raises MetadataError if it may be about another one.

    A sidecar without the photo's extension may belong to any photo of this name. Cameras that write a RAW file and a
    JPEG take them of one scene, so the sidecar counts for both.
    """
    if source == photo or source.stem.casefold() == photo.name.casefold():
        return True
    raw = SUFFIXES.get(photo.suffix.lower()) == "raw"
    extension = text(properties.get(ns.PHOTOSHOP, "SidecarForExtension")).lower()
    if extension:
        return f".{extension}" == photo.suffix.lower() or (not raw and SUFFIXES.get(f".{extension}") == "raw")
    twins = folder.developed.get(photo.stem.casefold(), [])
    if raw or len(twins) < 2:
        return True
    raise MetadataError(
        f"it may belong to {' or to '.join(sorted(twins))}, so it is left alone; name it {photo.name}.xmp to use it"
    )
