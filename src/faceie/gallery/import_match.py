"""Which name belongs to which face. Knows no database and no files.

A region goes with the face that it overlaps most, one to one. Names without regions go with faces in two ways:

1. One face and one name are left over in a photo: they belong together.
2. Faces of one cluster, and a name, occur together in several photos, and neither has another partner.

The second way is only taken where it is nearly certain. A cluster must be in at least three photos with the name, in
more than half of all photos with the name, and in no other photo with names. No other name and no other cluster may fit
about as well. So a couple that is always together stays without names, until one photo tells them apart. Each name that
is placed may leave one face and one name over in its photo, so both ways are repeated until nothing changes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..boxes import area, iou
from ..types import Array
from .clusters import Constraints, cluster

__all__ = ["OpenPhoto", "Who", "match_regions", "settle"]

#: A person: its number, or the key of the name of a new one.
Who: TypeAlias = "int | str"

_OVERLAP = 0.1  # least intersection over union of a region and its face: programs draw faces in many sizes
_SURE_OVERLAP = 0.4  # with at least this overlap, the region need not contain the face's center
_INSIDE = 0.5  # share of the smaller box in the larger one, which may be
_MOST_LARGER = 16.0  # this many times as large
_PHOTOS = 3  # photos that a cluster and a name must share
_COVERAGE = 0.5  # share of the photos with a name in which the cluster must be
_UNLIKE = 1.06  # distance that is equally frequent among pairs of one person and of two
_AGREEMENT = 0.75  # share of the photos with a cluster that must have the name of one of its faces
_RIVAL = 2  # photos in which a rival must be missing


def match_regions(regions: Array, faces: Array) -> list[int | None]:
    """Return the index of the face of each region, or None. `regions`, `faces`: boxes, (n, 4) and (m, 4)."""
    found: list[int | None] = [None] * len(regions)
    if not len(regions) or not len(faces):
        return found
    overlaps = iou(regions, faces)  # [n, m]
    centered = _contains_centers(regions, faces)  # [n, m]
    inside = iou(regions, faces, "min") > _INSIDE  # [n, m]
    ratios = area(regions)[:, None] / np.maximum(area(faces), 1e-6)  # [n, m]
    similar = (ratios < _MOST_LARGER) & (ratios > 1 / _MOST_LARGER)
    fits = (overlaps >= _SURE_OVERLAP) | (centered & ((overlaps >= _OVERLAP) | (inside & similar)))
    rows, columns = np.nonzero(fits)
    order = np.argsort(-overlaps[rows, columns], kind="stable")
    taken: set[int] = set()
    for region, face in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if found[region] is None and face not in taken:
            found[region] = face
            taken.add(face)
    return found


def _contains_centers(regions: Array, faces: Array) -> NDArray[np.bool_]:
    """Tell which regions contain the centers of which faces: (n, m)."""
    centers = (faces[:, :2] + faces[:, 2:]) / 2  # [m, 2]
    after = centers >= regions[:, None, :2]  # [n, m, 2]
    before = centers <= regions[:, None, 2:]  # [n, m, 2]
    within: NDArray[np.bool_] = np.all(after & before, axis=2)
    return within


@dataclass
class OpenPhoto:
    """A photo with names: its faces, and the names that no region has placed."""

    faces: list[int]
    """Indices of the faces without a name."""
    names: list[Who]
    """People without a face."""
    known: dict[int, Who] = field(default_factory=dict)
    """Indices of the faces with a name."""


def settle(
    photos: Sequence[OpenPhoto],
    embeddings: Array,
    qualities: NDArray[np.float64],
    known: Mapping[int, Who],
    denied: Mapping[int, set[Who]],
) -> dict[int, Who]:
    """Return the people of faces that names without regions settle.

    `embeddings`: [n, 512]. `known`: people of faces with a name, by index, also in other photos. `denied`: for a face,
    the people that it is not. `photos` lose the faces and names that are settled.
    """
    return _Settlement(photos, embeddings, qualities, known, denied).run()


class _Settlement:
    """The work of `settle`."""

    def __init__(
        self,
        photos: Sequence[OpenPhoto],
        embeddings: Array,
        qualities: NDArray[np.float64],
        known: Mapping[int, Who],
        denied: Mapping[int, set[Who]],
    ) -> None:
        self._photos = photos
        self._embeddings = embeddings
        self._qualities = qualities
        self._known = known
        self._denied = denied
        self._settled: dict[int, Who] = {}
        self._named: dict[Who, set[int]] = defaultdict(set)
        """By person, the numbers of the photos with the name."""
        for number, photo in enumerate(photos):
            for who in (*photo.names, *photo.known.values()):
                self._named[who].add(number)
        self._groups = np.full(len(embeddings), -1, np.int64)
        """The cluster of each face, or -1."""
        self._places: dict[int, set[int]] = defaultdict(set)
        """By cluster, the numbers of the photos with its faces."""
        self._person_of: dict[int, Who] = {}
        """By cluster."""

    def run(self) -> dict[int, Who]:
        """Apply both ways until nothing changes."""
        self._place_pairs()
        if not any(photo.faces and photo.names for photo in self._photos):
            return self._settled
        self._find_clusters()
        before = -1
        while len(self._settled) > before:
            before = len(self._settled)
            self._match_clusters()
            self._place_by_clusters()
            self._place_pairs()
        return self._settled

    def _place(self, photo: OpenPhoto, face: int, who: Who) -> None:
        photo.faces.remove(face)
        photo.names.remove(who)
        photo.known[face] = who
        self._settled[face] = who
        self._learn(face, who)

    def _learn(self, face: int, who: Who) -> None:
        """Take a cluster for a person after one of its faces got this name, if most of its photos have the name."""
        group = int(self._groups[face])
        where = self._places[group]
        if group >= 0 and len(where & self._named[who]) > _AGREEMENT * len(where):
            self._person_of.setdefault(group, who)

    def _place_pairs(self) -> None:
        """Settle photos in which one face and one name are left over."""
        for photo in self._photos:
            if len(photo.faces) == len(photo.names) == 1 and self._is_likely(photo.faces[0], photo.names[0]):
                self._place(photo, photo.faces[0], photo.names[0])

    def _is_likely(self, face: int, who: Who) -> bool:
        """Tell whether nothing speaks against a face and a name that are left over.

        Once clusters have taken others away, the face must not be of another person's cluster, and must resemble some
        of the person's faces, if there are a few.
        """
        if who in self._denied.get(face, ()):
            return False
        if not self._places:
            return True
        theirs = [other for faces in (self._known, self._settled) for other, one in faces.items() if one == who]
        distances = np.sort(np.linalg.norm(self._embeddings[theirs] - self._embeddings[face], axis=1))
        resembles = len(theirs) < _PHOTOS or float(distances[_PHOTOS - 1]) < _UNLIKE
        return resembles and self._person_of.get(int(self._groups[face])) in (None, who)

    def _find_clusters(self) -> None:
        """Cluster all faces, and find the people of clusters that have faces with a name."""
        at = np.full(len(self._embeddings), -1, np.int64)
        for number, photo in enumerate(self._photos):
            at[[*photo.faces, *photo.known]] = number
        others = np.flatnonzero(at < 0)
        at[others] = len(self._photos) + np.arange(len(others))
        everyone = dict.fromkeys([*self._known.values(), *(who for people in self._denied.values() for who in people)])
        codes = {who: code for code, who in enumerate(everyone)}
        people = np.full(len(self._embeddings), -1, np.int64)
        for face, who in self._known.items():
            people[face] = codes[who]
        rejections = {face: {codes[who] for who in not_these} for face, not_these in self._denied.items()}
        self._groups = cluster(self._embeddings, self._qualities, Constraints(at, people, rejections))
        for number, photo in enumerate(self._photos):
            for face in (*photo.faces, *photo.known):
                if self._groups[face] >= 0:
                    self._places[int(self._groups[face])].add(number)
        self._person_of.update(
            {int(self._groups[face]): who for face, who in self._known.items()}
        )  # each has a cluster
        for face, who in self._settled.items():
            self._learn(face, who)

    def _match_clusters(self) -> None:
        """Find the people of clusters that are nearly certain by the photos in which they occur."""
        found: dict[int, Who] = {}
        taken = set(self._person_of.values())
        unknown = {group: where for group, where in self._places.items() if group not in self._person_of}
        for group, where in unknown.items():
            names = {who for number in where for who in self._photos[number].names} - taken
            rivals = [who for who in names if len(where - self._named[who]) < _RIVAL]
            if len(where) < _PHOTOS or len(rivals) != 1 or not where <= self._named[rivals[0]]:
                continue
            named = self._named[rivals[0]]
            others = max((len(other & named) for one, other in unknown.items() if one != group), default=0)
            if len(where) > _COVERAGE * len(named) and others <= len(where) - _RIVAL:
                found[group] = rivals[0]
        people = Counter(found.values())
        self._person_of.update({group: who for group, who in found.items() if people[who] == 1})

    def _place_by_clusters(self) -> None:
        """Put names on the only face of their person's cluster."""
        for photo in self._photos:
            for who in list(photo.names):
                fitting = [face for face in photo.faces if self._person_of.get(int(self._groups[face])) == who]
                if len(fitting) == 1 and who not in self._denied.get(fitting[0], ()):
                    self._place(photo, fitting[0], who)
