"""Search of folders for photos, with a count of similar files that were left out."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from .exclude import Excluded
from .formats import START, SUFFIXES, avif_is_readable, heif_is_readable, identify, raw_is_readable
from .system_folders import is_derived

__all__ = ["FoundPhotos", "Photo", "photo_suffixes", "search_folders"]

# Formats that Pillow recognizes, but that are not photos or need another program.
_NO_PHOTOS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}

# Suffixes of files that are certainly not photos under another name. Those of others are identified by contents.
_OTHERS_TEXT = (
    "aac aae cfg css csv dat db dll doc docx eps exe faceie flac gz htm html ini iso jar java js json log lrcat lrprev "
    "m3u m4a matrix md mp3 mpeg mpg odt ogg pdf pickle ppt pptx ps py pyc rar rtf safetensors so sql sqlite srt svg "
    "tar thm tmp ts txt wav xls xlsx xml xmp yaml yml zip 7z"
)
_OTHERS = frozenset(_OTHERS_TEXT.split())
_SNIFFED = ("photo", "heif", "avif")  # families that are recognized under any name
_PAIRED = ("photo", "heif", "avif")  # families that a RAW photo or a video may belong to

_RAW_PAIR = re.compile(r"\.RAW-\d+.*$", re.IGNORECASE)  # of Pixel phones: PXL_1.RAW-01.COVER.jpg, .RAW-02.ORIGINAL.dng

# Counted files by family: singular, plural, and a remedy.
_PASSED_OVER = {
    "heif": ("HEIC photo", "HEIC photos", "to read {them}: pip install pillow-heif"),
    "avif": ("AVIF photo", "AVIF photos", "to read {them}: pip install 'pillow>=11.3'"),
    "raw": ("RAW photo", "RAW photos", "to search {their} preview{s}: pip install rawpy"),
    "jxl": ("JPEG XL photo", "JPEG XL photos", "save {them} as JPEG to search {them}"),
    "psd": ("Photoshop file", "Photoshop files", "save {them} as JPEG to search {them}"),
    "video": ("video", "videos", "only photos are searched"),
}


class Photo(NamedTuple):
    """A photo on disk."""

    path: Path
    relative: Path
    """The path relative to the searched folder; the name alone if the photo was given by itself."""


class FoundPhotos(NamedTuple):
    """The result of a search in folders."""

    photos: list[Photo]
    problems: list[str]
    """Sentences about folders that cannot be read, or have no photos."""
    passed_over: list[str]
    """Sentences with counts of files and folders that were left out, which is not an error."""


def search_folders(paths: Iterable[Path], *, exclude: Iterable[str] = (), follow_links: bool = False) -> FoundPhotos:
    """Return the photos among these paths and in these folders, with problems and omissions.

    Folders are searched at any depth, in alphabetical order. Photos are files with the suffix of a format that Faceie
    can open, or with the contents of a photo under an unknown suffix. Of a RAW file and a JPEG or HEIC with the same
    name, the latter counts. Hidden files and folders, folders of systems (`faceie.images.system_folders`), and folders
    with a file ``.nomedia`` are left out. Paths that are not folders count as photos, whatever their names.

    `exclude`: patterns as in ``.gitignore`` (`faceie.images.exclude`), relative to each folder that is given.
    `follow_links`: search the folders that links lead to, too, each of them once.
    """
    search = _Search(Excluded(exclude), follow_links)
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112  # unlike Path.is_dir, never raises
            search.add_folder(path)
        else:
            search.photos.append(Photo(path, Path(path.name)))
    return FoundPhotos(search.photos, search.problems, search.passed_over())


def photo_suffixes() -> set[str]:
    """Return the suffixes of photos that Faceie can open with the installed packages, in lower case, with the dot."""
    formats = Image.registered_extensions()  # after Image.init(), which this calls
    suffixes = {suffix for suffix, format in formats.items() if format in Image.OPEN and format not in _NO_PHOTOS}
    readable = {"photo": True, "heif": heif_is_readable(), "avif": avif_is_readable(), "raw": raw_is_readable()}
    return suffixes.union(suffix for suffix, family in SUFFIXES.items() if readable.get(family))


class _Search:
    """A search and its results so far."""

    def __init__(self, excluded: Excluded, follow_links: bool) -> None:
        self.photos: list[Photo] = []
        self.problems: list[str] = []
        self._excluded = excluded
        self._follow_links = follow_links
        self._suffixes = photo_suffixes()
        self._counts: Counter[str] = Counter()
        self._derived: list[str] = []
        self._links = 0
        self._visited: set[tuple[int, int] | str] = set()

    def add_folder(self, top: Path) -> None:
        """Search a folder: first its own contents, then the folders that links lead to."""
        photos, problems = len(self.photos), len(self.problems)
        unreadable = self._counts.total()
        waiting = [(str(top), "")]
        links: list[tuple[str, str]] = []
        while waiting or links:
            if not waiting:
                waiting.append(links.pop(0))
                if _identity(waiting[0][0]) in self._visited:
                    waiting.clear()
                    continue
            folder, place = waiting.pop()
            if self._follow_links:
                self._visited.add(_identity(folder))
            folders, linked = self._list(top, folder, place)
            waiting += reversed(folders)
            links += linked if self._follow_links else []
            self._links += 0 if self._follow_links else len(linked)
        if len(self.photos) == photos and len(self.problems) == problems:
            more = " that can be read" if self._counts.total() > unreadable else ""
            self.problems.append(f"{top}: there is no photo{more} in this folder")

    def _list(self, top: Path, folder: str, place: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Collect the photos in one folder; return its folders and its links to folders."""
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.problems.append(f"{error.filename or folder}: {error.strerror}")
            return [], []
        if place and any(entry.name == ".nomedia" for entry in found):
            self._derived.append(".nomedia")
            return [], []
        files: list[os.DirEntry[str]] = []
        folders: list[tuple[str, str]] = []
        links: list[tuple[str, str]] = []
        for entry in found:
            inside = f"{place}/{entry.name}" if place else entry.name
            is_folder = _is_folder(entry)
            if entry.name.startswith(".") or self._excluded(inside, is_folder=is_folder):
                continue
            if not is_folder:
                files.append(entry)
            elif is_derived(os.path.basename(folder), entry.name):  # noqa: PTH119
                self._derived.append(entry.name)
            else:
                (links if _is_link(entry) else folders).append((entry.path, inside))
        for entry in self._photos(files):
            self.photos.append(Photo(Path(entry.path), Path(place, entry.name)))
        return folders, links

    def _photos(self, files: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
        """Yield the photos among the files of a folder; count similar files."""
        families = [(entry, self._family(entry)) for entry in files]
        stills = {_stem(entry.name) for entry, family in families if family in _PAIRED}
        readable = {_stem(entry.name) for entry, family in families if family in _PAIRED and self._reads(entry, family)}
        for entry, family in families:
            is_half = _stem(entry.name) in {"raw": readable, "video": stills}.get(family, ())
            if not family or is_half:
                continue
            if self._reads(entry, family):
                yield entry
            else:
                self._counts[family] += 1

    def _reads(self, entry: os.DirEntry[str], family: str) -> bool:
        return family == "photo" or os.path.splitext(entry.name)[1].lower() in self._suffixes  # noqa: PTH122

    def _family(self, entry: os.DirEntry[str]) -> str:
        """Return the family of a file: by its suffix, or, if that is unknown or not readable, by its contents."""
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
        family = SUFFIXES.get(suffix, "photo" if suffix in self._suffixes else "")
        if (suffix in self._suffixes and suffix) or suffix.removeprefix(".") in _OTHERS:
            return family if _is_file(entry) else ""
        if not _is_file(entry):
            return ""
        found = _contents(entry.path)
        if found in _SNIFFED and not (found == "heif" and not heif_is_readable()):
            return "photo" if found != "avif" or ".avif" in self._suffixes else "avif"
        return family or (found if found in _SNIFFED else "")

    def passed_over(self) -> list[str]:
        """Return sentences with counts of files and folders that were left out."""
        sentences = []
        for family, (one, several, remedy) in _PASSED_OVER.items():
            if count := self._counts[family]:
                them, their, s = ("it", "its", "") if count == 1 else ("them", "their", "s")
                were = f"{count:,} {one} was" if count == 1 else f"{count:,} {several} were"
                sentences.append(f"{were} passed over; {remedy.format(them=them, their=their, s=s)}")
        if self._derived:
            names = ", ".join(dict.fromkeys(self._derived))
            count = len(self._derived)
            were = "1 folder was" if count == 1 else f"{count:,} folders were"
            sentences.append(
                f"{were} passed over that systems and programs keep for themselves ({names}); "
                "to search one, name it on its own"
            )
        if self._links:
            were = "1 link to a folder was" if self._links == 1 else f"{self._links:,} links to folders were"
            sentences.append(f"{were} not followed; to follow links: follow_links=True")
        return sentences


def _stem(name: str) -> str:
    return _RAW_PAIR.sub("", os.path.splitext(name)[0]).casefold()  # noqa: PTH122


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # of a link that leads nowhere, or to itself
        return entry.is_dir()
    return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return entry.is_file()
    return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a link, or a junction of Windows."""
    if entry.is_symlink():
        return True
    with suppress(OSError):
        about = entry.stat(follow_symlinks=False)
        return getattr(about, "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
    return False


def _identity(folder: str) -> tuple[int, int] | str:
    """Return a key that is the same for all paths of one folder."""
    try:
        about = os.stat(folder)  # noqa: PTH116  # there are many of them
    except OSError:
        return os.path.realpath(folder)
    return (about.st_dev, about.st_ino) if about.st_ino else os.path.realpath(folder)


def _contents(path: str) -> str:
    """Return the family of a file by its first bytes."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return identify(file.read(START)).family
    except OSError:
        return ""
