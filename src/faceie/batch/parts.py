"""Make one file of a dataset, in a worker. It appears when it is complete.

While a photo is analyzed, its path is the last line of a journal beside the file. If the process dies, the next attempt
finds the photo there, and tries it in a process of its own. A wrong suspicion only takes time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from ..dataset import Columns, open_part, write_part
from ..errors import FaceieError
from ..files import remove_stale_drafts
from ..gallery.settings import Settings
from .batches import add_photo, analyze_source, origin_of
from .sources import Source

__all__ = ["Part", "make_part"]


class Part(NamedTuple):
    """A file of a dataset that is there."""

    photos: int
    faces: int
    bad: list[tuple[str, str]]
    """Paths and reasons."""


def make_part(target: str, photos: Sequence[Source], settings: Settings) -> Part:
    """Analyze photos and write a file of a dataset, unless it is there. Raises WeightsError and FaceieError."""
    path = Path(target)
    if not path.exists():
        try:
            _write(path, photos, settings)
        except OSError as error:  # of the journal; those of photos are in their rows
            raise FaceieError(f"{path}: it cannot be written: {error.strerror or error}") from error
    with suppress(OSError):
        _journal_path(path).unlink()
    return _describe(path, len(photos))


def _write(path: Path, photos: Sequence[Source], settings: Settings) -> None:
    remove_stale_drafts([path])
    with _journal(path) as (suspects, journal):
        columns = Columns(origin_of(settings))
        for source in photos:
            journal.write(f"{json.dumps(source.path)}\n")
            journal.flush()
            add_photo(columns, source, analyze_source(source.path, settings, suspect=source.path in suspects))
        write_part(path, [columns.to_batch()])


def _journal_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.journal")


@contextmanager
def _journal(path: Path) -> Iterator[tuple[set[str], TextIO]]:
    """Open the journal of a file. Yield the photos with which processes have died, and the open journal."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = _journal_path(path)
    suspects: set[str] = set()
    with suppress(OSError):
        lines = name.read_text("utf-8", "replace").splitlines()
        suspects = {line[1:] for line in lines if line[:1] == "!"} | {line for line in lines[-1:] if line[:1] != "!"}
    with name.open("w", encoding="utf-8") as journal:
        journal.writelines(f"!{line}\n" for line in sorted(suspects))
        journal.flush()
        yield set(map(_decoded, suspects)), journal


def _decoded(line: str) -> str:
    try:
        return str(json.loads(line))
    except ValueError:  # the line was cut off
        return ""


def _describe(path: Path, photos: int) -> Part:
    """Return the contents of a file, by its columns."""
    with open_part(path) as part:
        table = part.read(["path", "path_bytes", "face", "error"])
    faces = len(table) - table["face"].null_count
    bad = [
        (
            row["path"] if row["path_bytes"] is None else row["path_bytes"].decode("utf-8", "surrogateescape"),
            row["error"],
        )
        for row in table.filter(table["error"].is_valid()).to_pylist()
    ]
    return Part(photos, faces, bad)
