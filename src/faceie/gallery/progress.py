"""How far a running index is, so that other programs can show it: a setting that the run renews every few seconds."""

from __future__ import annotations

import time

from .store import Store

__all__ = ["ProgressRecord", "read_progress"]

_SETTING = "run"
_PAUSE = 2.0  # seconds between two records: shorter runs leave none
_LONGEST = 120.0  # seconds after which a run without a record is taken for dead


class ProgressRecord:
    """The record of one run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = time.monotonic()

    def update(self, done: int, photos: int) -> None:
        """Record the number of finished photos and of all photos, unless that was done a moment ago."""
        if time.monotonic() - self._last >= _PAUSE:
            with self._store.transaction():
                self._store.set(_SETTING, f"{time.time():.0f} {done} {photos}")
            self._last = time.monotonic()

    def remove(self) -> None:
        """Remove the record at the end of the run. The caller opens the transaction."""
        self._store.unset(_SETTING)


def read_progress(store: Store) -> tuple[int, int] | None:
    """Return the numbers of finished and of all photos of a running index, or None if none is running."""
    made, done, photos = map(int, (store.setting(_SETTING) or "0 0 0").split())
    return (done, photos) if abs(time.time() - made) < _LONGEST else None
