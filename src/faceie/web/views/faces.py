"""Faces without a person, ignored faces, and photos that could not be read: nothing is invisible."""

from __future__ import annotations

from collections.abc import Iterable

from ...gallery import BadPhoto
from ..cards import empty, face_grid, pager, plural, tabs
from ..markup import Html, fill, join
from ..visit import Done, Page, RequestError, Visit, address
from .route import Route

__all__ = ["ROUTES"]

_PAGE = 200  # faces on a page
_REASONS = {"": "All", "stranger": "Strangers", "not a face": "Not a face"}


def show_unassigned(visit: Visit) -> Page:
    """Show the faces that belong to no person and no cluster."""
    count, number = visit.gallery.counts().unassigned, visit.number("page", 1)
    faces = visit.gallery.unassigned_faces(limit=_PAGE, offset=max(0, number - 1) * _PAGE)
    if not count:
        body = empty("Every face has a place", "Each face belongs to a person or a cluster, or is ignored.")
    else:
        body = fill(
            "unassigned",
            about=f"{plural(count, 'face')} of people who appear once, or too unclear to join others",
            faces=face_grid(faces),
            pager=pager("/faces/unassigned", number, -(-count // _PAGE)),
            next=visit.path,
        )
    return Page("Unassigned", body, "/faces/unassigned")


def show_ignored(visit: Visit) -> Page:
    """Show the ignored faces, with the reason."""
    reason, number = visit.text("reason"), visit.number("page", 1)
    start, here = max(0, number - 1) * _PAGE, "/faces/ignored"
    faces = visit.gallery.ignored_faces(reason or None, limit=_PAGE + 1, offset=start)
    if not visit.gallery.counts().ignored:
        body = empty("Nothing is ignored", "Strangers and false positives that you put away are kept here.")
    else:
        links = ((address(here, reason=key or None), text, key == reason) for key, text in _REASONS.items())
        body = fill(
            "ignored",
            about="New faces that closely match a stranger are put here, too",
            tabs=tabs("Reason", links),
            faces=face_grid(faces[:_PAGE]),
            pager=pager(here, number, number + (len(faces) > _PAGE), is_total=False, reason=reason or None),
            next=visit.path,
        )
    return Page("Ignored", body, here)


def show_unreadable(visit: Visit) -> Page:
    """Show the photos that could not be read, or only in part."""
    bad, incomplete = visit.gallery.bad_photos(), visit.gallery.incomplete_photos()
    if not bad and not incomplete:
        body = empty("All photos could be read", "Photos that cannot be used are listed here, with the reason.")
    else:
        body = fill(
            "unreadable",
            bad=_photo_list(f"{plural(len(bad), 'photo')} that cannot be used", bad),
            incomplete=_photo_list(f"{plural(len(incomplete), 'photo')} read in part", incomplete),
        )
    return Page("Unreadable", body, "/photos/unreadable")


def assign(visit: Visit) -> Done:
    """Give the selected faces a person, who may be new."""
    name = visit.text("name")
    if not name:
        raise RequestError("Who is this? Enter a name.")
    visit.gallery.confirm(name, visit.faces())
    return Done(visit.back("/faces/unassigned"))


def ignore(visit: Visit) -> Done:
    """Ignore the selected faces."""
    visit.gallery.ignore(visit.faces(), visit.text("reason", "stranger"))
    return Done(visit.back("/faces/unassigned"))


def unignore(visit: Visit) -> Done:
    """Take back that the selected faces are ignored."""
    visit.gallery.unignore(visit.faces())
    return Done(visit.back("/faces/ignored"))


def _photo_list(title: str, photos: Iterable[BadPhoto]) -> Html:
    lines = [fill("photo_line", path=str(photo.path), reason=photo.reason) for photo in photos]
    return fill("photo_list", title=title, lines=join(lines, "\n")) if lines else Html()


ROUTES = (
    Route("GET", "/faces/unassigned", show_unassigned),
    Route("GET", "/faces/ignored", show_ignored),
    Route("GET", "/photos/unreadable", show_unreadable),
    Route("POST", "/faces/assign", assign),
    Route("POST", "/faces/ignore", ignore),
    Route("POST", "/faces/unignore", unignore),
)
