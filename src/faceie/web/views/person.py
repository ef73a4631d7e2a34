"""One person or cluster: all faces, and everything that can be said about them."""

from __future__ import annotations

from ...errors import GalleryError
from ...gallery import Gallery, Person, Suggestion
from ..cards import face_grid, face_url, pager, plural, tabs, title_of
from ..markup import Html, fill, join
from ..visit import Done, Page, RequestError, Visit, address
from .route import Route

__all__ = ["ROUTES"]

_PAGE = 200  # faces on a page
_SIMILAR = 12  # clusters that are offered for merging

_ORDERS = {"": "Best first", "date": "By date"}


def show_person(visit: Visit) -> Page | Done:
    """Show a person or cluster with all faces."""
    undone = visit.number("undone", 0)
    try:
        person = visit.gallery.person(visit.numbers["number"])
    except GalleryError:
        if undone:  # the cluster that was split off
            return Done("/people", undone)
        raise
    order, number = visit.text("order"), visit.number("page", 1)
    start = max(0, number - 1) * _PAGE
    faces = visit.gallery.faces_of(person.number, by_date=order == "date", limit=_PAGE, offset=start)
    here = f"/people/{person.number}"
    title = title_of(person)
    body = fill(
        "person",
        number=str(person.number),
        title=title,
        name=person.name or "",
        cover=face_url(person.example),
        counts=f"{plural(person.faces, 'face')} in {plural(person.photos, 'photo')}{_years(visit.gallery, person)}",
        born=_born(person, here),
        search=address("/search", person=person.number),
        similar=_similar(visit, person),
        order=tabs("Order", ((address(here, order=k or None), text, k == order) for k, text in _ORDERS.items())),
        faces=face_grid(faces),
        pager=pager(here, number, -(-person.faces // _PAGE), order=order or None),
        whom=person.name or "this person",
        cover_button=fill("cover_button", number=str(person.number)) if person.name else Html(),
        next=visit.path,
    )
    return Page(title, body, "/people")


def split(visit: Visit) -> Done:
    """Move the selected faces to a new cluster, and show it."""
    new = visit.gallery.split(visit.numbers["number"], visit.faces())
    return Done(f"/people/{new}")


def move(visit: Visit) -> Done:
    """Move the selected faces to another person, who may be new."""
    name = visit.text("name")
    if not name:
        raise RequestError("Whose faces are these? Enter a name.")
    visit.gallery.confirm(name, visit.faces())
    return _back(visit)


def deny(visit: Visit) -> Done:
    """Note that the selected faces are not this person."""
    visit.gallery.deny(visit.numbers["number"], visit.faces())
    return _back(visit)


def confirm(visit: Visit) -> Done:
    """Confirm that the selected faces are this person."""
    visit.gallery.confirm(visit.numbers["number"], visit.faces())
    return _back(visit)


def set_cover(visit: Visit) -> Done:
    """Let the selected face stand for the person."""
    faces = visit.faces()
    if len(faces) > 1:
        raise RequestError("Select one face for the cover.")
    visit.gallery.cover(visit.numbers["number"], faces[0])
    return _back(visit)


def set_birth(visit: Visit) -> Done:
    """Set or delete the date of birth."""
    visit.gallery.born(visit.numbers["number"], visit.text("date") or None)
    return _back(visit)


def _back(visit: Visit) -> Done:
    """Return to the person, or to all people if no face of a cluster is left."""
    number = visit.numbers["number"]
    try:
        visit.gallery.person(number)
    except GalleryError:
        return Done("/people")
    return Done(visit.back(f"/people/{number}"))


def _years(gallery: Gallery, person: Person) -> str:
    """Return the first and the last year of a person's photos, in words."""
    first = gallery.faces_of(person.number, by_date=True, limit=1)
    taken = [face.taken[:4] for face in first if face.taken]
    return f", since {taken[0]}" if taken else ""


def _born(person: Person, here: str) -> Html:
    if person.name is None:
        return Html()
    summary = f"Born {person.born}" if person.born else "Date of birth"
    return fill("born", summary=summary, number=str(person.number), date=person.born or "", next=here)


def _similar(visit: Visit, person: Person) -> Html:
    """Return the clusters that are probably this person, to be merged at once."""
    questions = [
        question
        for question in visit.gallery.suggestions(person.number, limit=None, cluster=False)
        if question.cluster is not None
    ][:_SIMILAR]
    if not questions:
        return Html()
    cards = join((_similar_card(question) for question in questions), "\n")
    return fill("similar", title=title_of(person), number=str(person.number), cards=cards, next=visit.path)


def _similar_card(question: Suggestion) -> Html:
    return fill(
        "similar_card",
        number=str(question.cluster),
        picture=face_url(question.faces[0]),
        counts=plural(len(question.faces), "face"),
        probability=f"{100 * question.probability:.0f} %",
    )


ROUTES = (
    Route("GET", "/people/{number:int}", show_person, work="questions"),
    Route("POST", "/people/{number:int}/split", split),
    Route("POST", "/people/{number:int}/move", move),
    Route("POST", "/people/{number:int}/deny", deny),
    Route("POST", "/people/{number:int}/confirm", confirm),
    Route("POST", "/people/{number:int}/cover", set_cover),
    Route("POST", "/people/{number:int}/born", set_birth),
)
