"""The two pages: the result of a search, and the people in the gallery.

A page is one HTML file. Its policy (Content-Security-Policy) forbids the browser to fetch or run anything, so opening
the page sends nothing to anyone. Names and paths are escaped (`faceie.web.markup`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..gallery import Face, Match, Person
from .cards import plural
from .markup import Html, fill, join, stylesheet

__all__ = ["Group", "people_page", "search_page"]

Thumbnail = Callable[[int], bytes]


class Group(NamedTuple):
    """A person or cluster, and those of its faces that the page shows."""

    person: Person
    faces: Sequence[Face]


def search_page(title: str, about: str, probe: bytes | None, matches: Iterable[Match], thumbnail: Thumbnail) -> str:
    """Return the page of a search: the probe and the faces like it.

    Parameters
    ----------
    title
        The heading and the title of the page.
    about
        A line below the heading, or an empty string.
    probe
        The JPEG of the face that was searched for, or None if the search was by name.
    matches
        The faces to show, in this order.
    thumbnail
        Called with the id of a face; returns its JPEG.

    Returns
    -------
    str
        The HTML of the page.
    """
    cards = [
        _card(
            thumbnail(match.face.id),
            match.face,
            _percent(match.probability),
            [f"distance {match.distance:.2f}", match.face.name or ""],
        )
        for match in matches
    ]
    image = fill("probe", picture=_data(probe)) if probe else Html()
    return _page(title, fill("search", probe=image, about=_paragraph(about), faces=_list(cards)))


def people_page(title: str, about: str, groups: Iterable[Group], thumbnail: Thumbnail) -> str:
    """Return the page of people and clusters. Each face is shown with the id that commands take.

    Parameters
    ----------
    title
        The heading and the title of the page.
    about
        A line below the heading, or an empty string.
    groups
        The people and clusters to show, in this order.
    thumbnail
        Called with the id of a face; returns its JPEG.

    Returns
    -------
    str
        The HTML of the page.
    """
    sections = []
    for person, faces in groups:
        cards = [_card(thumbnail(face.id), face, f"face {face.id}", []) for face in faces]
        name = person.name or f"Cluster {person.number}"
        number = f" (number {person.number})" if person.name else ""
        shown = f", the best {len(faces)} of them here" if len(faces) < person.faces else ""
        counts = f"{plural(person.faces, 'face')} in {plural(person.photos, 'photo')}{shown}{number}"
        sections.append(fill("group", name=name, counts=counts, faces=_list(cards)))
    return _page(title, join([_paragraph(about), join(sections, "\n")]))


def _page(title: str, body: Html) -> str:
    return fill("page", title=title, style=stylesheet(), body=body) + "\n"


def _paragraph(text: str) -> Html:
    return Html(fill("paragraph", text=text) + "\n") if text else Html()


def _list(cards: Iterable[Html]) -> Html:
    return fill("faces", cards=join(cards, "\n"))


def _card(picture: bytes, face: Face, mark: str, texts: Iterable[str]) -> Html:
    """Return the card of a face: picture, mark, lines of text, and a link to the photo."""
    name = face.path.name
    link = fill("link", address=face.path.as_uri(), path=str(face.path), name=name)
    lines = [*texts, (face.taken or "").replace("T", " "), link]
    return fill(
        "card",
        name=name,
        picture=_data(picture),
        mark=fill("mark", text=mark) if mark else Html(),
        lines=join(fill("line", text=line) for line in lines if line),
    )


def _data(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _percent(probability: float | None) -> str:
    """Return a percentage with one digit: more digits would not be significant."""
    if probability is None:
        return ""
    return "more than 99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"
