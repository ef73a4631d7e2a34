"""`ListMethods`: the methods of `Gallery` that list people, their faces and their photos."""

from __future__ import annotations

import datetime
from pathlib import Path

from ..checks import checked_page, whole_number
from ..cohort import Cohort
from ..errors import OptionError
from . import assignment, people
from .import_methods import ImportMethods
from .matrix import load_cohort
from .records import Counts, Face, Person, PhotoMatch
from .search import Dates, find_photos_of
from .settings import load_checked

__all__ = ["ListMethods"]


class ListMethods(ImportMethods):
    """The lists of people and clusters. A base class of `Gallery`."""

    def people(
        self, *, named: bool | None = None, limit: int | None = None, offset: int = 0, cluster: bool = True
    ) -> list[Person]:
        """List the people and the clusters.

        Faces are clustered first if faces have been added or deleted since the last time. That needs a
        gallery that can be written and that no other program is writing to. Otherwise, the list shows
        the former clusters: see `is_clustered`.

        Parameters
        ----------
        named : bool, optional
            True for people with a name only, False for clusters only.
        limit : int or None, default None
            Largest number of people and clusters. None for all.
        offset : int, default 0
            Number of people and clusters to leave out before them.
        cluster : bool, default True
            Whether to cluster first if faces have changed. Among 100,000 faces, this takes minutes.

        Returns
        -------
        list of Person
            People by name, then clusters, the largest first.

        Raises
        ------
        OptionError
            A parameter is out of range.

        See Also
        --------
        find_people : Finds people by the beginning of a name.
        counts : Counts people and clusters.

        Examples
        --------
        >>> [(person.name, person.faces) for person in gallery.people()]
        [(None, 3)]
        """
        limit, offset = checked_page(limit, offset)
        with self._reading():
            if cluster:
                assignment.cluster_if_possible(self._store)
            return self._store.people.page(named, limit, offset)

    def find_people(self, text: str, *, limit: int = 8) -> list[Person]:
        """Return the people of whose names one begins with a text.

        Parameters
        ----------
        text : str
            Beginning of a first name or of any other name, in upper or lower case.
        limit : int, default 8
            Largest number of people.

        Returns
        -------
        list of Person
            People whose first name begins so, then others; each with the most faces first.

        Examples
        --------
        >>> number = gallery.confirm("Barack Obama", [4])
        >>> [person.name for person in gallery.find_people("oba")]
        ['Barack Obama']
        """
        with self._reading():
            return self._store.people.find(" ".join(text.split()), whole_number("limit", limit))

    def counts(self) -> Counts:
        """Count people, clusters and faces.

        Returns
        -------
        Counts
            Numbers.

        Examples
        --------
        >>> gallery.cluster()
        >>> gallery.counts()
        Counts(people=0, clusters=1, faces=5, unassigned=2, ignored=0)
        """
        with self._reading():
            people, clusters = self._store.people.counts()
            faces, unassigned, ignored = self._store.faces.counts()
            return Counts(people, clusters, faces, unassigned, ignored)

    def is_clustered(self) -> bool:
        """Tell whether the clusters are up to date: no face was added or deleted since the last clustering.

        Returns
        -------
        bool
            Whether the clusters are up to date.

        Examples
        --------
        >>> gallery.is_clustered()
        False
        >>> gallery.cluster()
        >>> gallery.is_clustered()
        True
        """
        with self._reading():
            return assignment.is_clustered(self._store)

    def cluster(self) -> None:
        """Cluster all faces again.

        The user's statements stay. Other programs may use the gallery at the same time.

        Raises
        ------
        GalleryError
            The gallery cannot be written, or other programs keep changing it.

        Examples
        --------
        >>> gallery.cluster()
        """
        with self._reading():
            assignment.cluster_all(self._store)

    def cohort(self, weights: str | Path | None = None) -> Cohort:
        """Return the faces of the gallery that others are judged among.

        They are chosen when faces are clustered: up to four of each person or cluster, at most 4,096.

        Parameters
        ----------
        weights : str or Path, optional
            The weights that make the embeddings to judge, as `faceie.facenet.load` takes them: checked to be those of
            the gallery.

        Returns
        -------
        Cohort
            Faces with their people. Empty before the first clustering.

        Raises
        ------
        GalleryError
            The gallery has other weights, so embeddings cannot be compared.

        Examples
        --------
        >>> gallery.cluster()
        >>> len(gallery.cohort())
        5
        """
        with self._reading():
            cohort = load_cohort(self._store)
            if weights is not None and len(cohort):
                load_checked(self._store, self._settings._replace(weights=weights))
            return cohort

    def person(self, who: int | str) -> Person:
        """Return one person or cluster.

        Parameters
        ----------
        who : int or str
            Number or name.

        Returns
        -------
        Person
            Person or cluster.

        Raises
        ------
        GalleryError
            There is no such person or cluster.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> gallery.person("anna").name
        'Anna'
        """
        with self._reading():
            return self._store.people.get(people.find_number(self._store, who))

    def faces_of(
        self, who: int | str, *, by_date: bool = False, limit: int | None = None, offset: int = 0
    ) -> list[Face]:
        """Return the faces of a person or cluster.

        Parameters
        ----------
        who : int or str
            Number or name.
        by_date : bool, default False
            Whether the oldest face comes first, and those without a date last.
        limit : int or None, default None
            Largest number of faces. None for all.
        offset : int, default 0
            Number of faces to leave out before them.

        Returns
        -------
        list of Face
            Faces, by falling quality or by date.

        Raises
        ------
        GalleryError
            There is no such person or cluster.
        OptionError
            A parameter is out of range.

        Examples
        --------
        >>> cluster, *_ = gallery.people()
        >>> sorted(face.path.name for face in gallery.faces_of(cluster.number))
        ['obama-congress.jpg', 'obama-standing.jpg', 'obama.jpg']
        """
        limit, offset = checked_page(limit, offset)
        with self._reading():
            number = people.find_number(self._store, who)
            return list(self._store.faces.of_person(number, limit, offset, by_date=by_date))

    def photos_of(
        self,
        *who: int | str,
        since: str | datetime.date | None = None,
        until: str | datetime.date | None = None,
    ) -> list[PhotoMatch]:
        """Return the photos that show all of the given people.

        Parameters
        ----------
        *who : int or str
            Numbers or names of at least one person or cluster.
        since, until : str or date, optional
            First and last date, as for `search`.

        Returns
        -------
        list of PhotoMatch
            Photos, the oldest first. Photos without a date come before all others.

        Raises
        ------
        OptionError
            No person is given, or a date is not valid.
        GalleryError
            There is no such person or cluster.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> [photo.path.name for photo in gallery.photos_of("Anna")]
        ['astronaut.jpg']
        """
        if not who:
            raise OptionError("whose photos? Expected at least one name or number")
        dates = Dates.checked(since, until)
        with self._reading():
            return find_photos_of(self._store, [people.find_number(self._store, one) for one in who], dates)
