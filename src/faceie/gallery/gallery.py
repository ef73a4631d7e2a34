"""`Gallery`: an indexed photo collection."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from ..checks import whole_number
from ..files import absolute_paths
from ..types import ImageLike
from .absence import find_absent
from .analysis import find_probe, find_probes
from .dataset_methods import DatasetMethods
from .indexing import IndexRun, Progress, run_to_end
from .progress import read_progress
from .records import Match, Probe
from .reports import BadPhoto, IndexReport
from .search import AnyProbe, Dates, find_matches, to_mean_probe
from .settings import exclude_patterns
from .workers import WorkerPool

__all__ = ["PRIOR", "Gallery"]

#: Default prior probability that a face in the gallery and the probe show the same person.
PRIOR = 0.01


class Gallery(DatasetMethods):
    """A photo collection whose faces are indexed, searched, and sorted by people.

    A gallery is one SQLite file (its tables: `faceie.gallery.schema`). Beside it lies a file ending in ``.matrix``,
    which is made again when needed. Only their owner can read them. Several programs may read a gallery while one
    writes. Threads may share an object, but only one may use it at a time.

    For several people, a gallery is in a PostgreSQL database with pgvector: see docs/postgres.md.

    Parameters
    ----------
    path : str or path-like, optional
        File of the gallery, by default `default_path`. Or the address of a database, "postgresql://user@host/database",
        as libpq takes it. With ``?schema=NAME``, the tables are in that schema instead of ``faceie``.
    create : bool, default True
        Whether to create a missing gallery.
    weights : str or Path, optional
        Weights of the encoder, as `faceie.facenet.load` takes them: "vggface2" by default in a new gallery. A gallery
        keeps its weights, since embeddings of different weights cannot be compared.
    options : DetectionOptions, optional
        Options of `detect_faces`. A gallery keeps its options.

    Attributes
    ----------
    path : Path or str
        File of the gallery, or address of its database without a password.

    Raises
    ------
    GalleryError
        The file is not a gallery, a newer version has written it, or its weights or options are others. The file stays
        as it is. Or the database cannot be reached.

    Examples
    --------
    >>> with Gallery("family.faceie") as gallery:
    ...     gallery.index(["photos"], workers=1).analyzed
    ...     for match in gallery.search("photos/obama.jpg", limit=2):
    ...         print(match.path.name, f"{match.probability:.1f}")
    5
    obama.jpg 1.0
    obama-congress.jpg 1.0

    In the examples of the methods, ``gallery`` is such a gallery.
    """

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
        newest_first: bool = False,
        forgotten: bool = False,
        exclude: Iterable[str] | None = None,
        follow_links: bool = False,
        truncated: bool = False,
        max_pixels: int | None = None,
        progress: Progress | None = None,
    ) -> IndexReport:
        """Bring the gallery up to date with the photos in folders.

        Files with the same size and times as before are not opened, and known content is not analyzed again. A bad
        photo is recorded with the reason, and not tried again until it changes. The run may be interrupted or killed at
        any moment: the next run continues, with the same result. Photos of more than 100 million pixels are searched at
        half of their size.

        Parameters
        ----------
        folders : iterable of str or path-like
            Folders, searched at any depth, and single photos.
        workers : int, optional
            Number of processes, by default the number of threads of `set_threads`, if the free memory suffices. With 1,
            this process does the work, with threads. A script that uses several must be importable: see
            `multiprocessing`.
        executor : Executor, optional
            Executor to use instead, such as that of a Dask client (docs/scale.md). Its workers must be able to open the
            same paths. Each of its calls uses one thread.
        prune : bool, default False
            Whether to remove photos that are gone from their folders. The user's statements about their faces are kept,
            in case they come back. See `absent`.
        prune_limit : float, default 0.5
            Largest share, 0 to 1, of the known photos in these folders that may be removed. If more are gone, none are
            removed, and the report has the reason. Up to ten may always be removed.
        retry : bool, default False
            Whether to try bad photos again.
        verify : bool, default False
            Whether to read all photos and compare their contents.
        newest_first : bool, default False
            Whether to analyze the photos whose files changed last first.
        forgotten : bool, default False
            Whether to add photos again that were deleted by `forget_photo`.
        exclude : iterable of str, optional
            Patterns of files and folders to skip, as in ``.gitignore`` (`faceie.images.exclude`). The gallery keeps
            them: None stands for those of the last run.
        follow_links : bool, default False
            Whether to search the folders that links lead to.
        truncated : bool, default False
            Whether to use the readable part of damaged photos. Files that end too early are always used.
        max_pixels : int, optional
            Size of the largest photo to open, by default 250 million pixels.
        progress : callable, optional
            Called after each photo with the number of finished photos, the number of all photos, and the report so far.

        Returns
        -------
        IndexReport
            Result of the run.

        Raises
        ------
        GalleryError
            The gallery cannot be written, no worker can be started, or the given executor has failed.
        OptionError
            A parameter is out of range.
        WeightsError
            The weights of the encoder cannot be loaded.

        Examples
        --------
        >>> report = gallery.index(["photos"], workers=1)
        >>> report.analyzed, report.unchanged
        (0, 5)
        """
        workers = None if workers is None else whole_number("workers", workers)
        tops = absolute_paths(folders)
        with self._reading():
            self._weights()  # fails here, not in each worker
            patterns = exclude_patterns(self._store, exclude)
        settings = self._settings.with_limits(truncated, max_pixels).for_run(one_thread=executor is not None)
        pool = WorkerPool(workers, executor)
        run = IndexRun(self._store, settings, pool, verify=verify, newest_first=newest_first, forgotten=forgotten)
        work = run.work(
            tops, prune=prune, prune_limit=prune_limit, retry=retry, exclude=patterns, follow_links=follow_links
        )
        return run_to_end(run, work, progress)

    def index_progress(self) -> tuple[int, int] | None:
        """Return how far a run of `index` is, in this or another program.

        Returns
        -------
        tuple of int or None
            Number of finished photos, and of all photos. None if no run is known that has taken some seconds.

        Examples
        --------
        >>> print(gallery.index_progress())
        None
        """
        with self._reading():
            return read_progress(self._store)

    def absent(self, folders: Iterable[str | os.PathLike[str]]) -> list[Path]:
        """Return the known photos that pruning would remove: those that are gone from their folders.

        Parameters
        ----------
        folders : iterable of str or path-like
            Folders, searched at any depth, and single photos.

        Returns
        -------
        list of Path
            Paths of the photos.

        Examples
        --------
        >>> Path("photos/obama.jpg").unlink()
        >>> [path.name for path in gallery.absent(["photos"])]
        ['obama.jpg']
        """
        tops = absolute_paths(folders)
        with self._reading():
            return [Path(path) for path in find_absent(self._store, tops).absent]

    def bad_photos(self) -> list[BadPhoto]:
        """Return the photos that cannot be used.

        Returns
        -------
        list of BadPhoto
            Photos and reasons, by path.

        Examples
        --------
        >>> gallery.bad_photos()
        []
        """
        with self._reading():
            return list(self._store.bad_photos())

    def incomplete_photos(self) -> list[BadPhoto]:
        """Return the photos of which only the readable part was used.

        Returns
        -------
        list of BadPhoto
            Photos and reasons, by path.

        Examples
        --------
        >>> gallery.incomplete_photos()
        []
        """
        with self._reading():
            return list(self._store.incomplete_photos())

    def probe(
        self, photo: ImageLike, *, face: int | None = None, truncated: bool = False, max_pixels: int | None = None
    ) -> Probe:
        """Detect and encode the face in a photo to search for.

        Parameters
        ----------
        photo : str, path-like, PIL image or ndarray of uint8
            Photo, as `detect_faces` takes it.
        face : int, optional
            Number of the face, from 1, as `faceie detect` prints it. By default, the largest face.
        truncated : bool, default False
            As for `index`.
        max_pixels : int, optional
            As for `index`.

        Returns
        -------
        Probe
            Face to search for.

        Raises
        ------
        ImageError
            The photo cannot be used, or no face was found.
        OptionError
            The photo has no face with this number.

        Examples
        --------
        >>> probe = gallery.probe("photos/obama.jpg")
        >>> probe.number, probe.faces
        (1, 1)
        """
        return find_probe(photo, face, self._settings.with_limits(truncated, max_pixels), self._weights)

    def probes(
        self, photo: ImageLike | bytes, *, truncated: bool = False, max_pixels: int | None = None
    ) -> list[Probe]:
        """Detect and encode all faces in a photo to search for.

        Parameters
        ----------
        photo : str, path-like, PIL image, ndarray of uint8 or bytes
            Photo, as `detect_faces` takes it, or the content of a file.
        truncated : bool, default False
            As for `index`.
        max_pixels : int, optional
            As for `index`.

        Returns
        -------
        list of Probe
            Faces, by falling probability. Empty if no face was found.

        Raises
        ------
        ImageError
            The photo cannot be used.

        Examples
        --------
        >>> [probe.number for probe in gallery.probes("photos/obama.jpg")]
        [1]
        """
        return find_probes(photo, self._settings.with_limits(truncated, max_pixels), self._weights)

    def search(
        self,
        probe: AnyProbe | Sequence[AnyProbe],
        *,
        limit: int | None = 20,
        min_probability: float = 0.0,
        prior: float = PRIOR,
        since: str | datetime.date | None = None,
        until: str | datetime.date | None = None,
    ) -> list[Match]:
        """Search for the faces most similar to a probe.

        The probe is compared with all faces that are not ignored: the result is exact. In a large gallery in
        PostgreSQL, an index chooses the faces to compare with, and may miss a few of them (docs/postgres.md).

        Parameters
        ----------
        probe : Probe, ndarray of float, shape (512,), photo, or list of these
            Result of `probe`, an embedding of unit length, or a photo, whose largest face is used. Or a list of these
            that show one person: together, they find more photos than each alone.
        limit : int or None, default 20
            Largest number of matches. None for all.
        min_probability : float, default 0
            Least probability of a match, 0 to 1.
        prior : float, default 0.01
            Prior probability, 0 to 1 exclusive, that a face is the same person: see `same_person_probability`.
        since, until : str or date, optional
            First and last date of the photos to search: a date, or "2019-06-01", "2019-06" or "2019". Photos without a
            date are left out.

        Returns
        -------
        list of Match
            Faces, the most probable first; without a calibration, the nearest first. See `Match`.

        Raises
        ------
        ImageError
            The photo cannot be used, or no face was found.
        OptionError
            A parameter is out of range.

        Examples
        --------
        >>> [match.path.name for match in gallery.search("photos/obama.jpg", min_probability=0.5)]
        ['obama.jpg', 'obama-congress.jpg', 'obama-standing.jpg']
        """
        limit = None if limit is None else whole_number("limit", limit, or_else=", or None for all")
        dates = Dates.checked(since, until)
        mean = to_mean_probe(probe, self.probe)
        with self._reading():
            return find_matches(self._store, mean, limit, min_probability, prior, dates)
