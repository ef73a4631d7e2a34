"""Which faces have changed since the last look: noted by temporary triggers of this connection.

In PostgreSQL, where others write at any time, all faces count as changed.
"""

from __future__ import annotations

from .database import AnyDatabase
from .postgres import Postgres

__all__ = ["ChangeStore"]

_MOST = 500  # changed faces that are named: all of more are read again
_WATCHED = (("faces", "id"), ("cohort", "face"))


class ChangeStore:
    """The faces that have changed, in the tables ``faces`` and ``cohort``."""

    def __init__(self, db: AnyDatabase) -> None:
        self._db = db
        self._faces: set[int] = set()
        self._version = -1
        self._is_watching = False

    def watch(self) -> None:
        """Note changes from now. All faces count as changed until the first look."""
        self._version = -1
        if self._is_watching or isinstance(self._db, Postgres):
            return
        self._is_watching = True
        self._db.create_function("faceie_note", 1, self._faces.add)
        for table, column in _WATCHED:
            for event in ("INSERT", "UPDATE", "DELETE"):
                side = "old" if event == "DELETE" else "new"
                self._db.execute(
                    f"CREATE TEMP TRIGGER note_{table}_{event} AFTER {event} ON main.{table}"
                    f" BEGIN SELECT faceie_note({side}.{column}); END"
                )

    def take(self) -> set[int] | None:
        """Return the faces that have changed since the last call, and maybe some that have not.

        None stands for any faces: another program has written, or very many have changed.
        """
        if isinstance(self._db, Postgres):
            return None
        (version,) = self._db.execute("PRAGMA data_version").fetchone()  # changes when others write
        taken = set(self._faces) if version == self._version and len(self._faces) <= _MOST else None
        self._version = version
        self._faces.clear()
        return taken
