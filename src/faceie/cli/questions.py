"""``faceie people undo``: take the last actions back."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import Any

from .. import Gallery
from ..gallery import Action
from .terminal import OK, error, write
from .text import Table, plural, printable

__all__ = ["add_commands"]

Add = Callable[..., None]
"""Adds a command of ``faceie people``: its name, its function, its help, and its arguments."""

_ACTIONS = Table({"date": "<16", "action": "<10", "faces": ">5", "people": ""})


def add_commands(add: Add) -> None:
    """Add these commands to ``faceie people``."""
    count: tuple[str, dict[str, Any]] = (
        "count",
        {"type": int, "nargs": "?", "default": 1, "metavar": "NUMBER", "help": "number of actions (default: 1)"},
    )
    listing = ("--list", {"action": "store_true", "help": "list the last actions instead, the latest first"})
    add("undo", _undo, "take back the last names, merges, splits and answers", count, listing)


def _undo(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        if arguments.list:
            _list_actions(gallery.actions())
            return OK
        for _ in range(arguments.count):
            action = gallery.undo()
            people = f" ({', '.join(map(printable, action.people))})" if action.people else ""
            write(f"undone: {action.name} of {_time(action)}, {plural(action.faces, 'face')}{people}")
    return OK


def _list_actions(actions: list[Action]) -> None:
    if not actions:
        error("there is no action to undo")
        return
    write(_ACTIONS.header)
    for action in actions:
        write(_ACTIONS.row(_time(action), action.name, action.faces, ", ".join(action.people) or "-"))


def _time(action: Action) -> str:
    """Return the local time of an action."""
    return datetime.fromisoformat(action.made).astimezone().strftime("%Y-%m-%d %H:%M")
