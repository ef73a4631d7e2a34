"""The gallery behind the page, opened once for each kind of work, so that slow work holds up no quick views.

A gallery must not be used by two threads at once, so each has a lock. What changes in one is seen by all.

=============  ==================================================================================
quick          lists and changes: milliseconds
questions      suggestions. The first of them compares all faces, which is done in the background
pictures       photos from the disk, reduced for the screen
searches       photos that are searched for faces
=============  ==================================================================================

Clustering takes seconds among thousands of faces. No view waits for it: a thread does it when faces have been added or
deleted, not while the user is naming people, and less often while faces keep changing.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from ..errors import FaceieError, GalleryError
from ..forks import Lock
from ..gallery import Gallery

__all__ = ["Desk", "Kind"]

Kind = Literal["quick", "questions", "pictures", "searches"]

_PAUSE = 2.0  # seconds between two looks for new faces
_QUIET = 20.0  # seconds since the user's last statement: before, clustering would begin again with the next one
_SHARE = 10  # of this many seconds while faces keep changing, one is spent on clustering


class _Place:
    """A gallery, and the lock of those who use it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.gallery: Gallery | None = None


class Desk:
    """A gallery for each kind of work. Raises GalleryError if it cannot be opened."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._places: dict[Kind, _Place] = {
            "quick": _Place(),
            "questions": _Place(),
            "pictures": _Place(),
            "searches": _Place(),
        }
        self._last_change = -math.inf  # time.monotonic()
        self._has_ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="faceie-clusters", daemon=True)
        with self.gallery("quick"):
            pass  # fails here, not in each view

    def start(self) -> None:
        """Start to prepare questions, and to cluster new faces."""
        self._keeper.start()

    def close(self) -> None:
        """Close the galleries, once their work is done. Clustering is given up with the process."""
        self._has_ended.set()
        for place in self._places.values():
            with place.lock:
                if place.gallery is not None:
                    place.gallery.close()
                    place.gallery = None

    @contextmanager
    def gallery(self, kind: Kind) -> Iterator[Gallery]:
        """Give the gallery for a kind of work to one thread at a time."""
        place = self._places[kind]
        with place.lock:
            if self._has_ended.is_set():
                raise GalleryError("the page is being closed")
            if place.gallery is None:
                place.gallery = Gallery(self.path, create=False)
            yield place.gallery

    def note_change(self) -> None:
        """Note that the user has just changed something, or undone it."""
        self._last_change = time.monotonic()

    def _keep(self) -> None:
        """Prepare questions, and cluster when faces have changed."""
        pause = 0.0
        while not self._has_ended.wait(pause):
            start = time.monotonic()
            with suppress(FaceieError):  # another program is writing: later
                with self.gallery("quick") as quick:
                    is_needed = not quick.is_clustered() and not quick.is_read_only and self._is_quiet(quick)
                if is_needed:
                    with Gallery(self.path, create=False) as gallery:
                        gallery.cluster()
                with self.gallery("questions") as questions:
                    questions.suggestions(limit=1, cluster=False)
            pause = max(_PAUSE, _SHARE * (time.monotonic() - start))

    def _is_quiet(self, gallery: Gallery) -> bool:
        """Tell whether the user is not in the middle of naming people, here or on the command line."""
        last = time.monotonic() - self._last_change
        return last > _QUIET and all(
            (datetime.now(timezone.utc) - datetime.fromisoformat(action.made)).total_seconds() > _QUIET
            for action in gallery.actions(1)
        )
