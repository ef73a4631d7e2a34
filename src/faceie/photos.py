"""Photos in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

__all__ = ["Photo", "find_photos", "photo_suffixes"]

# Formats that Pillow recognizes, but that are no photos or that it cannot read by itself.
_NO_PHOTOS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}


class Photo(NamedTuple):
    """A photo on disk."""

    path: Path
    place: Path
    """The path within the folder that was searched; the name alone if the photo was given by itself."""


def find_photos(paths: Iterable[Path]) -> tuple[list[Photo], list[str]]:
    """Return the photos that are given or in folders that are given, and what is wrong with folders.

    Folders are searched with all that they contain, in alphabetical order, for files with the suffix of a format that
    Pillow reads; hidden ones are skipped, and links to folders not followed. Other paths are taken for photos, whatever
    they are called.
    """
    photos: list[Photo] = []
    problems: list[str] = []
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112  # unlike Path.is_dir, never raises
            errors: list[OSError] = []
            found = list(_search(path, errors))
            problems += [f"{error.filename}: {error.strerror}" for error in errors]
            if not found and not errors:
                problems.append(f"{path}: there is no photo in this folder")
            photos += found
        else:
            photos.append(Photo(path, Path(path.name)))
    return photos, problems


def _search(top: Path, errors: list[OSError]) -> Iterator[Photo]:
    suffixes = photo_suffixes()
    for folder, folders, files in os.walk(top, onerror=errors.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            is_photo = path.suffix.lower() in suffixes and not name.startswith(".")
            if is_photo and os.path.isfile(path):  # noqa: PTH113  # as above
                yield Photo(path, path.relative_to(top))


def photo_suffixes() -> set[str]:
    """Return the suffixes of photos that Pillow reads, in small letters, with the dot."""
    formats = Image.registered_extensions()  # after Image.init(), which this calls
    return {suffix for suffix, format in formats.items() if format in Image.OPEN and format not in _NO_PHOTOS}
