"""The last actions, and undo."""

from __future__ import annotations

from datetime import datetime

from ..cards import empty, plural
from ..layout import describe
from ..markup import Html, fill, join
from ..visit import Done, Page, RequestError, Visit
from .route import Route

__all__ = ["ROUTES"]

_SHOWN = 100  # as many as a gallery keeps


def show_history(visit: Visit) -> Page:
    """Show the last actions, the latest first."""
    actions = visit.gallery.actions(_SHOWN)
    if not actions:
        return Page("History", empty("Nothing to take back", "Names, merges and answers are listed here."), "/history")
    lines = [
        fill(
            "action",
            text=describe(action),
            made=action.made,
            shown=f"{datetime.fromisoformat(action.made).astimezone():%Y-%m-%d %H:%M}",
            undo=fill(
                "action_undo",
                number=str(action.number),
                seen=str(actions[0].number),
                key=Html(' data-key="u"') if index == 0 else Html(),
                text=f"Undo {plural(index + 1, 'action')}" if index else "Undo",
            ),
        )
        for index, action in enumerate(actions)
    ]
    return Page("History", fill("history", lines=join(lines, "\n")), "/history")


def undo(visit: Visit) -> Done:
    """Take back the last action, or all down to an earlier one, if the last one is still that which the user saw."""
    number = visit.number("number")
    seen = visit.number("seen", number)
    count = 0
    while last := visit.gallery.actions(1):
        if last[0].number < number or (count == 0 and last[0].number != seen):
            break
        visit.gallery.undo(last[0].number)
        count += 1
    if not count:
        raise RequestError("Something else was said or taken back since. See History for the last actions.", 409)
    return Done(visit.back("/history"), undone=count)


ROUTES = (Route("GET", "/history", show_history), Route("POST", "/history/undo", undo))
