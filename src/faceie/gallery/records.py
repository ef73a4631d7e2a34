"""Row types of the gallery: those that its methods return, and those that are passed to the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import Array

__all__ = [
    "Action",
    "Counts",
    "Face",
    "FaceTable",
    "KnownFile",
    "Match",
    "NewFace",
    "Person",
    "Photo",
    "PhotoAnalysis",
    "PhotoMatch",
    "Probe",
    "Suggestion",
]

# Returned by the methods of `Gallery`


class Face(NamedTuple):
    """A face in the gallery.

    Attributes
    ----------
    id : int
        Identifier of the face in this gallery. It is never used again for another face.
    path : Path
        Photo that shows the face. Of several copies, the first path in alphabetical order.
    number : int
        Number of the face in its photo, from 1, by falling probability.
    box : tuple of float
        Corners x1, y1, x2, y2 in pixels of the upright photo. Right and bottom are exclusive.
    landmarks : ndarray of float32, shape (5, 2)
        Left eye, right eye, nose, left and right mouth corner, as seen in the photo, in pixels.
    roll : float
        Roll of the face in radians, counter-clockwise.
    probability : float
        Probability, 0 to 1, that this is a face.
    quality : float
        Suitability for recognition, 0 to 1.
    taken : str or None
        Local time when the photo was taken, such as "2019-06-01T12:30:00", if the photo records it.
    person : int or None
        Number of the person or cluster of the face.
    name : str or None
        Name of the person, if the user has given one.
    confirmed : bool
        Whether the user has said so: that the face belongs to this person, or is to be ignored.
    ignored : str or None
        Reason why the face is ignored, "stranger" or "not a face". None for other faces.
    photo : int
        Identifier of the photo, for `Gallery.photo`.
    drawn : bool
        Whether the user has drawn the box (`Gallery.add_face`).
    """

    id: int
    path: Path
    number: int
    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    roll: float
    probability: float
    quality: float
    taken: str | None
    person: int | None
    name: str | None
    confirmed: bool
    ignored: str | None = None
    photo: int = 0
    drawn: bool = False


class Photo(NamedTuple):
    """A photo in the gallery.

    Attributes
    ----------
    id : int
        Identifier of the photo in this gallery.
    path : Path
        Path of the photo. Of several copies, the first path in alphabetical order.
    taken : str or None
        Local time when the photo was taken, as in `Face`.
    size : tuple of int
        Width and height of the upright photo, in pixels.
    faces : int
        Number of its faces that are not ignored.
    without_face : tuple of str
        Names of people in the photo, by an imported name, whose faces were not found.
    """

    id: int
    path: Path
    taken: str | None
    size: tuple[int, int]
    faces: int
    without_face: tuple[str, ...] = ()


class Probe(NamedTuple):
    """A face to search for.

    Attributes
    ----------
    embedding : ndarray of float32, shape (512,)
        Embedding of the face, of unit length.
    number : int
        Number of the face in its photo, from 1, by falling probability.
    faces : int
        Number of faces in that photo.
    thumbnail : bytes
        JPEG of the face, 128 pixels high.
    """

    embedding: Array
    number: int
    faces: int
    thumbnail: bytes


class Match(NamedTuple):
    """A face in the gallery, compared with a probe.

    Attributes
    ----------
    face : Face
        Face in the gallery.
    distance : float
        Euclidean distance between the embeddings of face and probe, 0 to 2. The root mean square for several probes.
    probability : float or None
        Probability, 0 to 1, that both show the same person. Once the faces of the gallery have been clustered, both are
        judged among them (see `Cohort`), so a face at a larger distance may be more probable. None for weights without
        a calibration.
    """

    face: Face
    distance: float
    probability: float | None

    @property
    def path(self) -> Path:
        """Photo that shows the face."""
        return self.face.path


class Person(NamedTuple):
    """A person named by the user, or a cluster found by the program.

    Attributes
    ----------
    number : int
        Number of the person or cluster. It stays as long as the person or cluster exists.
    name : str or None
        Name of the person. None for a cluster.
    faces : int
        Number of faces.
    photos : int
        Number of photos that show the person. Copies count once.
    example : int or None
        Identifier of the face that stands for the person: the cover (`Gallery.cover`), or the face with the highest
        quality. None for a person without faces.
    born : str or None
        Date of birth, such as "2001-05-23", "2001-05" or "2001", if the user has given one.
    """

    number: int
    name: str | None
    faces: int
    photos: int
    example: int | None
    born: str | None = None


class Counts(NamedTuple):
    """Numbers of people, clusters and faces in the gallery.

    Attributes
    ----------
    people : int
        Number of people with a name.
    clusters : int
        Number of clusters.
    faces : int
        Number of faces.
    unassigned : int
        Number of faces that belong to no person and no cluster, and are not ignored.
    ignored : int
        Number of ignored faces.
    """

    people: int
    clusters: int
    faces: int
    unassigned: int
    ignored: int


class Suggestion(NamedTuple):
    """A question for the user: are these faces this person?

    Attributes
    ----------
    faces : tuple of int
        Identifiers of the faces in question, the best first: one face, or those of a cluster.
    cluster : int or None
        Number of their cluster. None for a single face.
    person : int
        Number of the person, or of another cluster.
    name : str or None
        Name of the person. None for a cluster.
    probability : float
        Probability, 0 to 1, that the answer is yes.
    """

    faces: tuple[int, ...]
    cluster: int | None
    person: int
    name: str | None
    probability: float


class PhotoMatch(NamedTuple):
    """A photo that shows all people in question.

    Attributes
    ----------
    path : Path
        Path of the photo. Of several copies, the first path in alphabetical order.
    taken : str or None
        Local time when the photo was taken, such as "2019-06-01T12:30:00", if the photo records it.
    faces : tuple of Face
        Faces of these people in the photo. A person whose face was not found, but whose name was imported, has none.
    photo : int
        Identifier of the photo, for `Gallery.photo`.
    """

    path: Path
    taken: str | None
    faces: tuple[Face, ...]
    photo: int = 0


class Action(NamedTuple):
    """An action of the user, which can be undone.

    Attributes
    ----------
    name : str
        Name of the method of `Gallery`, such as "merge".
    made : str
        Time of the action, in UTC: "2026-06-01T12:30:00+00:00".
    faces : int
        Number of faces that it changed.
    people : tuple of str
        Names of the people that it is about.
    number : int
        Number of the action. Later actions have larger numbers.
    """

    name: str
    made: str
    faces: int
    people: tuple[str, ...]
    number: int = 0


# Passed to the store, or returned by it


class NewFace(NamedTuple):
    """A face found in a photo, before it is stored. Fields as in `Face`."""

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]  # [5, 2]
    roll: float
    probability: float
    quality: float
    embedding: Array  # [512], unit length
    thumbnail: bytes  # a JPEG, 128 pixels high


class PhotoAnalysis(NamedTuple):
    """Result of the analysis of a photo: its faces, or the reason why it cannot be used."""

    width: int | None = None
    height: int | None = None
    taken: str | None = None
    """As in `Face`."""
    faces: Sequence[NewFace] = ()
    error: str | None = None
    transient: bool = False
    """Whether the error lies with the machine or the options, not with the photo. Such a photo is tried again."""
    note: str | None = None
    """Reason why a part of the photo is missing, if the rest was used."""
    digest: bytes | None = None
    """SHA-256 of the file. None if it could not be read."""


class KnownFile(NamedTuple):
    """A file, as recorded by the last run that read it."""

    photo: int | None
    size: int
    modified: int
    """In nanoseconds."""
    changed: int | None
    """In nanoseconds. None if unknown."""


class FaceTable(NamedTuple):
    """All n faces and their people, as columns, in ascending order of ids."""

    ids: NDArray[np.int64]
    photos: NDArray[np.int64]
    qualities: NDArray[np.float64]
    people: NDArray[np.int64]
    """Number of the person or cluster of each face, or -1."""
    confirmed: NDArray[np.bool_]
    rejections: dict[int, set[int]]
    """For the index of a face, the numbers of people that the user has ruled out."""
    named: NDArray[np.int64]
    """Numbers of the people with a name, ascending. Not a column."""

    @property
    def fixed_people(self) -> NDArray[np.int64]:
        """Person of each face that clustering must keep, or -1: confirmed, or recognized as a named person."""
        return np.where(self.confirmed | np.isin(self.people, self.named), self.people, -1)

    def is_prefix_of(self, other: FaceTable) -> bool:
        """Tell whether another table begins with these faces, unchanged, and may only have new ones after them."""
        count = len(self.ids)
        same = all(np.array_equal(a, b[:count]) for a, b in zip(self[:5], other[:5], strict=True))
        rejections = {face: people for face, people in other.rejections.items() if face < count}
        return same and rejections == self.rejections and np.array_equal(self.named, other.named)
