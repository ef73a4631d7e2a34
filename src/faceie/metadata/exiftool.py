"""Names written into photos, by the program exiftool.

A copy of the photo is changed, in a folder beside it. The copy replaces the photo only if its pixels are the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import FaceieError, ImageError, MetadataError
from ..files import draft_prefix
from ..images import open_image
from ..images.formats import SUFFIXES
from .frames import StoredFrame
from .merge import NamedFace, merge
from .sidecars import Update
from .xmp import photo_packets

__all__ = ["changed_copy", "find_exiftool", "replace_photo"]

_SECONDS = 300  # for one photo
_NEEDS_SIDECARS = "write its names into a sidecar instead"


def find_exiftool() -> str:
    """Return the path of exiftool. Raises FaceieError if it is not installed."""
    path = shutil.which("exiftool")
    if path is None:
        raise FaceieError(
            "exiftool is not installed, which writes names into photos. Install it (Debian and Ubuntu: "
            "apt install libimage-exiftool-perl), or write sidecars instead"
        )
    return path


@contextmanager
def changed_copy(
    exiftool: str, photo: Path, faces: Sequence[NamedFace], frame: StoredFrame | None, *, dry_run: bool
) -> Iterator[tuple[Update, Path | None]]:
    """Yield the result of merging named faces into a photo, and its changed copy, which is deleted at the end.

    There is no copy if nothing changes, or in a dry run. Raises MetadataError, ImageError and OSError.
    """
    if SUFFIXES.get(photo.suffix.lower()) == "raw":
        raise MetadataError(f"it is a RAW photo; {_NEEDS_SIDECARS}")
    packets = photo_packets(photo)
    if len(packets) > 1:
        raise MetadataError(f"its metadata is in several parts; {_NEEDS_SIDECARS}")
    packet = packets[0].rstrip(b"\0") if packets else None
    merged = merge(packet, faces, frame)
    if merged.content == packet:
        yield Update("unchanged", merged.conflicts), None
        return
    update = Update("written" if merged.has_names else "removed", merged.conflicts)
    if dry_run:
        yield update, None
        return
    folder = Path(tempfile.mkdtemp(prefix=draft_prefix(photo), dir=photo.parent))
    try:
        copy = Path(shutil.copyfile(photo, folder / f"photo{photo.suffix}"))
        _write(exiftool, copy, merged.content)
        if not _has_same_pixels(photo, copy):
            raise MetadataError(f"exiftool would change its pixels; {_NEEDS_SIDECARS}")
        if not _is_complete(copy, faces, frame):
            raise MetadataError(f"its format cannot hold names that others read; {_NEEDS_SIDECARS}")
        _copy_rights(photo, copy)
        yield update, copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace_photo(photo: Path, copy: Path) -> None:
    """Replace a photo by its changed copy, at once."""
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    copy.replace(photo)


def _write(exiftool: str, copy: Path, packet: bytes | None) -> None:
    """Replace the XMP of a photo."""
    # Names without a folder, since exiftool gives a meaning to some characters of names.
    what = "-xmp:all="
    if packet is not None:
        copy.with_name("names.xmp").write_bytes(packet)
        what = "-xmp<=names.xmp"
    command = [exiftool, "-config", "", "-q", "-q", "-overwrite_original", what, copy.name]
    try:
        done = subprocess.run(command, cwd=copy.parent, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise MetadataError(f"exiftool took more than {_SECONDS} seconds") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").partition("\n")[0].removeprefix("Error: ")
        reason = said.removesuffix(f" - {copy.name}").strip() or f"exit code {done.returncode}"
        raise MetadataError(f"exiftool cannot write it: {reason}; {_NEEDS_SIDECARS}")


def _is_complete(photo: Path, faces: Sequence[NamedFace], frame: StoredFrame | None) -> bool:
    """Tell whether the names can be read again."""
    packets = photo_packets(photo)
    packet = packets[0] if packets else None
    return merge(packet, faces, frame).content == packet


def _has_same_pixels(photo: Path, copy: Path) -> bool:
    pixels = _pixels(photo)
    try:
        return _pixels(copy) == pixels
    except ImageError:
        return False


def _pixels(photo: Path) -> bytes:
    """Return a hash of the pixels of a photo."""
    return hashlib.sha256(open_image(photo, truncated=True).tobytes()).digest()


def _copy_rights(photo: Path, copy: Path) -> None:
    about = photo.stat()
    shutil.copymode(photo, copy)
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(copy, about.st_uid, about.st_gid)
