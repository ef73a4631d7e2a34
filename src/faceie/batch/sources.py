"""Photos in folders, and behind URLs, which fsspec opens: ``s3://``, ``https://`` and others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ..errors import FaceieError
from ..files import absolute_paths
from ..gallery.indexing import file_version
from ..gallery.reports import BadPhoto
from ..images.exclude import Excluded
from ..images.folders import photo_suffixes, search_folders

__all__ = ["Source", "find_photos", "is_url", "read", "without_scheme"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|memory:/")  # a single letter would be a drive of Windows


class Source(NamedTuple):
    """A photo to analyze."""

    path: str
    """Path or URL."""
    size: int | None = None
    modified: int | None = None
    """In nanoseconds."""
    changed: int | None = None
    """In nanoseconds."""


def is_url(path: str) -> bool:
    """Tell whether fsspec opens a path."""
    return _URL.match(path) is not None


def without_scheme(path: str) -> str:
    """Return a path as it is, or the path in a name of Hadoop, such as ``file:/photo.jpg``."""
    return re.sub(r"^file:(//)?(?=/[^/])", "", path)


def read(path: str) -> bytes:
    """Return the contents of a photo. Raises OSError, and FaceieError if fsspec is needed and not installed."""
    if not is_url(path):
        file_version(path)  # opening a pipe would wait for its other end
        return Path(path).read_bytes()
    system, inner = _system(path)
    return bytes(system.cat_file(inner))


def find_photos(
    tops: Iterable[str], *, exclude: Iterable[str], follow_links: bool
) -> tuple[list[Source], list[BadPhoto], list[str]]:
    """Return the photos in folders and below URLs, problems, and counts of files that were left out."""
    tops, patterns = list(tops), list(exclude)
    urls = list(filter(is_url, tops))
    local = absolute_paths([top for top in tops if not is_url(top)])
    found = search_folders(map(Path, local), exclude=patterns, follow_links=follow_links)
    photos: dict[str, Source] = {}
    problems = [BadPhoto(Path(), problem) for problem in found.problems]
    names = dict.fromkeys(str(photo.path) for photo in found.photos)
    for path in names:
        _add(photos, problems, Path(path), "", _local(path))
    for top in urls:
        _add(photos, problems, Path(), f"{top}: this URL", _list(top, patterns))
    return list(photos.values()), problems, list(found.passed_over)


def _add(
    photos: dict[str, Source], problems: list[BadPhoto], path: Path, subject: str, found: Iterator[Source]
) -> None:
    """Add the photos that are found, or the reason why they cannot be."""
    try:
        photos.update((photo.path, photo) for photo in found)
    except OSError as error:
        reason = error.strerror or f"{type(error).__name__}: {error}"
        problems.append(BadPhoto(path, reason if path.name else f"{subject} cannot be listed ({reason})"))


def _local(path: str) -> Iterator[Source]:
    """Yield a photo in a file."""
    yield Source(path, *file_version(path))


def _list(top: str, patterns: list[str]) -> Iterator[Source]:
    """Yield the photo behind a URL, or those below it, which are told by their suffixes."""
    system, inner = _system(top)
    suffixes, excluded = photo_suffixes(), Excluded(patterns)
    if PurePosixPath(inner.split("?")[0]).suffix.lower() in suffixes:
        yield Source(top, *_version(system.info(inner)))
        return
    for path, about in sorted(system.find(inner, detail=True).items()):
        relative = path.removeprefix(inner).strip("/")
        if PurePosixPath(path).suffix.lower() in suffixes and not excluded(relative, is_folder=False):
            yield Source(system.unstrip_protocol(path), *_version(about))


def _version(about: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the size, and the time of the last change in nanoseconds, as far as a file system knows them."""
    times = (about.get(name) for name in ("mtime", "LastModified", "last_modified", "created"))
    time = next((time for time in times if time is not None), None)
    seconds = time.timestamp() if isinstance(time, datetime) else time
    return about.get("size"), None if seconds is None else int(float(seconds) * 1e9)


def _system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    try:
        fsspec = import_module("fsspec.core")
    except ImportError as error:
        raise FaceieError(f"{url}: URLs need fsspec, which is not installed: pip install fsspec") from error
    try:
        system, inner = fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:  # each kind of URL has a package of its own
        raise FaceieError(f"{url}: fsspec cannot open it: {error}") from error
    return system, inner
