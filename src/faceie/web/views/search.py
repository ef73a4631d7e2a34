"""Search: who is on a photo that is dropped on the page, photos of people together, and photos by date."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from ...errors import FaceieError
from ...gallery import Match, Person, Photo, PhotoMatch, Probe
from ..cards import empty, face_url, pager, plural, title_of
from ..markup import Html, fill, join
from ..visit import Page, RequestError, Visit, address
from .people import find_named
from .photo import photo_url
from .route import Route

__all__ = ["ROUTES"]

_PAGE = 60  # photos on a page
_MATCHES = 24  # faces shown for each one that is searched
_LEAST = 0.5  # least probability of a match that is shown


def show_search(visit: Visit) -> Page:
    """Show the photos of people together, of a period, or the faces like a given one."""
    if face := visit.number("face", 0):
        return _page(visit, _like(visit, face), "Faces like this one")
    people = [visit.gallery.person(number) for number in visit.all_numbers("person")]
    if name := visit.text("name"):
        found = find_named(visit.gallery, name)
        if found is None:
            return _page(visit, _nothing(f"No person here is called {name}."), "Search")
        people += [found] if found not in people else []
    since, until = _dates(visit)
    if not (people or since or until or visit.text("all")):
        return _page(visit, Html(), "Search")
    number = max(1, visit.number("page", 1))
    title, shown, pages = _photos_of(visit, people, number) if people else _photos_by_date(visit, number)
    numbers = [person.number for person in people]
    fields = {"person": numbers or None, "since": since, "until": until, "all": visit.text("all") or None}
    links = pager("/search", number, pages, is_total=bool(people), **fields)
    body = fill("search_photos", cards=join(shown, "\n"), pager=links)
    return _page(visit, body if shown else _nothing("There is no such photo."), title, numbers)


def search_uploads(visit: Visit) -> Page:
    """Search for all faces in the uploaded photos. Nothing of them is stored."""
    if not visit.files:
        raise RequestError("Choose one or more photos first.")
    found: list[tuple[int, Probe]] = []
    parts: list[Html] = []
    for number, content in enumerate(visit.files, 1):
        try:
            probes = visit.gallery.probes(content)
        except FaceieError as error:
            parts.append(fill("search_problem", photo=f"Photo {number}", text=str(error)))
            continue
        if not probes:
            parts.append(fill("search_problem", photo=f"Photo {number}", text="No face was found in it."))
        found += [(number, probe) for probe in probes]
    if visit.text("together") and len(found) > 1:
        matches = visit.gallery.search([probe for _, probe in found], limit=_MATCHES, min_probability=_LEAST)
        pictures = join((_probe_picture(probe) for _, probe in found), "\n")
        parts.append(_result(f"{plural(len(found), 'face')} of one person", pictures, matches))
    else:
        for number, probe in found:
            matches = visit.gallery.search(probe, limit=_MATCHES, min_probability=_LEAST)
            about = f"Photo {number}" + (f", face {probe.number} of {probe.faces}" if probe.faces > 1 else "")
            parts.append(_result(about, _probe_picture(probe), matches))
    return _page(visit, join(parts, "\n"), "Who is this?")


def _photos_of(visit: Visit, people: Sequence[Person], number: int) -> tuple[str, list[Html], int]:
    """Return a title, the cards of a page of photos that show all of these people, and the number of pages."""
    since, until = _dates(visit)
    photos = visit.gallery.photos_of(*(person.number for person in people), since=since, until=until)
    title = f"{plural(len(photos), 'photo')} of {' and '.join(map(title_of, people))}"
    shown = [_card_of_people(photo) for photo in photos[(number - 1) * _PAGE : number * _PAGE]]
    return title, shown, -(-len(photos) // _PAGE)


def _photos_by_date(visit: Visit, number: int) -> tuple[str, list[Html], int]:
    """Return a title, the cards of a page of photos of a period, and the number of pages that are known."""
    since, until = _dates(visit)
    photos = visit.gallery.photos(since=since, until=until, limit=_PAGE + 1, offset=(number - 1) * _PAGE)
    shown = [_card_of_photo(photo) for photo in photos[:_PAGE]]
    return "Photos by date", shown, number + (len(photos) > _PAGE)


def _dates(visit: Visit) -> tuple[str | None, str | None]:
    """Return the first and the last date, or None without a bound."""
    return visit.text("since") or None, visit.text("until") or None


def _page(visit: Visit, results: Html, title: str, people: Sequence[int] = ()) -> Page:
    body = fill(
        "search_page",
        title=title,
        chosen=join((_chosen(visit, number) for number in people), "\n"),
        since=visit.text("since"),
        until=visit.text("until"),
        open=Html() if results else Html(" open"),
        results=results,
    )
    return Page(title, body, "/search")


def _chosen(visit: Visit, number: int) -> Html:
    person = visit.gallery.person(number)
    return fill("search_chosen", number=str(number), name=title_of(person), picture=face_url(person.example))


def _like(visit: Visit, face: int) -> Html:
    """Return the faces like one of the gallery."""
    matches = visit.gallery.search(visit.gallery.embedding(face), limit=_MATCHES + 1, min_probability=_LEAST)
    others = [match for match in matches if match.face.id != face]
    picture = fill("search_probe", picture=face_url(face))
    return _result(visit.gallery.face(face).name or f"Face {face}", picture, others)


def _result(about: str, pictures: Html, matches: Sequence[Match]) -> Html:
    """Return who a face is, and the faces like it."""
    return fill(
        "search_result",
        about=about,
        pictures=pictures,
        who=_who(matches),
        matches=join((_match(match) for match in matches), "\n"),
    )


def _who(matches: Sequence[Match]) -> Html:
    """Return a sentence about the person of the best match."""
    if not matches:
        return fill("paragraph", text="No face like this is in the gallery.")
    best = matches[0]
    chance = "" if best.probability is None else f" ({_percent(best.probability)})"
    if best.face.person is None:
        return fill("paragraph", text=f"A face without a name looks like this{chance}.")
    name = best.face.name or f"Cluster {best.face.person}"
    return fill("search_who", name=name, person=str(best.face.person), chance=chance)


def _match(match: Match) -> Html:
    face = match.face
    texts = [_percent(match.probability), face.name or "", (face.taken or "")[:10]]
    return fill(
        "search_match",
        picture=face_url(face.id),
        photo=address("/photo", face=face.id),
        about=", ".join(filter(None, texts)),
    )


def _probe_picture(probe: Probe) -> Html:
    return fill("search_probe", picture=f"data:image/jpeg;base64,{base64.b64encode(probe.thumbnail).decode()}")


def _card_of_people(photo: PhotoMatch) -> Html:
    names = ", ".join(dict.fromkeys(face.name for face in photo.faces if face.name))
    return _card(photo.photo, photo.path.name, photo.taken, names)


def _card_of_photo(photo: Photo) -> Html:
    return _card(photo.id, photo.path.name, photo.taken, plural(photo.faces, "face"))


def _card(photo: int, name: str, taken: str | None, about: str) -> Html:
    return fill(
        "search_card",
        page=address("/photo", photo=photo),
        picture=photo_url(photo, small=True),
        name=name,
        date=(taken or "no date")[:10],
        about=about,
    )


def _nothing(text: str) -> Html:
    return empty("Nothing found", text)


def _percent(probability: float | None) -> str:
    if probability is None:
        return ""
    return "> 99 %" if probability > 0.995 else f"{100 * probability:.0f} %"


ROUTES = (
    Route("GET", "/search", show_search),
    Route("POST", "/search", search_uploads, takes_uploads=True, work="searches"),
)
