"""`PhotoMethods`: the methods of `Gallery` about photos, and about faces that the user has drawn."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path

from ..checks import whole_number
from ..errors import GalleryError
from .assignment import assign_new
from .drawn import draw_face, store_drawn
from .face_methods import FaceMethods
from .pictures import close_up, picture
from .records import Face, Photo
from .search import Dates
from .store_faces import NO_LIMIT

__all__ = ["PhotoMethods"]


class PhotoMethods(FaceMethods):
    """The photos of a gallery. A base class of `Gallery`."""

    def photos(
        self,
        *,
        since: str | datetime.date | None = None,
        until: str | datetime.date | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Photo]:
        """Return the photos, with or without faces, by date.

        Parameters
        ----------
        since, until : str or date, optional
            First and last date, as for `search`.
        limit : int, optional
            Largest number of photos.
        offset : int, default 0
            Number of photos to leave out at the beginning.

        Returns
        -------
        list of Photo
            Photos, the oldest first. Photos without a date come before all others. See `bad_photos` for those that
            cannot be used.

        Raises
        ------
        OptionError
            A parameter is out of range.

        Examples
        --------
        >>> [(photo.path.name, photo.faces) for photo in gallery.photos(limit=2)]
        [('astronaut.jpg', 1), ('biden.jpg', 1)]
        """
        dates = Dates.checked(since, until)
        limit = NO_LIMIT if limit is None else whole_number("limit", limit, or_else=", or None for all")
        offset = whole_number("offset", offset, least=0)
        with self._reading():
            return self._store.photos_by_date(*dates, limit, offset)

    def photo(self, photo: int | str | os.PathLike[str]) -> Photo:
        """Return one photo.

        Parameters
        ----------
        photo : int, str or path-like
            Identifier or path of the photo.

        Returns
        -------
        Photo
            Photo.

        Raises
        ------
        GalleryError
            There is no such photo in the gallery, or it cannot be used.

        Examples
        --------
        >>> photo = gallery.photo("photos/biden.jpg")
        >>> photo.size, photo.faces
        ((88, 200), 1)
        >>> gallery.photo(photo.id).path.name
        'biden.jpg'
        """
        with self._reading():
            return self._photo(photo)

    def faces_in(self, photo: int | str | os.PathLike[str]) -> list[Face]:
        """Return the faces in a photo.

        Parameters
        ----------
        photo : int, str or path-like
            Identifier or path of the photo.

        Returns
        -------
        list of Face
            Faces from left to right, ignored ones included.

        Raises
        ------
        GalleryError
            There is no such photo in the gallery, or it cannot be used.

        Examples
        --------
        >>> [face.number for face in gallery.faces_in("photos/biden.jpg")]
        [1]
        """
        with self._reading():
            return list(self._store.faces.in_photo(self._photo(photo).id))

    def picture(self, photo: int | str | os.PathLike[str], size: int = 2048) -> bytes:
        """Return a photo for display.

        Parameters
        ----------
        photo : int, str or path-like
            Identifier or path of the photo.
        size : int, default 2048
            Largest width and height in pixels.

        Returns
        -------
        bytes
            Upright JPEG, without metadata.

        Raises
        ------
        GalleryError
            There is no such photo in the gallery, or it cannot be used.
        ImageError
            The photo cannot be opened.

        Examples
        --------
        >>> gallery.picture("photos/biden.jpg", 100)[:2]
        b'\\xff\\xd8'
        """
        size = whole_number("size", size)
        with self._reading():
            path = self._photo(photo).path
        return picture(path, size)

    def close_up(self, face: int, size: int = 512) -> bytes:
        """Return a face with its surroundings, larger and sharper than `thumbnail`.

        Parameters
        ----------
        face : int
            Identifier of the face.
        size : int, default 512
            Largest width and height in pixels.

        Returns
        -------
        bytes
            JPEG.

        Raises
        ------
        GalleryError
            There is no such face.
        ImageError
            The photo cannot be opened.

        Examples
        --------
        >>> gallery.close_up(1)[:2]
        b'\\xff\\xd8'
        """
        size = whole_number("size", size)
        return close_up(self.face(face), size)

    def add_face(self, photo: int | str | os.PathLike[str], box: Sequence[float], who: int | str | None = None) -> int:
        """Add a face that was not found: a box that you have drawn in a photo.

        The surroundings of the box are searched at lower thresholds. If a face is found there, its exact box and
        landmarks are stored, or else the box as drawn. The face stays, also when the photo changes, as long as it is
        in the photo. If the box is around a known face, no face is added.

        Parameters
        ----------
        photo : int, str or path-like
            Identifier or path of the photo.
        box : sequence of 4 floats
            Corners x1, y1, x2, y2 in pixels of the upright photo.
        who : int or str, optional
            Number or name of the person or cluster, as for `confirm`. By default, the face is recognized, if it is
            similar to known ones.

        Returns
        -------
        int
            Identifier of the new or known face.

        Raises
        ------
        GalleryError
            There is no such photo in the gallery, it has changed since it was indexed, or there is no person or cluster
            with this number.
        ImageError
            The photo cannot be opened.
        OptionError
            The box lies outside of the photo or is smaller than 8 pixels, or the name is not valid.

        See Also
        --------
        ignore : Removes a face that was added by mistake ("not a face").

        Examples
        --------
        >>> face = gallery.add_face("photos/astronaut.jpg", (100, 20, 130, 60), "Anna")
        >>> gallery.face(face).name, gallery.face(face).drawn
        ('Anna', True)
        >>> gallery.undo().name
        'add_face'
        """
        with self._reading():
            target = self._photo(photo)
            new = draw_face(self._store, target, box, self._settings, self._weights)
        with self._writing("add_face"):
            face = store_drawn(self._store, target.id, new, who)
        if who is None:
            with self._reading():
                assign_new(self._store)
        return face

    def _photo(self, photo: int | str | os.PathLike[str]) -> Photo:
        if isinstance(photo, str | os.PathLike):
            path = os.path.abspath(Path(photo).expanduser())  # noqa: PTH100  # leaves links as they are
            known = self._store.file(path)
            number = known.photo if known else None
            what = str(photo)
        else:
            number = whole_number("the id of a photo", photo, least=None)
            what = f"photo {number}"
        found = None if number is None or number.bit_length() > 63 else self._store.find_photo(number)
        if found is None:
            raise GalleryError(f"{what} is not in this gallery, or cannot be used; faceie index adds photos")
        return found
