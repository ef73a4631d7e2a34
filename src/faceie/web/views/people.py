"""People and clusters: all of them, page by page; names and merging."""

from __future__ import annotations

from ...errors import GalleryError
from ...gallery import Gallery, Person
from ..layout import plural
from ..markup import Html, fill, join
from ..visit import Done, Page, RequestError, Visit, address, local_path
from .route import Route

__all__ = ["ROUTES", "face_url", "pager", "title_of"]

_PAGE = 60  # people and clusters on a page


def show_people(visit: Visit) -> Page:
    """Show the people, then the clusters."""
    everyone = visit.gallery.people()
    number = visit.number("page", 1)
    shown = everyone[(number - 1) * _PAGE : number * _PAGE]
    named = sum(person.name is not None for person in everyone)
    cards = [person_card(person, visit.path) for person in shown]
    about = f"{plural(named, 'person').replace('persons', 'people')}, {plural(len(everyone) - named, 'cluster')}"
    body = fill(
        "people",
        about=about,
        cards=join(cards, "\n"),
        pager=pager("/people", number, -(-len(everyone) // _PAGE)),
    )
    return Page("People", body, "/people")


def name_person(visit: Visit) -> Page | Done:
    """Name a cluster or rename a person. Ask whether to merge if another person has the name."""
    number, name = visit.numbers["number"], visit.text("name")
    back = local_path(visit.text("next"), "/people")
    other = find_named(visit.gallery, name)
    if other is not None and other.number != number:
        return ask_to_merge(visit.gallery.person(number), other, back)
    visit.gallery.name(number, name)
    return Done(back)


def merge_people(visit: Visit) -> Done:
    """Merge people and clusters into the first of them that has a name."""
    people = visit.all_numbers("person")
    if len(people) < 2:
        raise RequestError("Select at least two people or clusters to merge.")
    kept = visit.gallery.merge(*people)
    return Done(local_path(visit.text("next"), f"/people/{kept}"))


def ask_to_merge(person: Person, other: Person, back: str) -> Page:
    """Return the page that asks whether a person is the one who has the new name already."""
    body = fill(
        "merge",
        name=other.name or title_of(other),
        left=face_url(person.example),
        right=face_url(other.example),
        left_about=f"{title_of(person)}, {plural(person.faces, 'face')}",
        right_about=f"{title_of(other)}, {plural(other.faces, 'face')}",
        number=str(person.number),
        other=str(other.number),
        next=back,
    )
    return Page(f"Is this {other.name}?", body, "/people")


def find_named(gallery: Gallery, name: str) -> Person | None:
    """Return the person with this name, in any spelling, or None."""
    try:
        return gallery.person(name)
    except GalleryError:
        return None


def person_card(person: Person, back: str) -> Html:
    """Return the card of a person or cluster: face, counts, and a field for the name."""
    return fill(
        "person_card",
        number=str(person.number),
        picture=face_url(person.example),
        title=title_of(person),
        name=person.name or "",
        kind="named" if person.name else "unnamed",
        counts=plural(person.faces, "face"),
        next=back,
    )


def title_of(person: Person) -> str:
    """Return the name of a person, or the number of a cluster in words."""
    return person.name or f"Cluster {person.number}"


def face_url(face: int | None) -> str:
    """Return the address of a face's thumbnail."""
    return "/static/nobody.svg" if face is None else f"/face/{face}.jpg"


def pager(path: str, number: int, pages: int, **values: object) -> Html:
    """Return the links to the previous and the next page, or nothing for a single page."""
    if pages <= 1:
        return Html()
    previous = fill("pager_link", rel="prev", path=address(path, page=number - 1, **values), text="Previous")
    following = fill("pager_link", rel="next", path=address(path, page=number + 1, **values), text="Next")
    return fill(
        "pager",
        previous=previous if number > 1 else Html(),
        text=f"Page {number:,} of {pages:,}",
        following=following if number < pages else Html(),
    )


ROUTES = (
    Route("GET", "/people", show_people),
    Route("POST", "/people/{number:int}/name", name_person),
    Route("POST", "/people/merge", merge_people),
)
