"""Questions that the user has put off. The gallery keeps them, so that the next session begins with the others."""

from __future__ import annotations

import json

from .records import Suggestion
from .store import Store

__all__ = ["key_of", "skip_question", "skipped_questions", "unskip_question"]

_KEPT = 1000  # questions; older ones come as if they had not been skipped

Key = tuple[int, int]
"""The best face in question, and the number of the person."""


def key_of(question: Suggestion) -> Key:
    """Return the key by which a question is known."""
    return question.faces[0], question.person


def skipped_questions(store: Store) -> list[Key]:
    """Return the skipped questions, the last one at the end."""
    return [(face, person) for face, person in json.loads(store.setting("skipped") or "[]")]


def skip_question(store: Store, question: Suggestion) -> None:
    """Put a question off. The caller opens the transaction."""
    key = key_of(question)
    others = [other for other in skipped_questions(store) if other != key]
    store.set("skipped", json.dumps([*others, key][-_KEPT:]))


def unskip_question(store: Store) -> bool:
    """Take back the last skip, if there is one. The caller opens the transaction."""
    skipped = skipped_questions(store)
    store.set("skipped", json.dumps(skipped[:-1]))
    return bool(skipped)
