"""`Gallery`: your photo collection, indexed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import whole_number
from ..errors import GalleryError, OptionError
from ..facenet.network import OUTPUT_SIZE, InceptionResNetV1
from ..images import MAX_PIXELS
from ..mtcnn.options import DetectionOptions
from ..types import Array, ImageLike
from . import people, wipe
from .absence import look_for_absent
from .clusters import can_cluster
from .indexing import Progress, Run
from .look import find_probe
from .records import BadPhoto, Face, Forgotten, IndexReport, Match, Person, Probe, Sighting
from .schema import back_up, connect, reported, transaction
from .search import find_matches, find_sightings
from .settings import default_path, kept_patterns, load_checked, settle
from .store import Store, no_face
from .workers import ExecutorFailed, Workforce, default_workers

__all__ = ["PRIOR", "Gallery"]

#: How probable it is, before one looks, that a face of the gallery is that of the probe: one in a hundred.
PRIOR = 0.01

_AT_A_TIME = 500  # faces that are read from the database, and given to the caller


class Gallery:
    """A collection of photos whose faces are known: indexed, searched, and sorted by people.

    >>> with Gallery("family.faceie") as gallery:
    ...     gallery.index(["~/Pictures"])
    ...     for match in gallery.search("anna.jpg"):
    ...         print(match.path, match.probability)

    It is one SQLite file (`faceie.gallery.schema` tells what it holds), and one beside it, ending in ``.matrix``, which
    is made again when needed. Both are readable by their owner only. Several processes may read a gallery while one
    writes; one object may be used by several threads, but by one at a time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        create: bool = True,
        weights: str | Path | None = None,
        options: DetectionOptions | None = None,
    ) -> None:
        """Open the gallery in this file, by default `default_path()`; make one if there is none, unless `create` is
        false.

        `weights`: those of the encoder, as `faceie.facenet.load` takes them, by default "vggface2"; `options`: those of
        `detect_faces`. Both are chosen when a gallery is made, and stay, since only embeddings of the same weights can
        be compared: None takes those of the gallery.

        Raises GalleryError, and leaves the file as it is, for one that is no gallery, that a newer version has written,
        or whose weights or options are others.
        """
        self.path = default_path() if path is None else Path(path).expanduser()
        if self.path.is_symlink():  # the files beside it belong beside the gallery itself
            target = Path(os.path.realpath(self.path))
            if not target.exists():
                raise GalleryError(
                    f"{self.path}: this is a link to {target}, which is not there; is its drive mounted?"
                )
            self.path = target
        self._store = Store(connect(self.path, create=create), self.path)
        self._loaded: InceptionResNetV1 | None = None
        try:
            with reported(self.path):
                self._settings = settle(self._store, weights, options)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Afterwards, the gallery cannot be used any more."""
        self._store.db.close()

    def __len__(self) -> int:
        """Return the number of faces."""
        with reported(self.path):
            return self._store.face_count()

    # Photos

    def index(
        self,
        folders: Iterable[str | os.PathLike[str]],
        *,
        workers: int | None = None,
        executor: Executor | None = None,
        prune: bool = False,
        prune_limit: float = 0.5,
        retry: bool = False,
        verify: bool = False,
        exclude: Iterable[str] | None = None,
        follow_links: bool = False,
        truncated: bool = False,
        max_pixels: int | None = None,
        progress: Progress | None = None,
    ) -> IndexReport:
        """Bring the gallery up to date with the photos in these folders, at any depth, and these photos.

        What has not changed, by size and times, is not opened; what is known by its content is not searched again. A
        photo that cannot be used is noted with its reason, and not tried again until it changes, unless `retry` is
        true. Photos that are gone stay, unless `prune` is true.

        `prune`: remove photos that are known to be gone: whose folder could be listed, is not empty, and does not hold
        them. What was said of their faces is kept, and is there again if they come back. `absent` tells beforehand.
        `prune_limit`: of the known photos in these folders, the share, 0 to 1, that may be removed; if more are gone,
        none is, and the report says so. Up to ten always may.
        `verify`: read all photos, and compare their contents.
        `workers`: how many processes look at photos, by default as many as `set_threads` has set, or there are
        processors, but no more than the memory that is free now has room for (`faceie.gallery.workers`); with 1, this
        process does it, with threads. A script that uses several must be importable, see `multiprocessing`.
        `executor`: your own, of any kind, in their place. Its workers must be able to open the same paths.
        `exclude`: patterns of files and folders to leave out, as in ``.gitignore`` (`faceie.images.exclude`).
        They are kept in the gallery: None stands for those of the last time.
        `follow_links`: search the folders that links lead to, too, each of them once.
        `truncated`: use the readable part of damaged photos. That of files that end too early is used anyway.
        `max_pixels`: of the largest photo to open, by default 250 million. Photos of more than 100 million pixels are
        searched at half of their width and height; boxes are in pixels of the whole photo.
        `progress`: is called after each photo with how many are done, how many there are, and the report so far.

        It may be interrupted, or killed, at any moment: the next run goes on, and ends with the same gallery.
        Raises GalleryError, WeightsError, and what an executor raises.
        """
        if isinstance(folders, str | bytes | os.PathLike):
            raise OptionError(f"folders is one path, {folders!r}, expected a list of paths")
        workers = default_workers() if workers is None else whole_number("workers", workers)
        tops = [Path(folder).expanduser() for folder in folders]
        with reported(self.path):
            self._weights()  # or what is missing would be missed in each worker
        settings = self._settings._replace(truncated=truncated, max_pixels=_limit(max_pixels))
        run = Run(self._store, settings, Workforce(workers, executor), verify=verify)
        with reported(self.path):
            patterns = kept_patterns(self._store, exclude)
        searched = run.work(
            tops, prune=prune, prune_limit=prune_limit, retry=retry, exclude=patterns, follow_links=follow_links
        )
        with closing(searched) as work:
            while True:
                try:
                    with reported(self.path):
                        photos = next(work, None)
                except ExecutorFailed as failed:
                    raise failed.error from None
                if photos is None:
                    return run.report
                if progress:  # its errors are not the gallery's
                    progress(run.report.done, photos, run.report)

    def absent(self, folders: Iterable[str | os.PathLike[str]]) -> list[Path]:
        """Return the paths of known photos in these folders, and of these photos, that pruning would remove."""
        tops = [os.path.abspath(Path(folder).expanduser()) for folder in folders]  # noqa: PTH100  # leaves links
        with reported(self.path):
            return [Path(path) for path in look_for_absent(self._store, tops).absent]

    def bad_photos(self) -> list[BadPhoto]:
        """Return the photos that cannot be used, and why."""
        with reported(self.path):
            return list(self._store.bad_photos())

    def incomplete_photos(self) -> list[BadPhoto]:
        """Return the photos that were used as far as they go, and what is missing."""
        with reported(self.path):
            return list(self._store.incomplete_photos())

    def faces(self) -> Iterator[Face]:
        """Yield all faces, in the order in which they came."""
        with reported(self.path):
            ids = self._store.face_ids()
        for start in range(0, len(ids), _AT_A_TIME):  # no query stays open while the caller has a face
            with reported(self.path):
                part = list(self._store.faces_by_id(ids[start : start + _AT_A_TIME]))
            yield from part

    def face(self, face: int) -> Face:
        """Return the face with this id. Raises GalleryError if there is none."""
        with reported(self.path):
            number = self._store.existing(face)
            found = next(self._store.faces_by_id([number]), None)
            if found is None:
                raise no_face(number)
            return found

    def embedding(self, face: int) -> Array:
        """Return the embedding (512,) float32 of the face with this id."""
        with reported(self.path):
            return self._store.embedding(self._store.existing(face))

    def thumbnail(self, face: int) -> bytes:
        """Return a small JPEG of the face with this id."""
        with reported(self.path):
            return self._store.thumbnail(self._store.existing(face))

    # Search

    def probe(
        self, photo: ImageLike, *, face: int | None = None, truncated: bool = False, max_pixels: int | None = None
    ) -> Probe:
        """Return the face of a photo by which to search: that of this number, counted from 1 as by `faceie detect`, or
        the largest.

        `truncated`, `max_pixels`: as for `index`.
        Raises ImageError if the photo cannot be used or has no face, and OptionError if it has none of this number.
        """
        settings = self._settings._replace(truncated=truncated, max_pixels=_limit(max_pixels))
        return find_probe(photo, face, settings, self._weights)

    def search(
        self,
        probe: Probe | ImageLike | NDArray[np.floating[Any]],
        *,
        limit: int | None = 20,
        min_probability: float = 0.0,
        prior: float = PRIOR,
    ) -> list[Match]:
        """Return the faces of the gallery that are most like a probe, the most alike first.

        `probe`: what `probe` returns; a photo, whose largest face counts; or an embedding, (512,) of length 1.
        `limit`: at most so many; None for all.
        `min_probability`: only those that are the same person at least so probably, 0 to 1.
        `prior`: how probable that is before one has looked, see `faceie.same_person_probability`.

        All faces are compared: the result is exact. Raises ImageError for a photo without a face, and OptionError.
        """
        limit = None if limit is None else whole_number("limit", limit, or_else=", or None for all")
        embedding = self._embedding_of(probe)
        with reported(self.path):
            return find_matches(self._store, embedding, limit, min_probability, prior)

    def photos_of(self, *who: int | str) -> list[Sighting]:
        """Return the photos that show all of these people, given by names or numbers; the oldest first."""
        if not who:
            raise OptionError("whose photos? Expected a name or number, or several")
        with reported(self.path):
            return find_sightings(self._store, [people.find(self._store, one) for one in who])

    # People

    def people(self) -> list[Person]:
        """Return the people by name, then the clusters of faces that may be one person, the largest first.

        Faces are clustered anew if there are other ones than the last time, and if that is possible: it needs SciPy
        (the extra `people`), and to write the gallery. Otherwise, they are listed as they were clustered last;
        `is_clustered` tells.
        """
        with reported(self.path):
            if not self.is_clustered() and can_cluster() and not self.is_read_only:
                people.cluster_all(self._store)
            return people.listed(self._store)

    def is_clustered(self) -> bool:
        """Tell whether faces have been clustered since the last one came or went."""
        with reported(self.path):
            return self._store.setting("clustered") == str(self._store.revision())

    @property
    def is_read_only(self) -> bool:
        """Whether this gallery cannot be written where it lies."""
        return self._store.db.read_only

    def person(self, who: int | str) -> Person:
        """Return one person or cluster. Raises GalleryError if there is none."""
        with reported(self.path):
            return people.one(self._store, people.find(self._store, who))

    def cluster(self) -> None:
        """Cluster all faces anew. What you have said of them stays as it is. Others may use the gallery during that."""
        with reported(self.path):
            people.cluster_all(self._store)

    def faces_of(self, who: int | str) -> list[Face]:
        """Return the faces of a person or cluster, the best first."""
        with reported(self.path):
            number = people.find(self._store, who)
            return list(self._store.faces("faces.person = ?", (number,), "quality DESC, faces.id"))

    def name(self, who: int | str, name: str) -> int:
        """Name a cluster, or give a person another name. Its faces are its for good. Returns its number."""
        with reported(self.path), transaction(self._store.db):
            return people.name(self._store, who, name)

    def merge(self, *who: int | str) -> int:
        """Make one person, or cluster, of several; the first name stays. Returns its number."""
        with reported(self.path), transaction(self._store.db):
            return people.merge(self._store, who)

    def split(self, who: int | str, faces: Iterable[int]) -> int:
        """Make a cluster of its own of some faces of a person or cluster, given by their ids. Returns its number."""
        with reported(self.path), transaction(self._store.db):
            return people.split(self._store, who, faces)

    def confirm(self, who: int | str, faces: Iterable[int]) -> int:
        """Say that these faces are this person, who is new if nobody has this name. Returns its number."""
        with reported(self.path), transaction(self._store.db):
            return people.confirm(self._store, who, faces)

    def deny(self, who: int | str, faces: Iterable[int]) -> None:
        """Say that these faces are not this person."""
        with reported(self.path), transaction(self._store.db):
            people.deny(self._store, who, faces)

    # Keeping and forgetting

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the gallery to another file, which may exist, while others use it: its state of one moment.

        Raises GalleryError, and leaves the other file as it is, if the copy cannot be made.
        """
        target = Path(path).expanduser()
        if target.exists() and target.samefile(self.path):
            raise OptionError(f"{target}: this is the gallery itself, expected another file")
        with reported(target):
            back_up(self._store.db, target)

    def forget_person(self, who: int | str) -> Forgotten:
        """Delete a person with all its faces. Their photos stay known; they are not searched again until they change.

        Raises GalleryError, after deleting, if another program that reads keeps bytes of it in use.
        """
        return self._forget(lambda store: wipe.person(store, people.find(store, who)))

    def forget_photo(self, path: str | os.PathLike[str]) -> Forgotten:
        """Delete a photo, its copies, and its faces. If it still is in a folder, it will be found there again."""
        whole = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100  # leaves links as they are
        return self._forget(lambda store: wipe.photo(store, whole))

    def _forget(self, delete: Callable[[Store], Forgotten]) -> Forgotten:
        with reported(self.path):
            try:
                with transaction(self._store.db):
                    forgotten = delete(self._store)
                    self._store.set(wipe.UNFINISHED, "yes")
            except GalleryError:
                if self._store.setting(wipe.UNFINISHED) is None:
                    raise
                forgotten = Forgotten(0, 0)  # it was deleted the last time, and the rest could not be done
            wipe.traces(self._store)
            return forgotten

    def forget_all(self) -> Forgotten:
        """Delete everything, the files of the gallery included, and close it."""
        with reported(self.path):
            with transaction(self._store.db):
                forgotten = wipe.everything(self._store)
            wipe.traces(self._store)
            self.close()
            wipe.files(self.path)
            return forgotten

    def _weights(self) -> InceptionResNetV1:
        """Load the encoder's weights."""
        if self._loaded is None:
            with reported(self.path):
                self._loaded = load_checked(self._store, self._settings)
        return self._loaded

    def _embedding_of(self, probe: Probe | ImageLike | NDArray[np.floating[Any]]) -> Array:
        if isinstance(probe, Probe):
            return probe.embedding
        if isinstance(probe, np.ndarray) and probe.dtype != np.uint8:
            length = float(np.linalg.norm(probe)) if probe.shape == (OUTPUT_SIZE,) else 0.0
            if not abs(length - 1) < 1e-3:
                raise OptionError(
                    f"probe has the shape {probe.shape} and the length {length:.3g}, "
                    "expected an embedding, (512,) of length 1"
                )
            return probe.astype(np.float32)
        return self.probe(probe).embedding  # type: ignore[arg-type]  # uint8 is left


def _limit(max_pixels: int | None) -> int:
    """Return the limit for photos, by default that of `read_photo`."""
    return MAX_PIXELS if max_pixels is None else whole_number("max_pixels", max_pixels, or_else=", or None")
