"""The two pages: what a search has found, and who is in the gallery.

A page is one HTML file. Its policy (Content-Security-Policy) forbids the browser to fetch or run anything, so whoever
opens it tells nobody. Whatever comes from outside, names and paths, is escaped.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..gallery import Face, Match, Person

__all__ = ["Group", "people_page", "search_page"]

_STYLE = """\
:root { color-scheme: light dark; --ink: #1d2329; --faint: #5b6670; --paper: #fff; --card: #f3f5f7; --mark: #1a6b3c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebee; --faint: #a3adb7; --paper: #15181b; --card: #22272c; --mark: #7fd6a4; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; overflow-wrap: anywhere; }
p { margin: .25rem 0 .75rem; color: var(--faint); overflow-wrap: anywhere; }
code { font-size: .9em; }
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .75rem;
  padding: 0; margin: 0; }
.faces li { list-style: none; background: var(--card); border-radius: .5rem; padding: .5rem; min-width: 0; }
.faces img, .probe img { height: 8rem; max-width: 100%; object-fit: cover; border-radius: .35rem; display: block;
  margin: 0 auto .35rem; }
.probe img { margin: 0; }
.faces span { display: block; font-size: .8rem; color: var(--faint); overflow-wrap: anywhere; }
.faces strong { display: block; font-size: .95rem; color: var(--mark); }
a { color: inherit; }
"""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

Thumbnail = Callable[[int], bytes]


class Group(NamedTuple):
    """A person or cluster, and those of its faces that are shown."""

    person: Person
    faces: Sequence[Face]


def search_page(title: str, about: str, probe: bytes | None, matches: Iterable[Match], thumbnail: Thumbnail) -> str:
    """Return the page of a search: the probe (a JPEG, if there is one), and the faces that are like it.

    `thumbnail` gives the JPEG of a face by its id.
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
    image = f'<img alt="the face that was searched for" src="{_data(probe)}">' if probe else ""
    return _page(title, f'<div class="probe">{image}</div>\n{_paragraph(about)}{_list(cards)}')


def people_page(title: str, about: str, groups: Iterable[Group], thumbnail: Thumbnail) -> str:
    """Return the page of people and clusters. Below each face is the id by which commands call it."""
    sections = []
    for person, faces in groups:
        cards = [_card(thumbnail(face.id), face, f"face {face.id}", []) for face in faces]
        called = person.name or f"Cluster {person.number}"
        number = f" (number {person.number})" if person.name else ""
        shown = f", the best {len(faces)} of them here" if len(faces) < person.faces else ""
        counts = f"{_counted(person.faces, 'face')} in {_counted(person.photos, 'photo')}{shown}{number}"
        sections.append(
            f"<section>\n<h2>{html.escape(called)}</h2>\n<p>{html.escape(counts)}</p>\n{_list(cards)}\n</section>"
        )
    return _page(title, _paragraph(about) + "\n".join(sections))


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=html.escape(title), style=_STYLE, body=body)


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>\n" if text else ""


def _list(cards: Iterable[str]) -> str:
    return '<ul class="faces">\n' + "\n".join(cards) + "\n</ul>"


def _card(picture: bytes, face: Face, mark: str, lines: Iterable[str]) -> str:
    name = _text(face.path.name)
    link = f'<a href="{html.escape(face.path.as_uri())}" title="{_text(face.path)}">{name}</a>'
    texts = [*map(html.escape, filter(None, lines)), html.escape((face.taken or "").replace("T", " ")), link]
    spans = "".join(f"<span>{text}</span>" for text in texts if text)
    strong = f"<strong>{html.escape(mark)}</strong>" if mark else ""
    return f'<li><img alt="a face in {name}" loading="lazy" src="{_data(picture)}">{strong}{spans}</li>'


def _text(path: Path | str) -> str:
    """Return a path as text that can be written: what is not UTF-8 in it as a question mark."""
    return html.escape(str(path).encode("utf-8", "replace").decode())


def _data(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _percent(probability: float | None) -> str:
    """More digits would pretend that they were known."""
    if probability is None:
        return ""
    return "more than 99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
