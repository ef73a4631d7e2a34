"""Import the names that other programs have given to people: read, decide, and store in one transaction.

The user's statements in Faceie win over imported names, and imported names win over clusters. A later import of another
name for a face wins over an earlier one. A name that a file has no longer stays in the gallery.

Files are read, and photos are searched again, outside of any transaction. A face that another program changes during
that is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..boxes import iou
from ..errors import ImageError, OptionError
from ..facenet.network import InceptionResNetV1
from ..images.formats import SUFFIXES
from ..metadata.frames import Area, StoredFrame
from ..metadata.sources import NameReader, PhotoNames
from ..types import Array
from .analysis import failed_analysis, find_named_faces
from .import_match import OpenPhoto, Who, match_regions, settle
from .names import checked_name, name_key
from .records import NewFace
from .reports import BadPhoto, ImportReport, NameConflict, PhotoName
from .settings import Settings
from .store import Store
from .store_imports import BY_IMPORT, BY_USER, NamedPhoto, StoredFace

__all__ = ["ImportRun"]

_SAME_FACE = 0.5  # intersection over the smaller box, above which a second search has found a known face
_SAME_SHAPE = 0.02  # largest relative difference of the proportions of a photo and its file
_ANCHORS = 100  # confirmed faces of a person that names without regions are compared with


class _Face(NamedTuple):
    """A face in a photo with names: stored, or found by the second search."""

    photo: NamedPhoto
    path: Path
    box: tuple[float, float, float, float]
    quality: float
    stored: StoredFace | None = None
    new: NewFace | None = None


class ImportRun:
    """A run of `Gallery.import_names`: `plan`, then `store` in a transaction.

    A person is known by its number, or, if it is new, by the key of its name.
    """

    def __init__(self, store: Store, settings: Settings, weights: Callable[[], InceptionResNetV1]) -> None:
        self._store = store
        self._settings = settings
        self._weights = weights
        self._names: dict[Who, str] = {}
        self._people: set[Who] = set()
        self._faces: list[_Face] = []
        self._labels: dict[int, Who] = {}  # by the index of the face
        self._clusters: dict[int, Who] = {}  # that the user has confirmed, without a name
        self._photos: list[OpenPhoto] = []
        self._of_photos: list[tuple[NamedPhoto, Path]] = []
        self._kept: dict[tuple[int, Who], Path] = {}
        self._denied: dict[int, set[int]] = {}
        self._known = 0
        self._conflicts: list[NameConflict] = []
        self._problems: list[BadPhoto] = []

    # Planning

    def plan(self, paths: Iterable[str] | None, progress: Callable[[int, int], None] | None = None) -> None:
        """Read the names of photos, all or those with these paths, and decide about them. Write nothing."""
        wanted = None if paths is None else list(paths)
        photos = self._store.imports.photos(wanted)
        self._denied = self._store.imports.denials()
        reader = NameReader(path for photo in photos for path in photo.paths)
        self._problems += [BadPhoto(*problem) for problem in reader.problems]
        for done, photo in enumerate(photos, 1):
            self._read(photo, reader)
            if progress:
                progress(done, len(photos))
        self._settle()

    def _read(self, photo: NamedPhoto, reader: NameReader) -> None:
        """Read the names of a photo. Of several copies, the first one with names counts."""
        for path in photo.paths:
            found = reader.read(path)
            self._problems += [BadPhoto(*problem) for problem in found.problems]
            if found.regions or found.names:
                if not _has_shape(photo, path, found.frame):
                    self._problems.append(BadPhoto(path, "it has changed since it was indexed: index it again"))
                    continue
                self._decide(photo, path, found)
                return

    def _decide(self, photo: NamedPhoto, path: Path, found: PhotoNames) -> None:
        """Put the names of a photo on its faces."""
        assert found.frame
        named = [(self._person(region.name, path), region.area) for region in found.regions]
        regions = [(who, area) for who, area in named if who is not None]
        in_regions = {region.name for region in found.regions}
        others = [self._person(name, path) for name in found.names if name not in in_regions]
        first = len(self._faces)
        self._faces += [
            _Face(photo, path, face.box, face.quality, face) for face in self._store.imports.faces(photo.id)
        ]
        boxes, partners = self._match(photo, path, [area for _, area in regions], found.frame, first)
        partners = self._search_again(photo, path, regions, boxes, partners, first)
        placed: set[Who] = set()
        for (who, _), partner in zip(regions, partners, strict=True):
            if partner is None:
                self._kept[photo.id, who] = path
            else:
                self._label(partner, who)
            placed.add(who)
        open_photo = OpenPhoto([], [])
        for index in range(first, len(self._faces)):
            stored = self._faces[index].stored
            if index in self._labels:
                open_photo.known[index] = self._labels[index]
            elif stored and stored.confirmed == BY_IMPORT and stored.person in others and index not in partners:
                open_photo.faces.append(index)  # an earlier import has settled it: do that again, on equal terms
            elif stored and stored.confirmed and stored.person is not None:
                open_photo.known[index] = self._clusters.get(stored.person, stored.person)
            else:
                open_photo.faces.append(index)
        named_faces = set(open_photo.known.values())
        for who in dict.fromkeys(who for who in others if who is not None):
            recognized = [index for index in open_photo.faces if self._is_recognized(index, who)]
            if who in named_faces:
                self._known += who not in placed
            elif len(recognized) == 1 and who not in placed:
                self._label(recognized[0], who)
                open_photo.faces.remove(recognized[0])
                open_photo.known[recognized[0]] = who
            elif who not in placed:
                open_photo.names.append(who)
        for who in named_faces:
            self._kept.pop((photo.id, who), None)  # a second region with this name has no face
        self._photos.append(open_photo)
        self._of_photos.append((photo, path))

    def _person(self, name: str, path: Path) -> Who | None:
        """Return the person with a name. None, and a problem, for a text that is no name."""
        try:
            name = checked_name(name)
        except OptionError as error:
            self._problems.append(BadPhoto(path, str(error)))
            return None
        number = self._store.people.number_of(name)
        if number is None:
            number = self._store.imports.person_called(name)
        who: Who = name_key(name) if number is None else number
        self._names.setdefault(who, name)
        self._people.add(who)
        return who

    def _match(
        self, photo: NamedPhoto, path: Path, areas: Sequence[Area], frame: StoredFrame, first: int
    ) -> tuple[Array, list[int | None]]:
        """Return the boxes of regions, [n, 4], in pixels of the upright photo, and the indices of their faces."""
        faces = np.array([face.box for face in self._faces[first:]], np.float32).reshape(-1, 4)
        frames = [frame]
        if frame.orientation != 1 and SUFFIXES.get(path.suffix.lower()) in ("heif", "avif"):
            # These formats turn pixels by themselves, and programs disagree about which picture is the stored one.
            frames.append(StoredFrame(frame.size, 1))
        best: tuple[Array, list[int | None]] | None = None
        for candidate in frames:
            upright = np.array([candidate.to_upright(area) for area in areas], np.float32).reshape(-1, 4)
            boxes = upright * np.array(photo.size * 2, np.float32)
            partners = [None if one is None else first + one for one in match_regions(boxes, faces)]
            if best is None or partners.count(None) < best[1].count(None):
                best = boxes, partners
        assert best
        return best

    def _search_again(
        self,
        photo: NamedPhoto,
        path: Path,
        regions: Sequence[tuple[Who, Area]],
        boxes: Array,
        partners: list[int | None],
        first: int,
    ) -> list[int | None]:
        """Search for the faces of regions without one, except those that an earlier import has searched for."""
        before = self._store.imports.people_of_photo(photo.id)
        result = list(partners)
        for index in range(first, len(self._faces)):
            stored = self._faces[index].stored
            if stored and stored.confirmed and index not in result and stored.person is not None:
                same = [i for i, (who, _) in enumerate(regions) if result[i] is None and who == stored.person]
                for region in same[:1]:  # an earlier import has put it there
                    result[region] = index
        missing = [i for i, (who, _) in enumerate(regions) if result[i] is None and who not in before]
        if not missing:
            return result
        weights = self._weights()
        try:
            found = find_named_faces(str(path), boxes[missing], self._settings, weights)
        except (ImageError, MemoryError) as error:
            self._problems.append(BadPhoto(path, failed_analysis(error, str(path)).error or ""))
            return result
        for i, new in zip(missing, found, strict=True):
            if new is None:
                continue
            known = np.array([face.box for face in self._faces[first:]], np.float32).reshape(-1, 4)
            overlaps = iou(np.array([new.box], np.float32), known, "min")[0]
            if len(overlaps) and overlaps.max() > _SAME_FACE:
                known_face = first + int(overlaps.argmax())
                result[i] = None if known_face in result else known_face
                continue
            result[i] = len(self._faces)
            self._faces.append(_Face(photo, path, new.box, new.quality, new=new))
        return result

    def _label(self, index: int, who: Who) -> None:
        """Put a name on a face, unless the user has said otherwise."""
        face = self._faces[index]
        stored = face.stored
        if stored is None:
            self._labels[index] = who
        elif stored.confirmed and stored.person == who:
            self._known += 1
        elif who in self._denied.get(stored.id, ()):
            self._conflict(face, who, "you have said that this face is someone else")
        elif stored.confirmed != BY_USER:
            self._labels[index] = who
        elif stored.person is None:
            self._conflict(face, who, "you have said that this face is to be ignored")
        elif self._store.people.name_of(stored.person) is not None:
            self._conflict(face, who, f"you have named this face {self._store.people.name_of(stored.person)}")
        elif self._clusters.setdefault(stored.person, who) != who:
            other = self._names[self._clusters[stored.person]]
            self._conflict(face, who, f"you have put this face into one cluster with {other}")

    def _is_recognized(self, index: int, who: Who) -> bool:
        """Tell whether a face was recognized as a person, without any statement."""
        stored = self._faces[index].stored
        return stored is not None and not stored.confirmed and stored.person == who

    def _imported_person(self, index: int) -> Who | None:
        """Return the person of a face by an earlier import."""
        stored = self._faces[index].stored
        return stored.person if stored and stored.confirmed == BY_IMPORT else None

    def _conflict(self, face: _Face, who: Who, reason: str) -> None:
        assert face.stored
        self._conflicts.append(NameConflict(face.path, self._names[who], face.stored.id, reason))

    def _settle(self) -> None:
        """Put names without regions on faces where that is nearly certain. Keep the others for their photos."""
        if any(photo.names for photo in self._photos):
            known = {index: who for photo in self._photos for index, who in photo.known.items()}
            embeddings = [self._embedding(face) for face in self._faces]
            qualities = [face.quality for face in self._faces]
            inside = {face.stored.id for face in self._faces if face.stored}
            for number in {who for photo in self._photos for who in photo.names if isinstance(who, int)}:
                anchors = [face for face in self._store.imports.confirmed_faces(number) if face.id not in inside]
                for anchor in sorted(anchors, key=lambda face: -face.quality)[:_ANCHORS]:
                    known[len(embeddings)] = number
                    embeddings.append(self._store.faces.embedding(anchor.id))
                    qualities.append(anchor.quality)
            denied: dict[int, set[Who]] = {
                index: set(self._denied[face.stored.id])
                for index, face in enumerate(self._faces)
                if face.stored and face.stored.id in self._denied
            }
            matrix = np.array(embeddings, np.float32).reshape(len(embeddings), -1)  # [n, 512]
            for index, who in settle(self._photos, matrix, np.array(qualities, np.float64), known, denied).items():
                self._label(index, who)
        for open_photo in self._photos:
            for index in open_photo.faces:
                person = self._imported_person(index)
                if person is not None and person in open_photo.names:
                    open_photo.names.remove(person)
                    self._known += 1
        for (photo, path), open_photo in zip(self._of_photos, self._photos, strict=True):
            self._kept.update({(photo.id, who): path for who in open_photo.names})

    def _embedding(self, face: _Face) -> Array:
        if face.new:
            return face.new.embedding
        assert face.stored
        return self._store.faces.embedding(face.stored.id)

    # Storing

    def is_empty(self) -> bool:
        """Tell whether there is nothing to store."""
        return not (self._labels or self._clusters or self._kept)

    def store(self) -> None:
        """Store the decisions. The caller opens the transaction."""
        numbers: dict[Who, int] = {}
        for cluster, who in self._clusters.items():
            if self._store.people.exists(cluster) and self._store.people.name_of(cluster) is None:
                self._store.people.absorb(cluster, self._number(who, numbers))
        for index, who in self._labels.items():
            face = self._faces[index]
            if face.stored is None or face.stored in self._store.imports.faces(face.photo.id):
                identifier = face.stored.id if face.stored else self._insert(face)
                if identifier is not None:
                    number = self._number(who, numbers)
                    self._store.imports.label(identifier, number)
                    self._store.imports.remove_person(face.photo.id, number)
            elif face.stored:
                self._conflict(face, who, "another program has changed this face during the import: import again")
        for photo, who in self._kept:
            self._store.imports.add_person(photo, self._number(who, numbers))
        self._store.people.delete_empty_clusters()
        if self._labels or self._clusters:
            self._store.unset("clustered")  # the next listing puts similar faces with these people

    def _number(self, who: Who, numbers: dict[Who, int]) -> int:
        """Return the number of a person, who may be new."""
        if who not in numbers:
            name = self._names[who]
            number = who if isinstance(who, int) and self._store.people.exists(who) else None
            number = self._store.people.number_of(name) if number is None else number
            numbers[who] = self._store.people.insert(name) if number is None else number
            self._store.imports.remember(name, numbers[who])
        return numbers[who]

    def _insert(self, face: _Face) -> int | None:
        """Store a face that the second search has found. Return its id, or None if its photo is gone."""
        number = self._store.imports.next_number(face.photo.id)
        return None if number is None or face.new is None else self._store.faces.insert(face.photo.id, number, face.new)

    def report(self) -> ImportReport:
        """Return the result."""
        leftovers = [PhotoName(path, self._names[who]) for (_, who), path in self._kept.items()]
        return ImportReport(
            photos=len(self._photos),
            people=len(self._people),
            new_people=sum(not isinstance(who, int) for who in self._people),
            faces=len(self._labels) + len(self._clusters),
            found=sum(self._faces[index].stored is None for index in self._labels),
            known=self._known,
            conflicts=self._conflicts,
            leftovers=leftovers,
            problems=self._problems,
        )


def _has_shape(photo: NamedPhoto, path: Path, frame: StoredFrame | None) -> bool:
    """Tell whether a file still has the proportions of the indexed photo. Those of RAW previews may differ."""
    if frame is None or SUFFIXES.get(path.suffix.lower()) == "raw":
        return frame is not None
    width, height = frame.size[::-1] if frame.orientation > 4 else frame.size
    return abs(width * photo.size[1] / (height * photo.size[0]) - 1) < _SAME_SHAPE
