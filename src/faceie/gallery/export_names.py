"""Write names of people into sidecars and photos: which names, into which files, and the report.

A photo into which names are written has a new content. The gallery records its hash before the photo is replaced. So
it knows the photo, whenever the program is killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import FaceieError, GalleryError, MetadataError, OptionError
from ..files import remove_stale_drafts
from ..metadata.exiftool import changed_copy, find_exiftool, replace_photo
from ..metadata.frames import Area, stored_frame
from ..metadata.merge import NamedFace
from ..metadata.record import may_have_record
from ..metadata.sidecars import Update, hidden_packets, may_have_names, sidecar_of, update_sidecar
from ..metadata.xmp import photo_packets
from ..recognition import pairwise_distances, same_person_probability
from .indexing import digest_of, file_version
from .matrix import load_matrix
from .reports import BadPhoto
from .store import Store
from .store_exports import NamedRow, PhotoFile

__all__ = ["ExportOptions", "ExportReport", "OtherName", "export_names"]

_CHANGED = "it has changed since it was indexed; faceie index brings the gallery up to date"


class OtherName(NamedTuple):
    """A face to which another program has given another name.

    Attributes
    ----------
    path : Path
        Sidecar or photo. The other name stays in it, and that of the gallery is not written.
    name : str
        Name in the gallery.
    other : str
        Name in the file.
    """

    path: Path
    name: str
    other: str


class ExportReport(NamedTuple):
    """Result of `Gallery.export_names`.

    Attributes
    ----------
    written : list of Path
        Sidecars or photos into which names were written.
    removed : list of Path
        Sidecars or photos from which all names of Faceie were removed. A sidecar without anything else is deleted.
    unchanged : int
        Sidecars or photos that have the same names already.
    names : int
        Names in the written and in the unchanged files.
    conflicts : list of OtherName
        Faces to which other programs have given other names.
    problems : list of BadPhoto
        Files that cannot be read or written. They stay as they are.
    """

    written: list[Path]
    removed: list[Path]
    unchanged: int
    names: int
    conflicts: list[OtherName]
    problems: list[BadPhoto]


class ExportOptions(NamedTuple):
    """Parameters of `Gallery.export_names`."""

    to: Path | None = None
    embed: bool = False
    recognized: float | None = None
    remove: bool = False
    dry_run: bool = False


def export_names(
    store: Store,
    paths: Collection[str] | None,
    tops: Sequence[str],
    options: ExportOptions,
    progress: Callable[[int, int], None] | None = None,
) -> ExportReport:
    """Write names into the files of all photos, or at or beside these paths (see `Gallery.export_names`).

    `tops`: the folders and photos that the user has given.
    """
    exiftool = find_exiftool() if options.embed else ""
    with store.snapshot():
        files, rows = store.exports.files(), [] if options.remove else store.exports.people()
        embedded = store.exports.embedded_photos()
        if options.recognized is None:
            rows = [row for row in rows if row.confirmed]
        else:
            rows = _probable(store, rows, options.recognized)
    people: dict[int, list[NamedRow]] = {}
    for row in rows:
        people.setdefault(row.photo, []).append(row)
    chosen = [file for file in files if paths is None or str(file.path) in paths]
    base = _base(map(Path, tops) if tops else (file.path for file in files))
    targets = [file.path if options.embed else _sidecar(file.path, options.to, base) for file in chosen]
    if not options.dry_run:
        remove_stale_drafts(targets)
    run = _Run(store, options, exiftool)
    for done, (file, target) in enumerate(zip(chosen, targets, strict=True), 1):
        run.update(file, target, people.get(file.photo, []), file.photo in embedded or options.remove)
        if progress:
            progress(done, len(chosen))
    return run.report._replace(unchanged=run.unchanged, names=run.names)


class _Run:
    """A run over files."""

    def __init__(self, store: Store, options: ExportOptions, exiftool: str) -> None:
        self.report = ExportReport([], [], 0, 0, [], [])
        self.unchanged = 0
        self.names = 0
        self._store = store
        self._options = options
        self._exiftool = exiftool

    def update(self, file: PhotoFile, target: Path, people: Sequence[NamedRow], may_be_ours: bool) -> None:
        """Write the names of a photo into its target, or remove those that are there, and report it."""
        try:
            faces = [NamedFace(row.name, _share(row, file)) for row in people]
            if self._options.embed:
                update = self._embed(file, faces) if faces or (may_be_ours and _has_record(file.path)) else None
            else:
                update = self._put_beside(file, target, faces)
        except GalleryError:
            raise
        except (FaceieError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            self.report.problems.append(BadPhoto(target, reason or str(error).removeprefix(f"{file.path}: ")))
            return
        if update is None:
            return
        self.report.conflicts.extend(OtherName(target, name, other) for name, other in update.conflicts)
        if update.action == "removed":
            self.report.removed.append(target)
            return
        if update.action == "written":
            self.report.written.append(target)
        elif faces:
            self.unchanged += 1
        self.names += len(faces) - len(update.conflicts)

    def _put_beside(self, file: PhotoFile, target: Path, faces: Sequence[NamedFace]) -> Update | None:
        """Write a sidecar."""
        dry_run = self._options.dry_run
        if not faces:
            return update_sidecar(target, [], None, dry_run=dry_run) if may_have_names(target) else None
        version = file_version(str(file.path))
        if version[:2] != (file.size, file.modified) and self._digest(file) is None:
            raise MetadataError(_CHANGED)
        return update_sidecar(
            target, faces, stored_frame(file.path), hidden_packets(file.path, target), dry_run=dry_run
        )

    def _embed(self, file: PhotoFile, faces: Sequence[NamedFace]) -> Update:
        """Write names into a photo."""
        path, store = Path(os.path.realpath(file.path)), self._store
        version = file_version(str(path))
        if self._digest(file) is None:
            raise MetadataError(_CHANGED)
        if not os.access(path, os.W_OK):  # it could be replaced nevertheless
            raise MetadataError("it is write-protected")
        frame = stored_frame(path) if faces else None
        with changed_copy(self._exiftool, path, faces, frame, dry_run=self._options.dry_run) as (update, copy):
            if copy is None:
                return update
            digest = digest_of(str(copy))
            if file_version(str(path)) != version:
                raise MetadataError("another program has changed it; run the command again")
            with store.transaction():
                store.exports.add_hash(file.photo, digest)
            replace_photo(path, copy)
            with store.transaction():
                if store.photo(digest) == file.photo:  # otherwise, the next run over its folder sorts it out
                    store.put_file(str(file.path), file.photo, *file_version(str(file.path)))
            return update

    def _digest(self, file: PhotoFile) -> bytes | None:
        """Return the hash of a file, or None if it does not hold the photo any more."""
        digest = digest_of(str(file.path))
        return digest if self._store.photo(digest) == file.photo else None


def _has_record(photo: Path) -> bool:
    """Tell whether a photo may hold names that Faceie has written."""
    return any(map(may_have_record, photo_packets(photo)))


def _share(row: NamedRow, file: PhotoFile) -> Area | None:
    """Return the box of a face as shares of the upright photo, without its parts beyond the border."""
    if row.box is None:
        return None
    shares = (min(max(side / whole, 0.0), 1.0) for side, whole in zip(row.box, file.frame * 2, strict=True))
    left, top, right, bottom = shares
    return (left, top, right, bottom) if left < right and top < bottom else None


def _base(paths: Iterable[Path]) -> Path | None:
    """Return the folder that has all of these folders and photos, or None if they are on several drives."""
    folders = {str(path if path.is_dir() else path.parent) for path in paths}
    try:
        return Path(os.path.commonpath(folders)) if folders else None
    except ValueError:
        return None


def _sidecar(photo: Path, to: Path | None, base: Path | None) -> Path:
    """Return the sidecar of a photo: beside it, or at its place in another folder."""
    if to is None:
        return sidecar_of(photo)
    if base is None:  # the drive becomes a folder
        return sidecar_of(to / photo.drive.strip(":\\/").replace("\\", "_") / photo.relative_to(photo.anchor))
    return sidecar_of(to / photo.relative_to(base))


def _probable(store: Store, rows: Iterable[NamedRow], least: float) -> list[NamedRow]:
    """Return the confirmed rows, and those with at least this probability of showing the person.

    The probability is that for the nearest confirmed face of the person, with even odds before.
    """
    rows = list(rows)
    if not 0 <= least <= 1:
        raise OptionError(f"recognized is {least}, expected a probability, 0 to 1")
    weights = store.setting("calibration")
    if not weights:
        raise OptionError("the weights of this gallery have no calibration, so probabilities are unknown")
    matrix = load_matrix(store)
    index_of = {face: index for index, face in enumerate(matrix.ids.tolist())}
    confirmed: dict[int, list[int]] = {}
    for row in rows:
        if row.confirmed and row.face in index_of:
            confirmed.setdefault(row.person, []).append(index_of[row.face])
    chosen = []
    for row in rows:
        known = confirmed.get(row.person)
        if row.confirmed:
            chosen.append(row)
        elif known and row.face in index_of:
            distances = pairwise_distances(matrix.embeddings[[index_of[row.face]]], matrix.embeddings[known])
            if same_person_probability(float(np.min(distances)), weights=weights) >= least:
                chosen.append(row)
    return chosen
