"""What changes while a page is open: the number of faces, and a run of ``faceie index``."""

from __future__ import annotations

from ..visit import Data, Visit
from .route import Route

__all__ = ["ROUTES"]


def show_status(visit: Visit) -> Data:
    """Return the number of faces, and the numbers of finished and of all photos of a running index."""
    return Data({"faces": len(visit.gallery), "run": visit.gallery.index_progress()})


ROUTES = (Route("GET", "/status", show_status),)
