"""`PeopleMethods`: the methods of `Gallery` that take the user's statements about people and faces."""

from __future__ import annotations

from collections.abc import Iterable

from . import people
from .list_methods import ListMethods

__all__ = ["PeopleMethods"]


class PeopleMethods(ListMethods):
    """The user's statements about people and clusters. A base class of `Gallery`."""

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
