"""`QuestionMethods`: the methods of `Gallery` that take statements back."""

from __future__ import annotations

from ..checks import whole_number
from ..errors import GalleryError
from . import people
from .people_methods import PeopleMethods
from .records import Action

__all__ = ["QuestionMethods"]


class QuestionMethods(PeopleMethods):
    """The questions of a gallery, and the user's last actions. A base class of `Gallery`."""

    def actions(self, limit: int = 20) -> list[Action]:
        """Return the last actions of the user, which `undo` takes back.

        Up to a hundred are kept.

        Parameters
        ----------
        limit : int, default 20
            Largest number of actions.

        Returns
        -------
        list of Action
            Actions, the latest first.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> [(action.name, action.faces, action.people) for action in gallery.actions()]
        [('confirm', 1, ('Anna',))]
        """
        with self._reading():
            return self._store.history.last(whole_number("limit", limit))

    def undo(self) -> Action:
        """Take back the last action of the user that is not yet undone.

        An action is a call of a method that takes a statement about faces, such as `name`, `merge` or `confirm`. It may
        have been made by another program, or long ago, and photos may have been indexed since. Faces that were
        recognized because of it are recognized anew. Deletion cannot be undone, and `forget_person` deletes all earlier
        actions, since they may hold names.

        Returns
        -------
        Action
            Action that was taken back.

        Raises
        ------
        GalleryError
            There is no action to undo, or the gallery cannot be written.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> gallery.undo().name
        'confirm'
        >>> print(gallery.face(1).name)
        None
        """
        with self._changing():
            undone = people.undo(self._store)
            if undone is None:
                raise GalleryError(f"{self.path}: there is no action to undo")
            return undone
