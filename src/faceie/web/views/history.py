"""The last actions, and undo."""

from __future__ import annotations

from ..layout import describe
from ..markup import fill, join
from ..visit import Done, Page, Visit, local_path
from .route import Route

__all__ = ["ROUTES"]


def show_history(visit: Visit) -> Page:
    """Show the last actions, the latest first."""
    lines = [
        fill("action", text=describe(action), made=action.made, number=str(action.number))
        for action in visit.gallery.actions(100)
    ]
    return Page(
        "History", fill("history", lines=join(lines, "\n") or fill("paragraph", text="Nothing yet.")), "/history"
    )


def undo(visit: Visit) -> Done:
    """Take back the last action, if it is still the one that the user has seen."""
    action = visit.gallery.undo(visit.number("number"))
    return Done(local_path(visit.text("next"), "/history"), f"Taken back: {action.name}.")


ROUTES = (Route("GET", "/history", show_history), Route("POST", "/history/undo", undo))
