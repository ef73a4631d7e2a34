"""`PeopleMethods`: the methods of `Gallery` that list people and take the user's statements about faces."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from ..cohort import Cohort
from ..errors import OptionError
from . import assignment, people
from .import_methods import ImportMethods
from .matrix import load_cohort
from .records import Face, Person, PhotoMatch
from .search import Dates, find_photos_of

__all__ = ["PeopleMethods"]


class PeopleMethods(ImportMethods):
    """The people and clusters of a gallery. A base class of `Gallery`."""

    # Listing

    def people(self) -> list[Person]:
        """List the people and the clusters.

        Faces are clustered first if faces have been added or deleted since the last time. That needs a
        gallery that can be written and that no other program is writing to. Otherwise, the list shows
        the former clusters: see `is_clustered`.

        Returns
        -------
        list of Person
            People by name, then clusters, the largest first.

        Examples
        --------
        >>> [(person.name, person.faces) for person in gallery.people()]
        [(None, 3)]
        """
        with self._reading():
            assignment.cluster_if_possible(self._store)
            return self._store.people.list_all()

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

    def cohort(self) -> Cohort:
        """Return the faces of the gallery that others are judged among.

        They are chosen when faces are clustered: up to four of each person or cluster, at most 4,096.

        Returns
        -------
        Cohort
            Faces with their people. Empty before the first clustering.

        Examples
        --------
        >>> gallery.cluster()
        >>> len(gallery.cohort())
        5
        """
        with self._reading():
            return load_cohort(self._store)

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

    def faces_of(self, who: int | str) -> list[Face]:
        """Return the faces of a person or cluster.

        Parameters
        ----------
        who : int or str
            Number or name.

        Returns
        -------
        list of Face
            Faces, by falling quality.

        Raises
        ------
        GalleryError
            There is no such person or cluster.

        Examples
        --------
        >>> cluster, *_ = gallery.people()
        >>> sorted(face.path.name for face in gallery.faces_of(cluster.number))
        ['obama-congress.jpg', 'obama-standing.jpg', 'obama.jpg']
        """
        with self._reading():
            return list(self._store.faces.of_person(people.find_number(self._store, who)))

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

    # Statements of the user

    def name(self, who: int | str, name: str) -> int:
        """Name a cluster, or rename a person.

        All its faces are confirmed: no clustering moves them afterwards.

        Parameters
        ----------
        who : int or str
            Number or name of the person or cluster.
        name : str
            New name. Names that differ only by case or by their Unicode form are equal.

        Returns
        -------
        int
            Number of the person.

        Raises
        ------
        GalleryError
            There is no such person or cluster, or the name is that of another person.
        OptionError
            The name is empty, a number, or has characters that are not printable.

        Examples
        --------
        >>> cluster, *_ = gallery.people()
        >>> number = gallery.name(cluster.number, "Barack")
        >>> gallery.person(number).name
        'Barack'
        """
        with self._writing("name"):
            return people.name(self._store, who, name)

    def merge(self, *who: int | str) -> int:
        """Make several people or clusters one.

        All their faces are confirmed.

        Parameters
        ----------
        *who : int or str
            Numbers or names of at least two people or clusters. The first one with a name stays, or else the first one.

        Returns
        -------
        int
            Number of the person or cluster that stays.

        Raises
        ------
        GalleryError
            There is no such person or cluster.
        OptionError
            Fewer than two are given.

        Examples
        --------
        >>> first, second = gallery.confirm("Anna", [1]), gallery.confirm("Ann", [2])
        >>> gallery.merge("Anna", "Ann") == first
        True
        >>> gallery.person("Anna").faces
        2
        """
        with self._writing("merge"):
            return people.merge(self._store, who)

    def split(self, who: int | str, faces: Iterable[int]) -> int:
        """Move some faces of a person or cluster to a new cluster.

        All its faces are confirmed, on both sides.

        Parameters
        ----------
        who : int or str
            Number or name of the person or cluster.
        faces : iterable of int
            Identifiers of some of its faces, but not of all.

        Returns
        -------
        int
            Number of the new cluster.

        Raises
        ------
        GalleryError
            There is no such person, cluster or face, or a face does not belong to it.
        OptionError
            No faces or all faces are given.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1, 2])
        >>> new = gallery.split("Anna", [2])
        >>> gallery.person("Anna").faces, gallery.person(new).faces
        (1, 1)
        """
        with self._writing("split"):
            return people.split(self._store, who, faces)

    def confirm(self, who: int | str, faces: Iterable[int]) -> int:
        """State that faces are a person.

        Parameters
        ----------
        who : int or str
            Number or name of the person or cluster. A new name adds a person.
        faces : iterable of int
            Identifiers of the faces.

        Returns
        -------
        int
            Number of the person.

        Raises
        ------
        GalleryError
            There is no such face, or no person or cluster with this number.
        OptionError
            The name is empty, a number, or has characters that are not printable.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> gallery.face(1).name, gallery.face(1).confirmed
        ('Anna', True)
        """
        with self._writing("confirm"):
            return people.confirm(self._store, who, faces)

    def deny(self, who: int | str, faces: Iterable[int]) -> None:
        """State that faces are not a person.

        Parameters
        ----------
        who : int or str
            Number or name of the person or cluster.
        faces : iterable of int
            Identifiers of the faces.

        Raises
        ------
        GalleryError
            There is no such person, cluster or face.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> gallery.deny("Anna", [1])
        >>> print(gallery.face(1).name)
        None
        """
        with self._writing("deny"):
            people.deny(self._store, who, faces)
