"""The frame of every page of the server: navigation, and the last change with its button to undo it."""

from __future__ import annotations

from ..gallery import Action
from .cards import current_if, plural
from .markup import Html, fill, join
from .visit import Page

__all__ = ["describe", "lay_out"]

#: The navigation: paths and words.
SECTIONS = {
    "/people": "People",
    "/review": "Review",
    "/search": "Search",
    "/faces/unassigned": "Unassigned",
    "/faces/ignored": "Ignored",
    "/photos/unreadable": "Unreadable",
    "/history": "History",
}

#: Sentences for the methods of `Gallery` that can be undone.
_DEEDS = {
    "name": "Named",
    "merge": "Merged",
    "split": "Split",
    "confirm": "Confirmed",
    "deny": "Noted as not",
    "answer": "Answered",
    "ignore": "Ignored",
    "unignore": "No longer ignored",
    "cover": "Chose a cover for",
    "born": "Set the date of birth of",
    "import_names": "Imported names",
    "add_face": "Added",
}


def lay_out(page: Page, path: str = "/people", action: Action | None = None, undone: int = 0) -> Html:
    """Return the HTML of a page under a path.

    It shows the action that was just done, or the number of those that were taken back.
    """
    links = [
        fill("section_link", path=path, text=text, key=str(key), current=current_if(path == page.section))
        for key, (path, text) in enumerate(SECTIONS.items(), 1)
    ]
    notice = Html()
    if action is not None:
        notice = fill("notice_undo", text=f"{describe(action)}.", number=str(action.number), next=path)
    elif undone:
        notice = fill("notice", text=f"Taken back: {plural(undone, 'action')}.")
    return Html(fill("layout", title=page.title, navigation=join(links, "\n"), notice=notice, body=page.body) + "\n")


def describe(action: Action) -> str:
    """Return an action in words, such as "Named Anna, 12 faces"."""
    words = " ".join(filter(None, [_DEEDS.get(action.name, action.name), ", ".join(action.people)]))
    return f"{words}, {plural(action.faces, 'face')}" if action.faces else words
