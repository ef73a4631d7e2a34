"""Pictures, by the id of the gallery and never by a path."""

from __future__ import annotations

from ..visit import Picture, Visit
from .route import Route

__all__ = ["ROUTES"]


def show_face(visit: Visit) -> Picture:
    """Return the thumbnail of a face."""
    return Picture(visit.gallery.thumbnail(visit.numbers["face"]))


ROUTES = (Route("GET", "/face/{face:int}.jpg", show_face),)
