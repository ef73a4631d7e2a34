"""Which name belongs to which face. Knows no database and no files.

A region goes with the face that it overlaps most, one to one. Names without regions go with faces in two ways:

1. One face and one name are left over in a photo: they belong together.
2. Faces of one cluster, and a name, occur together in several photos, and neither has another partner.

The second way is only taken where it is nearly certain. A cluster must be in at least three photos with the name, in
more than half of all photos with the name, and in no other photo with names. No other name and no other cluster may fit
about as well. So a couple that is always together stays without names, until one photo tells them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..boxes import area, iou
from ..types import Array
from .clusters import Constraints, can_cluster, cluster

__all__ = ["OpenPhoto", "Who", "match_regions", "settle"]

#: A person: its number, or the key of the name of a new one.
Who: TypeAlias = "int | str"

_OVERLAP = 0.1  # least intersection over union of a region and its face: programs draw faces in many sizes
_SURE_OVERLAP = 0.4  # from here on, centers need not be within the other box
_INSIDE = 0.5  # share of the smaller box in the larger one, which may be
_MOST_LARGER = 16.0  # this many times as large
_PHOTOS = 3  # photos that a cluster and a name must share
_COVERAGE = 0.5  # share of the photos with a name in which the cluster must be
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

    `embeddings`: [n, 512]. `known`: people of other faces, by index. `denied`: for a face, the people that it is not.
    `photos` lose the faces and names that are settled.
    """
    settled: dict[int, Who] = {}
    groups: NDArray[np.int64] | None = None
    person_of: dict[int, Who] = {}
    appearances: dict[Who, set[int]] = defaultdict(set)
    for number, photo in enumerate(photos):
        for who in photo.names:
            appearances[who].add(number)

    def take(photo: OpenPhoto, face: int, who: Who) -> None:
        photo.faces.remove(face)
        photo.names.remove(who)
        photo.known[face] = who
        settled[face] = who
        if groups is not None and groups[face] >= 0:
            person_of.setdefault(int(groups[face]), who)

    while True:
        for photo in photos:
            if len(photo.faces) == len(photo.names) == 1 and photo.names[0] not in denied.get(photo.faces[0], ()):
                take(photo, photo.faces[0], photo.names[0])
        if not any(photo.faces and photo.names for photo in photos):
            return settled
        if groups is None:
            everyone = {**known, **settled}
            groups = _groups(photos, embeddings, qualities, everyone, denied)
            for face, who in everyone.items():
                if groups[face] >= 0:
                    person_of.setdefault(int(groups[face]), who)
        person_of.update(_matches(photos, groups, person_of, appearances))
        before = len(settled)
        for photo in photos:
            for who in list(photo.names):
                fitting = [face for face in photo.faces if person_of.get(int(groups[face])) == who]
                if len(fitting) == 1 and who not in denied.get(fitting[0], ()):
                    take(photo, fitting[0], who)
        if len(settled) == before:
            return settled


def _groups(
    photos: Sequence[OpenPhoto],
    embeddings: Array,
    qualities: NDArray[np.float64],
    known: Mapping[int, Who],
    denied: Mapping[int, set[Who]],
) -> NDArray[np.int64]:
    """Return the cluster of each face: [n], -1 for none."""
    if not can_cluster():
        return np.full(len(embeddings), -1, np.int64)
    at = np.full(len(embeddings), -1, np.int64)
    for number, photo in enumerate(photos):
        at[[*photo.faces, *photo.known]] = number
    others = np.flatnonzero(at < 0)
    at[others] = len(photos) + np.arange(len(others))
    codes = {
        who: code for code, who in enumerate(dict.fromkeys([*known.values(), *(w for d in denied.values() for w in d)]))
    }
    people = np.full(len(embeddings), -1, np.int64)
    for face, who in known.items():
        people[face] = codes[who]
    rejections = {face: {codes[who] for who in people_} for face, people_ in denied.items()}
    return cluster(embeddings, qualities, Constraints(at, people, rejections))


def _matches(
    photos: Sequence[OpenPhoto],
    groups: NDArray[np.int64],
    person_of: Mapping[int, Who],
    appearances: Mapping[Who, set[int]],
) -> dict[int, Who]:
    """Return the people of clusters that are nearly certain by the photos in which they occur."""
    places: dict[int, set[int]] = defaultdict(set)  # photos of each cluster without a person
    for number, photo in enumerate(photos):
        for face in photo.faces:
            group = int(groups[face])
            if group >= 0 and group not in person_of:
                places[group].add(number)
    found: dict[int, Who] = {}
    taken = set(person_of.values())
    for group, where in places.items():
        names = {who for number in where for who in photos[number].names} - taken
        fitting = [who for who in names if where <= appearances[who]]
        rivals = [who for who in names if len(where - appearances[who]) < _RIVAL]
        if len(where) < _PHOTOS or len(fitting) != 1 or len(rivals) > 1:
            continue
        (who,) = fitting
        named = appearances[who]
        others = max((len(other & named) for one, other in places.items() if one != group), default=0)
        if len(where) > _COVERAGE * len(named) and others <= len(where) - _RIVAL:
            found[group] = who
    return {group: who for group, who in found.items() if list(found.values()).count(who) == 1}
