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
    faces, number = visit.gallery.unassigned_faces(), visit.number("page", 1)
    if not faces:
        body = empty("Every face has a place", "Each face belongs to a person or a cluster, or is ignored.")
    else:
        body = fill(
            "unassigned",
            about=f"{plural(len(faces), 'face')} of people who appear once, or too unclear to join others",
            faces=face_grid(faces[max(0, number - 1) * _PAGE : number * _PAGE]),
            pager=pager("/faces/unassigned", number, -(-len(faces) // _PAGE)),
            next=visit.path,
        )
    return Page("Unassigned", body, "/faces/unassigned")


def show_ignored(visit: Visit) -> Page:
    """Show the ignored faces, with the reason."""
    reason, number = visit.text("reason"), visit.number("page", 1)
    ignored = visit.gallery.ignored_faces()
    faces = [face for face in ignored if reason in ("", face.ignored)]
    here = "/faces/ignored"
    if not ignored:
        body = empty("Nothing is ignored", "Strangers and false positives that you put away are kept here.")
    else:
        links = ((address(here, reason=key or None), text, key == reason) for key, text in _REASONS.items())
        body = fill(
            "ignored",
            about=f"{plural(len(faces), 'face')}. New faces that closely match a stranger are put here, too",
            tabs=tabs("Reason", links),
            faces=face_grid(faces[max(0, number - 1) * _PAGE : number * _PAGE]),
            pager=pager(here, number, -(-len(faces) // _PAGE), reason=reason or None),
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
