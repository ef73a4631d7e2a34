"""`GalleryFile`: open, close, copy and delete the files of a gallery."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ..errors import OptionError
from ..facenet.network import InceptionResNetV1
from ..mtcnn.options import DetectionOptions
from . import wipe
from .database import translate_errors
from .reports import Forgotten
from .settings import choose_settings, default_path, load_checked
from .store import open_store

__all__ = ["GalleryFile"]

Self = TypeVar("Self", bound="GalleryFile")  # `typing.Self` needs Python 3.11


class GalleryFile:
    """The files of a gallery. A base class of `Gallery`, which documents the parameters."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        create: bool = True,
        weights: str | Path | None = None,
        options: DetectionOptions | None = None,
    ) -> None:
        self._store = open_store(default_path() if path is None else path, create)
        self.path = self._store.path
        self._loaded: InceptionResNetV1 | None = None
        try:
            with self._reading():
                self._settings = choose_settings(self._store, weights, options)
        except BaseException:
            self.close()
            raise

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        """Count the faces."""
        with self._reading():
            return self._store.faces.count()

    def close(self) -> None:
        """Close the file. The object cannot be used afterwards.

        A ``with`` statement does this at its end. Closing twice does no harm.

        Examples
        --------
        >>> gallery.close()
        """
        self._store.close()

    @property
    def is_read_only(self) -> bool:
        """Whether the gallery cannot be written where it lies.

        Then it can be searched and listed, but all methods that change it raise `GalleryError`.

        Examples
        --------
        >>> gallery.is_read_only
        False
        """
        return self._store.is_read_only

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the gallery to another file.

        The copy is one file with the state of one moment, even if other programs use the gallery at the same time. A
        gallery in PostgreSQL is copied by ``pg_dump`` instead.

        Parameters
        ----------
        path : str or path-like
            File to write. An existing file is replaced, with the files beside it, once the copy is complete.

        Raises
        ------
        OptionError
            The file is the gallery itself.
        GalleryError
            The copy could not be written, or the gallery is in a database. An existing file stays as it is.

        Examples
        --------
        >>> gallery.backup("copy.faceie")
        >>> with Gallery("copy.faceie") as copy:
        ...     len(copy) == len(gallery)
        True
        """
        target = Path(path).expanduser()
        if isinstance(self.path, Path) and target.exists() and target.samefile(self.path):
            raise OptionError(f"{target}: this is the gallery itself, expected another file")
        with translate_errors(target):
            self._store.back_up(target)

    def forget_person(self, who: int | str) -> Forgotten:
        """Delete a person or cluster with all its faces, and overwrite their bytes.

        The photos stay known. They are not searched again until they change.

        Parameters
        ----------
        who : int or str
            Number or name of the person or cluster.

        Returns
        -------
        Forgotten
            Number of deleted faces.

        Raises
        ------
        GalleryError
            There is no such person. Or the rows are deleted, but another program keeps old bytes in use: close it and
            call the method again.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> gallery.forget_person("Anna")
        Forgotten(photos=0, faces=1)
        """
        with self._reading():
            return wipe.forget(self._store, lambda store: wipe.person(store, who))

    def forget_photo(self, path: str | os.PathLike[str]) -> Forgotten:
        """Delete a photo, its copies and its faces from the gallery, and overwrite their bytes.

        The files of the photo stay. Later runs leave them out, unless `index` is asked for forgotten photos.

        Parameters
        ----------
        path : str or path-like
            Path of the photo.

        Returns
        -------
        Forgotten
            Number of deleted photos, copies included, and faces.

        Raises
        ------
        GalleryError
            The photo is not in the gallery. Or the rows are deleted, but another program keeps old bytes in use: close
            it and call the method again.

        Examples
        --------
        >>> gallery.forget_photo("photos/biden.jpg")
        Forgotten(photos=1, faces=1)
        """
        whole = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100  # leaves links as they are
        with self._reading():
            return wipe.forget(self._store, lambda store: wipe.photo(store, whole))

    def forget_all(self) -> Forgotten:
        """Delete the gallery with all its files, overwrite their bytes, and close it.

        Returns
        -------
        Forgotten
            Number of deleted photos, copies included, and faces.

        Raises
        ------
        GalleryError
            Another program keeps old bytes in use: close it and call the method again.

        Examples
        --------
        >>> gallery.forget_all()
        Forgotten(photos=5, faces=5)
        """
        with self._reading():
            self._store.check_owner()
            forgotten = wipe.forget(self._store, wipe.everything)
            self._store.drop_tables()
            self.close()
            if isinstance(self.path, Path):
                wipe.files(self.path)
            return forgotten

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Translate errors while the gallery is read."""
        with translate_errors(self.path):
            yield

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Translate errors while the gallery is written, in a transaction."""
        with translate_errors(self.path), self._store.transaction():
            yield

    @contextmanager
    def _writing(self, action: str) -> Iterator[None]:
        """Translate errors while the gallery is written, in a transaction, as an action that the user can undo."""
        with translate_errors(self.path), self._store.transaction(), self._store.history.recording(action):
            yield

    def _weights(self) -> InceptionResNetV1:
        """Load the encoder's weights."""
        if self._loaded is None:
            with self._reading():
                self._loaded = load_checked(self._store, self._settings)
        return self._loaded
