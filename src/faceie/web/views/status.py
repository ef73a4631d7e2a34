"""What changes while a page is open: the number of faces, and a run of ``faceie index``."""

from __future__ import annotations

from ..visit import Data, Visit
from .route import Route

__all__ = ["ROUTES"]


def show_status(visit: Visit) -> Data:
    """Return the number of faces, whether they are grouped, and the finished and all photos of a running index."""
    gallery = visit.gallery
    return Data({"faces": len(gallery), "grouped": gallery.is_clustered(), "run": gallery.index_progress()})


ROUTES = (Route("GET", "/status", show_status),)
