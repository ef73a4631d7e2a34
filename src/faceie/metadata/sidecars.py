"""Sidecars: files beside photos, with names of people. They are merged, replaced at once, and never left empty."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from ..errors import MetadataError
from ..files import replacing
from ..images.formats import SUFFIXES
from .frames import StoredFrame
from .merge import NamedFace, merge
from .record import may_have_record
from .xmp import photo_packets, read_file

__all__ = ["Action", "Update", "hidden_packets", "may_have_names", "sidecar_of", "update_sidecar"]

#: Effect on a file.
Action: TypeAlias = Literal["written", "removed", "unchanged"]

_SUFFIXES = (".xmp", ".XMP")


class Update(NamedTuple):
    """Result of an update of a sidecar or a photo."""

    action: Action
    """"removed" if the last name was removed, whether or not the file is gone."""
    conflicts: list[tuple[str, str]]
    """As in `merge.Merged`."""


def sidecar_of(photo: Path) -> Path:
    """Return the sidecar of a photo with its full name: ``photo.jpg.xmp``, or ``photo.jpg.XMP`` if only that exists."""
    names = [photo.with_name(photo.name + suffix) for suffix in _SUFFIXES]
    return next((name for name in names if os.path.lexists(name)), names[0])


def hidden_packets(photo: Path, target: Path) -> list[bytes]:
    """Return the XMP of a photo that readers ignore once the target has the same properties, most important first."""
    packets = list[bytes]()
    short = photo.with_suffix(".xmp")
    for path in (sidecar_of(photo), short):
        if path != target and path.exists() and not (path == short and _has_twin(photo)):
            with suppress(MetadataError):
                packets.append(read_file(path))
    with suppress(MetadataError):
        packets += photo_packets(photo)
    return packets


def _has_twin(photo: Path) -> bool:
    """Tell whether another photo in the folder has the same name except for its suffix."""
    twins = photo.parent.glob(f"{glob.escape(photo.stem)}.*")
    return any(twin != photo and twin.suffix.lower() in SUFFIXES for twin in twins)


def may_have_names(path: Path) -> bool:
    """Tell whether a sidecar may hold names that Faceie has written. Raises MetadataError if it cannot be read."""
    if not os.path.lexists(path):
        return False
    return may_have_record(read_file(path))


def update_sidecar(
    path: Path, faces: Sequence[NamedFace], frame: StoredFrame | None, hidden: Iterable[bytes] = (), *, dry_run: bool
) -> Update:
    """Merge named faces into a sidecar, or, without any, remove Faceie's names from it.

    See `merge`. A sidecar that Faceie has made and that has nothing else is deleted. Raises MetadataError and OSError.
    """
    path = Path(os.path.realpath(path))
    version = _version(path)
    content = read_file(path) if version else None
    merged = merge(content, faces, frame, hidden)
    if merged.content == content:
        return Update("unchanged", merged.conflicts)
    if content is not None and not os.access(path, os.W_OK):  # it could be replaced nevertheless
        raise MetadataError("it is write-protected")
    if not dry_run and merged.content is None:
        path.unlink()
    elif not dry_run and merged.content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, merged.content, version)
    return Update("written" if merged.has_names else "removed", merged.conflicts)


def _version(path: Path) -> tuple[int, int] | None:
    """Return size and time of change of a file, or None if there is no such file."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_size, about.st_mtime_ns


def _replace(path: Path, content: bytes, version: tuple[int, int] | None) -> None:
    with replacing(path) as file:
        file.write(content)
        if _version(path) != version:
            raise MetadataError("another program has changed it; run the command again")
        with suppress(OSError):  # keep the permissions of the former file, if there is one
            os.chmod(file.name, stat.S_IMODE(path.stat().st_mode))  # noqa: PTH101
