"""Routes: which view answers which request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from ..desk import Kind
from ..visit import Data, Done, Page, Picture, Visit

__all__ = ["Route"]


class Route(NamedTuple):
    """A view and the requests that it answers."""

    method: Literal["GET", "POST"]
    path: str
    """Path, in which ``{number:int}`` stands for a number, such as ``/people/{number:int}``."""
    view: Callable[[Visit], Page | Done | Picture | Data]
    takes_uploads: bool = False
    work: Kind = "quick"
    """Kind of work: which gallery the view gets."""
