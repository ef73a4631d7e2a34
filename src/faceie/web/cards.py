"""Pieces that several views share: faces to select, links to further pages, empty places."""

from __future__ import annotations

from collections.abc import Iterable

from ..gallery import Face, Person
from .markup import Html, fill, join
from .visit import address

__all__ = ["current_if", "empty", "face_grid", "face_url", "pager", "plural", "tabs", "title_of"]


def face_grid(faces: Iterable[Face]) -> Html:
    """Return a grid of faces that can be selected: the field ``face`` of the form around it."""
    return fill("face_grid", cards=join(map(_face_card, faces), "\n"))


def _face_card(face: Face) -> Html:
    date = (face.taken or "")[:10]
    return fill(
        "face_card",
        id=str(face.id),
        picture=face_url(face.id),
        label=", ".join(filter(None, [f"Face {face.id}", face.name, date])),
        photo=address("/photo", face=face.id),
        path=str(face.path),
        about=date or face.path.name,
    )


def face_url(face: int | None) -> str:
    """Return the address of a face's thumbnail, or of a placeholder."""
    return "/static/nobody.svg" if face is None else f"/face/{face}.jpg"


def title_of(person: Person) -> str:
    """Return the name of a person, or the number of a cluster in words."""
    return person.name or f"Cluster {person.number}"


def pager(path: str, number: int, pages: int, *, is_total: bool = True, **values: object) -> Html:
    """Return the links to the previous and the next page, or nothing for a single page.

    `pages`: number of pages, or of those that are known if that is not the total.
    """
    if pages <= 1:
        return Html()
    previous = fill("pager_link", rel="prev", key="[", path=address(path, **values, page=number - 1), text="Previous")
    following = fill("pager_link", rel="next", key="]", path=address(path, **values, page=number + 1), text="Next")
    return fill(
        "pager",
        previous=previous if number > 1 else Html(),
        text=f"Page {number:,} of {pages:,}" if is_total else f"Page {number:,}",
        following=following if number < pages else Html(),
    )


def tabs(label: str, links: Iterable[tuple[str, str, bool]]) -> Html:
    """Return links of which one is chosen: path, words, and whether it is the chosen one."""
    parts = [fill("nav_link", path=path, text=text, current=current_if(chosen)) for path, text, chosen in links]
    return fill("tabs", label=label, links=join(parts, "\n"))


def current_if(chosen: bool) -> Html:
    """Return the attribute of the link to the current page, or nothing."""
    return Html(' aria-current="page"' if chosen else "")


def empty(title: str, text: str, command: str = "") -> Html:
    """Return the text of a page without content: a fact, and advice."""
    code = fill("command", text=command) if command else Html()
    return fill("empty", title=title, text=text, command=code)


def plural(number: int, noun: str) -> str:
    """Return a number and its noun: "1 face", "2 people"."""
    several = "people" if noun == "person" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else several}"
