"""Reports of the methods of `Gallery`: results of runs, and files that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

__all__ = ["AddReport", "BadPhoto", "Forgotten", "ImportReport", "IndexReport", "NameConflict", "PhotoName"]


class BadPhoto(NamedTuple):
    """A photo that could not be used, or only in part.

    Attributes
    ----------
    path : Path
        Path of the photo.
    reason : str
        Reason, as a phrase without the path.
    """

    path: Path
    reason: str


@dataclass
class AddReport:
    """Result of `Gallery.add`.

    Attributes
    ----------
    photos : int
        Photos that are new in the gallery.
    faces : int
        Faces that are new in the gallery.
    known : int
        Photos that were in the gallery already.
    named : int
        Faces that got a person.
    people : int
        People that are new in the gallery.
    forgotten : int
        Photos that were left out since the user has deleted them from the gallery.
    bad : list of BadPhoto
        Photos of the dataset that could not be used.
    conflicts : list of BadPhoto
        Faces about which the dataset and the gallery say different things. The gallery's statements stay.
    """

    photos: int = 0
    faces: int = 0
    known: int = 0
    named: int = 0
    people: int = 0
    forgotten: int = 0
    bad: list[BadPhoto] = field(default_factory=list)
    conflicts: list[BadPhoto] = field(default_factory=list)


@dataclass
class IndexReport:
    """Result of `Gallery.index`.

    Attributes
    ----------
    analyzed : int
        New or changed photos that were searched for faces.
    unchanged : int
        Photos whose file has not changed since an earlier run.
    copies : int
        New paths of photos with known content: copied or moved.
    moved : int
        Those of the copies whose former path is gone.
    pruned : int
        Paths that were removed from the gallery since their files are gone.
    faces : int
        Faces that were found.
    recognized : int
        Those of the faces that were recognized as a person or as part of a cluster.
    ignored : int
        Those of the faces that closely match an ignored stranger, and are ignored, too.
    forgotten : int
        Photos that were left out since the user has deleted them from the gallery.
    bad : list of BadPhoto
        New or changed photos that could not be used.
    incomplete : list of BadPhoto
        New or changed photos of which only the readable part was used.
    problems : list of str
        Problems with the given folders, and reasons why photos were not pruned. One sentence each.
    passed_over : sequence of str
        Counts of skipped files and folders, as sentences: videos, unreadable formats, bins, links.
    seconds : float
        Duration of the run.
    """

    analyzed: int = 0
    unchanged: int = 0
    copies: int = 0
    moved: int = 0
    pruned: int = 0
    faces: int = 0
    recognized: int = 0
    ignored: int = 0
    forgotten: int = 0
    bad: list[BadPhoto] = field(default_factory=list)
    incomplete: list[BadPhoto] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    passed_over: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Number of photos that the run has finished so far."""
        return self.analyzed + self.unchanged + self.copies + self.forgotten + len(self.bad)


class PhotoName(NamedTuple):
    """A name of a person in a photo.

    Attributes
    ----------
    path : Path
        Path of the photo.
    name : str
        Name.
    """

    path: Path
    name: str


class NameConflict(NamedTuple):
    """An imported name that was not used, since it contradicts something else.

    Attributes
    ----------
    path : Path
        Path of the photo.
    name : str
        Imported name.
    face : int
        Identifier of the face.
    reason : str
        Contradicted statement, as a phrase.
    """

    path: Path
    name: str
    face: int
    reason: str


class ImportReport(NamedTuple):
    """Result of `Gallery.import_names`.

    Attributes
    ----------
    photos : int
        Photos in which names were found.
    people : int
        Different people.
    new_people : int
        Those of the people who were not in the gallery before.
    faces : int
        Faces that were given a name.
    found : int
        Those of the faces that only a second search, near the region of a name, has found.
    known : int
        Faces that had their name before.
    conflicts : list of NameConflict
        Names that contradict the user's statements, and so were not used.
    leftovers : list of PhotoName
        Names without a face. They are kept for their photos.
    problems : list of BadPhoto
        Photos and files beside them that cannot be read, and the reasons.
    """

    photos: int
    people: int
    new_people: int
    faces: int
    found: int
    known: int
    conflicts: list[NameConflict]
    leftovers: list[PhotoName]
    problems: list[BadPhoto]


class Forgotten(NamedTuple):
    """Number of deleted photos and faces.

    Attributes
    ----------
    photos : int
        Deleted photos, copies included.
    faces : int
        Deleted faces.
    """

    photos: int
    faces: int
