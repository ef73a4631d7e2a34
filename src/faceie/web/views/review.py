"""Review: one question at a time, "Is this Anna?", until all are answered."""

from __future__ import annotations

from ...errors import GalleryError
from ...gallery import Face, Suggestion
from ..cards import empty, face_url, plural
from ..markup import Html, fill, join
from ..visit import Done, Page, RequestError, Visit, address
from .photo import boxes_of, photo_url
from .route import Route

__all__ = ["ROUTES"]

_SHOWN = 12  # faces of a cluster, and of the person, beside the question
_STEPS = 30  # last answers that Back can take back
_SKIP = "s"

#: Probabilities from which a word is used.
_WORDS = ((0.95, "almost certainly"), (0.8, "very likely"), (0.6, "likely"), (0.4, "perhaps"), (0.0, "not likely"))


def show_review(visit: Visit) -> Page:
    """Show the next question."""
    questions = visit.gallery.suggestions(limit=None, cluster=False)
    steps = visit.text("steps")
    back = fill("review_back", steps=steps) if steps else Html()
    if not questions:
        body = fill(
            "review_done",
            empty=empty("Nothing to ask", "Name people, and Faceie asks about the faces that are probably theirs."),
            back=back,
        )
        return Page("Review", body, "/review")
    body = _question(visit, questions, steps, back)
    return Page(_ask(questions[0]), body, "/review")


def answer(visit: Visit) -> Done:
    """Store an answer, and go on to the next question."""
    said = visit.text("answer")
    question = _find(visit)
    if question is None:  # answered in another tab, or by a run that found new faces
        return Done(address("/review", steps=visit.text("steps") or None))
    if said == "skip":
        visit.gallery.skip(question)
        return _next(visit, _SKIP)
    if said in ("yes", "no"):
        visit.gallery.answer(question, said == "yes")
    elif said in ("stranger", "not a face"):
        visit.gallery.ignore(question.faces, said)
    elif visit.text("name"):
        visit.gallery.confirm(visit.text("name"), question.faces)
    else:
        raise RequestError("Answer yes or no, or enter a name.")
    return _next(visit, str(visit.gallery.actions(1)[0].number))


def go_back(visit: Visit) -> Done:
    """Take the last step back: show the last question again, without its answer."""
    *steps, last = visit.text("steps").split(".")
    to = address("/review", steps=".".join(steps) or None)
    if last == _SKIP:
        visit.gallery.unskip()
        return Done(to)
    if not (last.isascii() and last.isdigit() and len(last) < 19):
        raise RequestError("There is no earlier question.")
    try:
        visit.gallery.undo(int(last))
    except GalleryError:
        message = "Something else was said or taken back since. See History for the last actions."
        raise RequestError(message, 409) from None
    return Done(to, undone=1)


def _find(visit: Visit) -> Suggestion | None:
    """Return the question that a form is about, if it is still open."""
    key = visit.number("face"), visit.number("person")
    questions = visit.gallery.suggestions(limit=None, cluster=False)
    return next((question for question in questions if (question.faces[0], question.person) == key), None)


def _next(visit: Visit, step: str) -> Done:
    steps = [*filter(None, visit.text("steps").split(".")), step]
    return Done(address("/review", steps=".".join(steps[-_STEPS:])))


def _question(visit: Visit, questions: list[Suggestion], steps: str, back: Html) -> Html:
    gallery, question = visit.gallery, questions[0]
    face = gallery.face(question.faces[0])
    photo = gallery.photo(face.photo)
    in_photo = gallery.faces_in(photo.id)
    others = [one.name for one in in_photo if one.name and one.id != face.id]
    best = [one.id for one in gallery.faces_of(question.person)[: _SHOWN + 1] if one.id not in question.faces]
    more = question.faces[1:]
    chance = question.probability
    return fill(
        "review",
        question=_ask(question),
        chance=f"{_in_words(chance)} ({100 * chance:.0f} %)",
        left=plural(len(questions), "question") + " left",
        face=str(face.id),
        person=str(question.person),
        steps=steps,
        picture=f"/face/{face.id}/large.jpg",
        name=_whom(question),
        best=_faces(best[:_SHOWN]),
        more=_more_faces(question, more),
        about=f"{(face.taken or 'no date')[:10]}, {_with(others, in_photo, face)}",
        preload=_pictures_of(visit, questions[1:2]),
        photo_page=address("/photo", face=face.id),
        photo=photo_url(photo.id),
        width=str(photo.size[0]),
        height=str(photo.size[1]),
        boxes=boxes_of(in_photo, face.id),
        path=photo.path.name,
        back=back,
    )


def _pictures_of(visit: Visit, questions: list[Suggestion]) -> str:
    """Return the addresses of the large pictures of a question, which the script loads in advance."""
    faces = [visit.gallery.face(question.faces[0]) for question in questions]
    return " ".join(f"/face/{face.id}/large.jpg {photo_url(face.photo)}" for face in faces)


def _ask(question: Suggestion) -> str:
    if question.name is None:
        return "Are these one person?"
    return f"Is this {question.name}?" if len(question.faces) == 1 else f"Are these {question.name}?"


def _whom(question: Suggestion) -> str:
    return question.name or f"Cluster {question.person}"


def _in_words(probability: float) -> str:
    return next(word for least, word in _WORDS if probability >= least).capitalize()


def _faces(faces: list[int] | tuple[int, ...]) -> Html:
    return join(
        (fill("review_face", picture=face_url(face), photo=address("/photo", face=face)) for face in faces), "\n"
    )


def _more_faces(question: Suggestion, faces: tuple[int, ...]) -> Html:
    if not faces:
        return Html()
    hidden = len(faces) - _SHOWN
    rest = f"and {plural(hidden, 'more face')}" if hidden > 0 else ""
    return fill("review_more", faces=_faces(faces[:_SHOWN]), rest=rest, cluster=str(question.cluster))


def _with(names: list[str], faces: list[Face], face: Face) -> str:
    if names:
        return f"with {', '.join(dict.fromkeys(names))}"
    others = sum(one.ignored is None and one.id != face.id for one in faces)
    return f"with {others} others" if others > 1 else "with one other" if others else "alone in the photo"


ROUTES = (
    Route("GET", "/review", show_review, work="questions"),
    Route("POST", "/review", answer, work="questions"),
    Route("POST", "/review/back", go_back),
)
