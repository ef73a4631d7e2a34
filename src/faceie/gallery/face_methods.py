"""`FaceMethods`: the methods of `Gallery` that return faces."""

from __future__ import annotations

from collections.abc import Iterator

from ..checks import checked_page
from ..types import Array
from .base import GalleryFile
from .records import Face

__all__ = ["FaceMethods"]

_BATCH = 500  # faces that are read from the database at a time


class FaceMethods(GalleryFile):
    """The faces of a gallery. A base class of `Gallery`."""

    def faces(self) -> Iterator[Face]:
        """Yield all faces.

        The gallery may be changed during the iteration.

        Yields
        ------
        Face
            Face, in the order of addition.

        Examples
        --------
        >>> [face.path.name for face in gallery.faces()][:2]
        ['astronaut.jpg', 'biden.jpg']
        """
        with self._reading():
            ids = self._store.faces.ids()
        for start in range(0, len(ids), _BATCH):  # no query stays open while the caller has a face
            with self._reading():
                part = list(self._store.faces.by_id(ids[start : start + _BATCH]))
            yield from part

    def face(self, face: int) -> Face:
        """Return one face.

        Parameters
        ----------
        face : int
            Identifier of the face.

        Returns
        -------
        Face
            Face with this identifier.

        Raises
        ------
        GalleryError
            There is no such face.

        Examples
        --------
        >>> gallery.face(1).path.name
        'astronaut.jpg'
        """
        with self._reading():
            return self._store.faces.get(face)

    def embedding(self, face: int) -> Array:
        """Return the embedding of a face.

        Parameters
        ----------
        face : int
            Identifier of the face.

        Returns
        -------
        ndarray of float32, shape (512,)
            Embedding, of unit length.

        Raises
        ------
        GalleryError
            There is no such face.

        Examples
        --------
        >>> gallery.embedding(1).shape
        (512,)
        """
        with self._reading():
            return self._store.faces.embedding(self._store.faces.check_id(face))

    def thumbnail(self, face: int) -> bytes:
        """Return a small picture of a face.

        Parameters
        ----------
        face : int
            Identifier of the face.

        Returns
        -------
        bytes
            JPEG, 128 pixels high.

        Raises
        ------
        GalleryError
            There is no such face.

        Examples
        --------
        >>> gallery.thumbnail(1)[:2]
        b'\\xff\\xd8'
        """
        with self._reading():
            return self._store.faces.thumbnail(self._store.faces.check_id(face))

    def unassigned_faces(self, *, limit: int | None = None, offset: int = 0) -> list[Face]:
        """Return the faces that belong to no person and no cluster, and are not ignored.

        Parameters
        ----------
        limit : int or None, default None
            Largest number of faces. None for all.
        offset : int, default 0
            Number of faces to leave out before them.

        Returns
        -------
        list of Face
            Faces, by falling quality.

        Examples
        --------
        >>> gallery.cluster()
        >>> sorted(face.path.name for face in gallery.unassigned_faces())
        ['astronaut.jpg', 'biden.jpg']
        """
        with self._reading():
            return list(self._store.faces.unassigned(*checked_page(limit, offset)))

    def ignored_faces(self, reason: str | None = None, *, limit: int | None = None, offset: int = 0) -> list[Face]:
        """Return the faces that are ignored.

        Those that are not `confirmed` were ignored because they closely match a stranger.

        Parameters
        ----------
        reason : str, optional
            Only those with this reason: "stranger" or "not a face".
        limit : int or None, default None
            Largest number of faces. None for all.
        offset : int, default 0
            Number of faces to leave out before them.

        Returns
        -------
        list of Face
            Faces, in the order of addition.

        Examples
        --------
        >>> gallery.ignore([1], "stranger")
        >>> [(face.id, face.ignored) for face in gallery.ignored_faces()]
        [(1, 'stranger')]
        """
        with self._reading():
            return list(self._store.faces.ignored(reason, *checked_page(limit, offset)))
