"""What the gallery tells: faces, matches, people, and how a run went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import Array

__all__ = ["BadPhoto", "Face", "Forgotten", "IndexReport", "Match", "Person", "Probe", "Sighting"]


class Face(NamedTuple):
    """A face of the gallery."""

    id: int
    """By which the gallery knows it."""
    path: Path
    """Of its photo; of several copies, that whose path comes first."""
    number: int
    """Of the face within the photo, 1 for the most probable: as `faceie detect` prints it."""
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the photo as it is meant to be seen."""
    landmarks: NDArray[np.float32]
    """(5, 2) pixels: left eye, right eye, nose, left and right mouth corner, as seen in the photo."""
    angle: float
    """In radians, counter-clockwise."""
    probability: float
    """That it is a face, 0 to 1."""
    quality: float
    """0 to 1: how much there is to recognize it by."""
    taken: str | None
    """When the photo was taken, "2019-06-01T12:30:00", if it says."""
    person: int | None
    """The number of the person or cluster that it belongs to."""
    name: str | None
    """Of the person, if the user has named it."""
    confirmed: bool
    """Whether the user has said that it is this person."""


class Probe(NamedTuple):
    """A face to search for."""

    embedding: Array
    """(512,) float32, of length 1."""
    number: int
    """Of the face within the photo that it is from, counted from 1."""
    faces: int
    """How many that photo has."""
    thumbnail: bytes
    """A JPEG of the face, 128 pixels high."""


class Match(NamedTuple):
    """A face that was found by its likeness to another."""

    face: Face
    distance: float
    """0 (the same face) to 2."""
    probability: float | None
    """That it is the same person; None for weights that nobody has calibrated."""

    @property
    def path(self) -> Path:
        return self.face.path


class Person(NamedTuple):
    """A person, named by the user; or a cluster, found by the program, which has no name."""

    number: int
    name: str | None
    faces: int
    """How many there are."""
    photos: int
    """How many photos they are in, copies counted once."""
    example: int | None
    """The id of the face that shows it best: of the highest quality. None if there is no face (any more)."""


class Sighting(NamedTuple):
    """A photo that shows certain people."""

    path: Path
    taken: str | None
    """When, "2019-06-01T12:30:00", if the photo says."""
    faces: tuple[Face, ...]
    """Theirs."""


class BadPhoto(NamedTuple):
    """A photo that could not be used."""

    path: Path
    reason: str


@dataclass
class IndexReport:
    """How a run of `Gallery.index` went, in numbers of photos."""

    looked_at: int = 0
    """New or changed photos that were searched for faces."""
    unchanged: int = 0
    """Photos that were known already."""
    copies: int = 0
    """New paths of photos that were known by their content: copied or moved."""
    moved: int = 0
    """Of these, those whose former path is gone."""
    pruned: int = 0
    """Paths that were removed since their photo is gone."""
    faces: int = 0
    """Faces that were found."""
    joined: int = 0
    """Of these, those that were recognized as people who have a name, or as part of a cluster."""
    bad: list[BadPhoto] = field(default_factory=list)
    """New or changed photos that could not be used."""
    incomplete: list[BadPhoto] = field(default_factory=list)
    """New or changed photos that were used as far as they go."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with the folders that were to be searched, and what was not pruned."""
    passed_over: Sequence[str] = ()
    """Sentences with counts of files and folders that were left out: videos, unreadable formats, bins, links."""
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Photos that the run has settled so far."""
        return self.looked_at + self.unchanged + self.copies + len(self.bad)


class Forgotten(NamedTuple):
    """What was deleted from a gallery."""

    photos: int
    faces: int
