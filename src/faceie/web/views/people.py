"""People and clusters: all of them, page by page; names, merging, and putting strangers away."""

from __future__ import annotations

from ...errors import GalleryError
from ...gallery import Gallery, Person
from ..cards import empty, face_url, pager, plural, tabs, title_of
from ..markup import Html, fill, join
from ..visit import Data, Done, Page, RequestError, Visit, address
from .route import Route

__all__ = ["ROUTES", "ask_to_merge", "find_named"]

_PAGE = 60  # people and clusters on a page
_COMPLETIONS = 8

_KINDS = {"": "All", "named": "Named", "unnamed": "To name"}


def show_people(visit: Visit) -> Page:
    """Show the people, then the clusters."""
    gallery, counts = visit.gallery, visit.gallery.counts()
    kind, number = visit.text("show"), visit.number("page", 1)
    named = {"named": True, "unnamed": False}.get(kind)
    count = {True: counts.people, False: counts.clusters, None: counts.people + counts.clusters}[named]
    if not counts.people + counts.clusters:
        return Page("People", _nobody(gallery), "/people")
    find = visit.text("find")
    if find:
        people, count = gallery.find_people(find, limit=_PAGE), 0
    else:
        people = gallery.people(named=named, limit=_PAGE, offset=max(0, number - 1) * _PAGE, cluster=False)
    body = fill(
        "people",
        about=_about(counts.people, counts.clusters),
        tabs=tabs(
            "Show", ((address("/people", show=k or None), text, k == kind and not find) for k, text in _KINDS.items())
        ),
        cards=join((person_card(person, visit.path) for person in people), "\n"),
        pager=pager("/people", number, -(-count // _PAGE), show=kind or None),
        find=find,
        none=Html() if people else fill("paragraph", text=f"No name begins with {find}." if find else "None here."),
        next=visit.path,
    )
    return Page("People", body, "/people")


def complete_name(visit: Visit) -> Data:
    """Return the people with a name, or a part of a name, that begins like the text."""
    found = visit.gallery.find_people(visit.text("like"), limit=_COMPLETIONS)
    return Data(
        [
            {"name": person.name, "picture": face_url(person.example), "faces": plural(person.faces, "face")}
            for person in found
        ]
    )


def name_person(visit: Visit) -> Page | Done:
    """Name a cluster or rename a person. Ask whether to merge if another person has the name."""
    number, name = visit.numbers["number"], visit.text("name")
    back = visit.back("/people")
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
    return Done(visit.back(f"/people/{kept}"))


def ignore_person(visit: Visit) -> Done:
    """Ignore all faces of a cluster: strangers."""
    faces = [face.id for face in visit.gallery.faces_of(visit.numbers["number"])]
    visit.gallery.ignore(faces)
    return Done(visit.back("/people"))


def ask_to_merge(person: Person, other: Person, back: str) -> Page:
    """Return the page that asks whether a person is the one who has the new name already."""
    body = fill(
        "merge",
        name=title_of(other),
        left=face_url(person.example),
        right=face_url(other.example),
        left_about=f"{title_of(person)}, {plural(person.faces, 'face')}",
        right_about=f"{title_of(other)}, {plural(other.faces, 'face')}",
        number=str(person.number),
        other=str(other.number),
        next=back,
    )
    return Page(f"Is this {title_of(other)}?", body, "/people")


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
        ignore=Html() if person.name else fill("person_ignore", number=str(person.number), next=back),
        next=back,
    )


def _about(named: int, unnamed: int) -> str:
    words = [plural(named, "person"), f"{plural(unnamed, 'cluster')} to name" if unnamed else "all have a name"]
    return ", ".join(words if named else words[1:])


def _nobody(gallery: Gallery) -> Html:
    if len(gallery) == 0:
        return empty(
            "No faces yet",
            "This gallery is empty. Search a folder of photos for faces; they appear here while the command runs.",
            "faceie index ~/Pictures",
        )
    if not gallery.is_clustered():
        return empty("One moment", f"{plural(len(gallery), 'face')} are being grouped by person. Reload the page soon.")
    return empty(
        "No groups yet",
        f"No two faces look like the same person. {plural(len(gallery), 'face')} can be named under Unassigned.",
    )


ROUTES = (
    Route("GET", "/people", show_people),
    Route("GET", "/names", complete_name),
    Route("POST", "/people/merge", merge_people),
    Route("POST", "/people/{number:int}/name", name_person),
    Route("POST", "/people/{number:int}/ignore", ignore_person),
)
