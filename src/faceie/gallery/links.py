"""Folders of links to photos, or of copies, one for each person, kept up to date.

A list in the folder names the links that Faceie has made, each with its photo, and the size and time of a copy. Links
are listed before they are made. So a file that is not listed is not Faceie's, nor is a listed one with another target,
size or time. Such files are never changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from ..errors import FaceieError
from ..files import remove_stale_drafts, replacing
from .reports import BadPhoto
from .store import Store

__all__ = ["LinkReport", "link_people", "safe_name"]

_LIST = ".faceie-links.json"
_COARSEST = 2 * 10**9  # nanoseconds: FAT stores even seconds
_BLOCK = 1 << 20
_LONGEST = 200  # bytes of a name; a number follows, and file systems allow 255
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')  # on Windows, or in UTF-8
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows


class LinkReport(NamedTuple):
    """Result of `Gallery.link_people`.

    Attributes
    ----------
    people : int
        People with a folder.
    made : int
        New links or copies.
    removed : int
        Links or copies that were removed, since their photos no longer show the person.
    unchanged : int
        Links or copies that were there already.
    problems : list of BadPhoto
        Photos that are missing, and links or copies that could not be made or removed.
    """

    people: int
    made: int
    removed: int
    unchanged: int
    problems: list[BadPhoto]


def link_people(store: Store, folder: Path, *, copy: bool, dry_run: bool) -> LinkReport:
    """Bring the folders of all people up to date (see `Gallery.link_people`)."""
    with store.snapshot():
        people, files = store.exports.people(), store.exports.files()
    paths: dict[int, tuple[Path, ...]] = {}
    for file in files:
        if folder not in file.path.parents:  # copies may lie in an indexed folder
            paths[file.photo] = (*paths.get(file.photo, ()), file.path)
    names = {row.person: row.name for row in people if row.photo in paths}
    taken: set[str] = set()
    folders = {person: free_name(safe_name(name), taken) for person, name in sorted(names.items())}
    shown = sorted({(folders[row.person], paths[row.photo]) for row in people if row.photo in paths})
    run = _Run(folder, copy=copy, dry_run=dry_run)
    return run.work(len(folders), [(place, next(filter(Path.exists, photos), photos[0])) for place, photos in shown])


def safe_name(name: str) -> str:
    """Return a name that all file systems accept, Windows included."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name)).rstrip(". ")
    if not name.strip(".") or _DEVICES.fullmatch(name):
        name = f"{name}_"
    while len(name.encode()) > _LONGEST:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem[:-1]}{dot}{suffix}" if stem and len(suffix) < len(stem) else name[:-1]
    return name


class _Link(NamedTuple):
    """A link or copy, as the list names it."""

    photo: str
    copy: tuple[int, int] | None
    """Size of a copy, and its time of change in nanoseconds, which are those of the photo. None for a link."""


class _Run:
    """An update of the folders."""

    def __init__(self, folder: Path, *, copy: bool, dry_run: bool) -> None:
        self._folder = folder
        self._copy = copy
        self._dry_run = dry_run
        self._listed = _read_list(folder)
        self._problems: list[BadPhoto] = []

    def work(self, people: int, shown: Iterable[tuple[str, Path]]) -> LinkReport:
        """Bring the folders up to date: remove, list, make. `shown`: pairs of a person's folder and a photo."""
        wanted = self._choose_names(shown)
        stale = [name for name, link in self._listed.items() if wanted.get(name) != link and self._is_ours(name)]
        kept = {name: link for name, link in wanted.items() if self._listed.get(name) == link and self._is_ours(name)}
        new = {name: link for name, link in wanted.items() if name not in kept}
        if self._dry_run:
            return LinkReport(people, len(new), len(stale), len(kept), self._problems)
        remove_stale_drafts(self._folder / name for name in [*self._listed, _LIST])
        removed = sum(map(self._remove, stale))
        failed = {name: self._listed[name] for name in stale if os.path.lexists(self._folder / name)}
        self._write_list({**failed, **wanted})
        made = sum(self._make(name, link) for name, link in new.items())
        return LinkReport(people, made, removed, len(kept), self._problems)

    def _choose_names(self, shown: Iterable[tuple[str, Path]]) -> dict[str, _Link]:
        """Choose a name for each link: that of the last run if there is one."""
        former = {(name.partition("/")[0], link.photo): name for name, link in self._listed.items()}
        wanted: dict[str, _Link] = {}
        taken: set[str] = set()
        waiting: list[tuple[str, _Link]] = []
        for place, photo in shown:
            name = former.get((place, os.fspath(photo)))
            link = self._link(photo, name)
            if link is None:
                continue
            if name is not None and self._is_usable(name) and name.casefold() not in taken:
                wanted[name] = link
                taken.add(name.casefold())
            else:
                waiting.append((f"{place}/{safe_name(photo.name)}", link))
        for name, link in waiting:
            wanted[free_name(name, taken, self._is_usable)] = link
        return wanted

    def _link(self, photo: Path, name: str | None) -> _Link | None:
        """Return the link to a photo. Return None if the photo is missing, unless there is a link with this name."""
        try:
            about = photo.stat()
        except OSError as error:
            if name is not None and self._is_ours(name):
                return self._listed[name]
            self._problems.append(BadPhoto(photo, error.strerror or str(error)))
            return None
        return _Link(os.fspath(photo), (about.st_size, about.st_mtime_ns) if self._copy else None)

    def _is_usable(self, name: str) -> bool:
        """Tell whether a name is free, or that of one of Faceie's links."""
        return not os.path.lexists(self._folder / name) or self._is_ours(name)

    def _is_ours(self, name: str) -> bool:
        """Tell whether a listed link or copy is there, as it was made."""
        link, path = self._listed.get(name), self._folder / name
        try:
            if link is None or not link.copy:
                return link is not None and _target(path) == link.photo
            about = path.lstat()
        except (OSError, ValueError):
            return False
        size, modified = link.copy
        is_same = about.st_size == size and abs(about.st_mtime_ns - modified) <= _COARSEST
        return stat.S_ISREG(about.st_mode) and is_same

    def _remove(self, name: str) -> bool:
        """Remove a link or copy, and its folder if that is empty then."""
        path = self._folder / name
        try:
            path.unlink()
        except OSError as error:
            self._problems.append(BadPhoto(path, error.strerror or str(error)))
            return False
        with suppress(OSError):  # others have put files there
            path.parent.rmdir()
        return True

    def _make(self, name: str, link: _Link) -> bool:
        """Make a link or copy."""
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if link.copy is None:
                os.symlink(link.photo, path)  # noqa: PTH211  # the text, as it is stored
            else:
                with open(link.photo, "rb") as photo, replacing(path) as file:  # noqa: PTH123
                    shutil.copyfileobj(photo, file, _BLOCK)
                    file.flush()
                    os.utime(file.name, ns=(link.copy[1], link.copy[1]))
        except OSError as error:
            advice = "" if self._copy else "; where links are impossible, copies may work: copy=True"
            self._problems.append(BadPhoto(path, f"{error.strerror or error}{advice}"))
            return False
        return True

    def _write_list(self, links: Mapping[str, _Link]) -> None:
        """Write the list if it has changed, or delete it if it is empty."""
        path = self._folder / _LIST
        if links == self._listed:
            return
        if not links:
            path.unlink(missing_ok=True)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with replacing(path, private=True) as file:
            file.write(json.dumps({"links": links}, indent=1).encode())


def _target(link: Path) -> str:
    """Return the target of a link, as it was given."""
    return os.readlink(link).removeprefix("\\\\?\\")  # noqa: PTH115  # the prefix is Windows' own


def free_name(name: str, taken: set[str], is_usable: Callable[[str], bool] = lambda name: True) -> str:
    """Return the name, or one with a number if it is taken in any case, and take it."""
    stem, suffix = os.path.splitext(name) if "/" in name else (name, "")  # noqa: PTH122  # a folder has no suffix
    numbered = (f"{stem} ({number}){suffix}" for number in count(2))
    free = next(one for one in chain([name], numbered) if one.casefold() not in taken and is_usable(one))
    taken.add(free.casefold())
    return free


def _read_list(folder: Path) -> dict[str, _Link]:
    """Read the list of links. Raises FaceieError if it is damaged."""
    path = folder / _LIST
    try:
        links = json.loads(path.read_bytes())["links"]
        return {
            name: _Link(str(photo), (int(copy[0]), int(copy[1])) if copy else None)
            for name, (photo, copy) in links.items()
            if name.count("/") == 1 and ".." not in name.split("/")
        }
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaceieError(
            f"{path}: this list of links is damaged, so links of former runs cannot be told from other files. "
            "Delete it to make all links anew, or use another folder"
        ) from error
