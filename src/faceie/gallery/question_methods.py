"""`QuestionMethods`: the methods of `Gallery` that ask the user, ignore faces, and take statements back."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from functools import cached_property

from ..checks import whole_number
from ..errors import GalleryError, OptionError
from . import people
from .assignment import cluster_if_possible
from .people_methods import PeopleMethods
from .records import Action, Suggestion
from .skipped import key_of, skip_question, skipped_questions, unskip_question
from .suggestions import StoredQuestions

__all__ = ["QuestionMethods"]


class QuestionMethods(PeopleMethods):
    """The questions of a gallery, and the user's last actions. A base class of `Gallery`."""

    @cached_property
    def _questions(self) -> StoredQuestions:
        return StoredQuestions(self._store)

    def suggestions(
        self,
        who: int | str | None = None,
        *,
        limit: int | None = 20,
        min_probability: float = 0.1,
        cluster: bool = True,
    ) -> list[Suggestion]:
        """Return the questions whose answers settle most faces.

        They are about faces and clusters that are probably a person with a name, and about clusters that are probably
        one, but not so surely that they are joined without a question. Faces are clustered first, as by `people`.

        The first call compares all faces: some seconds for 100,000. The object keeps the result in memory, and later
        calls compare only the people and clusters that this object or another program has changed.

        Parameters
        ----------
        who : int or str, optional
            Number or name of a person or cluster: only questions whether other faces are this one.
        limit : int or None, default 20
            Largest number of questions. None for all.
        min_probability : float, default 0.1
            Least probability of a yes, 0 to 1.
        cluster : bool, default True
            Whether to cluster first if faces have changed, as for `people`.

        Returns
        -------
        list of Suggestion
            Questions, by the number of faces times the probability of a yes, the largest first. A face or cluster is in
            question once: after a no, the next person may follow.

        Raises
        ------
        GalleryError
            There is no such person or cluster.
        OptionError
            A parameter is out of range.

        See Also
        --------
        answer : Answers a question.

        Examples
        --------
        >>> gallery.cluster()
        >>> number = gallery.confirm("Barack", [4])
        >>> for question in gallery.suggestions():
        ...     print(question.name, sorted(gallery.face(face).path.name for face in question.faces))
        Barack ['obama-congress.jpg', 'obama.jpg']
        """
        limit = None if limit is None else whole_number("limit", limit, or_else=", or None for all")
        if not 0 <= min_probability <= 1:
            raise OptionError(f"min_probability is {min_probability}, expected 0 to 1")
        with self._reading():
            if cluster:
                cluster_if_possible(self._store)
            person = None if who is None else people.find_number(self._store, who)
            skipped = skipped_questions(self._store)
            if not skipped:
                return self._questions.find(limit, min_probability, person)
            order = {key: index for index, key in enumerate(skipped)}
            found = self._questions.find(None, min_probability, person)
            return sorted(found, key=lambda question: order.get(key_of(question), -1))[:limit]

    def skip(self, question: Suggestion) -> None:
        """Put a question off: `suggestions` returns it after all others.

        Parameters
        ----------
        question : Suggestion
            Question, as `suggestions` returns it.

        Raises
        ------
        GalleryError
            The gallery cannot be written.

        Examples
        --------
        >>> gallery.cluster()
        >>> number = gallery.confirm("Barack", [4])
        >>> gallery.skip(gallery.suggestions()[0])
        >>> len(gallery.suggestions())
        1
        """
        with self._changing():
            skip_question(self._store, question)

    def unskip(self) -> None:
        """Take back the last call of `skip`.

        Raises
        ------
        GalleryError
            No question is skipped, or the gallery cannot be written.

        Examples
        --------
        >>> gallery.cluster()
        >>> number = gallery.confirm("Barack", [4])
        >>> gallery.skip(gallery.suggestions()[0])
        >>> gallery.unskip()
        """
        with self._changing():
            if not unskip_question(self._store):
                raise GalleryError(f"{self.path}: no question is skipped")

    def answer(self, question: Suggestion, yes: bool) -> int:
        """Answer a question.

        The answer lasts until you say otherwise, however often faces are clustered again. Yes confirms the faces in
        question as the person. Yes and no about a cluster also confirm its own faces, since you have seen them all.

        Parameters
        ----------
        question : Suggestion
            Question, as `suggestions` returns it.
        yes : bool
            Whether the faces are this person.

        Returns
        -------
        int
            Number of the person or cluster.

        Raises
        ------
        GalleryError
            The person, the cluster or a face is no longer in the gallery.

        Examples
        --------
        >>> gallery.cluster()
        >>> number = gallery.confirm("Barack", [4])
        >>> (question,) = gallery.suggestions()
        >>> number = gallery.answer(question, True)
        >>> gallery.person("Barack").faces, gallery.suggestions()
        (3, [])
        """
        with self._writing("answer"):
            return people.answer(self._store, question, yes)

    def ignore(self, faces: Iterable[int], reason: str = "stranger") -> None:
        """Leave faces out of people, clusters, suggestions and searches.

        They stay in `faces`, with the reason. New faces that closely match a stranger are ignored, too, and counted by
        `index`.

        Parameters
        ----------
        faces : iterable of int
            Identifiers of the faces.
        reason : str, default "stranger"
            Reason: "stranger" or "not a face".

        Raises
        ------
        GalleryError
            There is no such face.
        OptionError
            The reason is another one.

        See Also
        --------
        unignore : Takes this back.
        ignored_faces : Lists them.

        Examples
        --------
        >>> gallery.ignore([1], "not a face")
        >>> gallery.face(1).ignored
        'not a face'
        """
        with self._writing("ignore"):
            people.ignore(self._store, faces, reason)

    def unignore(self, faces: Iterable[int]) -> int:
        """Take back that faces are ignored.

        Faces that were ignored since they match these strangers only are taken back, too.

        Parameters
        ----------
        faces : iterable of int
            Identifiers of ignored faces.

        Returns
        -------
        int
            Number of faces that are no longer ignored.

        Raises
        ------
        GalleryError
            There is no such face, or it is not ignored.

        Examples
        --------
        >>> gallery.ignore([1])
        >>> gallery.unignore([1])
        1
        """
        with self._writing("unignore"):
            return people.notice(self._store, faces)

    def cover(self, who: int | str, face: int | None) -> None:
        """Choose the face that stands for a person in lists.

        Parameters
        ----------
        who : int or str
            Number or name of the person.
        face : int or None
            Identifier of one of its faces. None for the face with the highest quality.

        Raises
        ------
        GalleryError
            There is no such person or face, the face does not belong to the person, or it is a cluster without a name.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1, 2])
        >>> gallery.cover("Anna", 2)
        >>> gallery.person("Anna").example
        2
        """
        with self._writing("cover"):
            people.set_cover(self._store, who, face)

    def born(self, who: int | str, date: str | datetime.date | None) -> int:
        """Set the date of birth of a person, who is not recognized in photos that were taken before.

        Faces that you have confirmed stay.

        Parameters
        ----------
        who : int or str
            Number or name of the person.
        date : str, date or None
            Date of birth: a date, or "2001-05-23", "2001-05" or "2001". None if it is unknown.

        Returns
        -------
        int
            Number of recognized faces in earlier photos, which no longer belong to the person.

        Raises
        ------
        GalleryError
            There is no such person, or it is a cluster without a name.
        OptionError
            The date is not valid.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> gallery.born("Anna", "2001-05")
        0
        >>> gallery.person("Anna").born
        '2001-05'
        """
        with self._writing("born"):
            return people.set_birth(self._store, who, date)

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

    def undo(self, number: int | None = None) -> Action:
        """Take back the last action of the user that is not yet undone.

        An action is a call of a method that takes a statement about faces, such as `name`, `merge` or `confirm`. It may
        have been made by another program, or long ago, and photos may have been indexed since. Faces that were
        recognized because of it are recognized anew. Deletion cannot be undone, and `forget_person` deletes all earlier
        actions, since they may hold names.

        Parameters
        ----------
        number : int, optional
            Number of the action that the user has seen as the last one. If another one has followed, nothing is undone.

        Returns
        -------
        Action
            Action that was taken back.

        Raises
        ------
        GalleryError
            There is no action to undo, the last one has another number, or the gallery cannot be written.

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
            if number not in (None, undone.number):  # the transaction ends without a change
                raise GalleryError(f"{self.path}: another action has followed or was undone. Look at the list again")
            return undone
