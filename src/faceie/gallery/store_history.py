"""The user's last actions, and how to undo them (tables ``actions`` and ``changes``).

An action is one call of a method that takes a statement of the user, in one transaction. During an action, triggers
report each changed row of the tables in `TRACKED`. They are temporary in SQLite. At its end, the rows that differ are
stored as data: the key of the row, its values before and its values after the action. The file holds no SQL for them,
and no program.

`undo` writes the values before the last action back. Between an action and its undo, only the program changes rows: it
clusters faces, recognizes new ones, and moves statements to new versions of photos. So

- a statement that was made since is never overwritten;
- changes of a face follow its statements to the new version of its photo (`move`), and are deleted with the face;
- a person loses the faces that the program has recognized since because of the action, until the next clustering.

`wipe` deletes all actions (`HistoryStore.forget`) when a person is forgotten, since they may hold former names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, NamedTuple

from .database import AnyDatabase
from .postgres import Postgres
from .records import Action

__all__ = ["TRACKED", "HistoryStore", "Tracked"]

_ACTIONS = 100  # actions to keep at most
_CHANGES = 200_000  # changed rows to keep at most, but always those of the last action

# Actions that have changed rows which are still there, the latest first.
_LAST = "SELECT id, name, made FROM actions WHERE id IN (SELECT action FROM changes) ORDER BY id DESC"


class Tracked(NamedTuple):
    """A table whose changes by the user can be undone."""

    table: str
    key: dict[str, str]
    """Columns of the key, and the columns of ``changes`` that hold them: face, person, photo, or name for a text."""
    values: tuple[str, ...] = ()
    """Columns whose values are kept."""


#: In the order in which rows are written back.
TRACKED = (
    Tracked("people", {"id": "person"}, ("name", "key", "cover", "born")),
    Tracked("faces", {"id": "face"}, ("person", "confirmed", "ignored")),
    Tracked("denials", {"face": "face", "person": "person"}),
    Tracked("photo_people", {"photo": "photo", "person": "person"}),
    Tracked("imported_names", {"key": "name"}, ("person",)),
)

_KEYS = ("face", "person", "photo", "name")


class _Change(NamedTuple):
    """A changed row: its values before and after the action. None if it did not exist."""

    table: str
    face: int | None
    person: int | None
    photo: int | None
    name: str | None
    before: list[Any] | None
    after: list[Any] | None


class _Recorder:
    """Collects the changes of an action. SQLite calls it for each changed row."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Any, ...], list[list[Any] | None]] = {}

    def __call__(self, index: int, event: str, *values: Any) -> None:
        """Record a changed row: old values, new values, or both, as the event has them."""
        tracked = TRACKED[index]
        width = len(tracked.key) + len(tracked.values)
        old = None if event == "INSERT" else values[:width]
        new = None if event == "DELETE" else values[-width:]
        for row, is_new in ((old, False), (new, True)):
            if row is not None:
                keys = dict(zip(tracked.key.values(), row, strict=False))
                state = list(row[len(tracked.key) :])
                before = None if is_new else state
                change = self._rows.setdefault((tracked.table, *map(keys.get, _KEYS)), [before, None])
                change[1] = state if is_new else None

    def add(self, table: str, event: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        """Record a changed row: all its old and new values, by column."""
        index = next(index for index, tracked in enumerate(TRACKED) if tracked.table == table)
        columns = (*TRACKED[index].key, *TRACKED[index].values)
        self(index, event, *(row[column] for row in (old, new) if row is not None for column in columns))

    def changes(self) -> list[_Change]:
        """Return the rows that differ from those before the action."""
        return [_Change._make([*row, *states]) for row, states in self._rows.items() if states[0] != states[1]]


class HistoryStore:
    """The user's last actions in a gallery's database. Callers of methods that write open the transaction."""

    def __init__(self, db: AnyDatabase) -> None:
        self._db = db

    @contextmanager
    def recording(self, name: str) -> Iterator[None]:
        """Record the changes of an action of the user, unless it changes nothing."""
        recorder = _Recorder()
        if isinstance(self._db, Postgres):
            with self._db.recording() as changed:
                yield
            for table, event, old, new in changed:
                recorder.add(table, event, old, new)
            self._insert(name, recorder.changes())
            return
        self._db.execute("PRAGMA recursive_triggers = ON")  # so that replaced rows are reported as deleted
        self._db.create_function("faceie_record", -1, recorder)
        for index, tracked in enumerate(TRACKED):
            for event, sides in (("INSERT", ["new"]), ("DELETE", ["old"]), ("UPDATE", ["old", "new"])):
                values = ", ".join(f"{side}.{column}" for side in sides for column in (*tracked.key, *tracked.values))
                self._db.execute(
                    f"CREATE TEMP TRIGGER record_{tracked.table}_{event} AFTER {event} ON main.{tracked.table}"
                    f" BEGIN SELECT faceie_record({index}, '{event}', {values}); END"
                )
        yield  # after an error, the transaction is rolled back, with the triggers
        for tracked in TRACKED:
            for event in ("INSERT", "DELETE", "UPDATE"):
                self._db.execute(f"DROP TRIGGER temp.record_{tracked.table}_{event}")
        self._insert(name, recorder.changes())

    def last(self, count: int) -> list[Action]:
        """Return the last actions, the latest first."""
        rows = self._db.execute(f"{_LAST} LIMIT ?", (count,)).fetchall()
        return [self._describe(*row) for row in rows]

    def undo(self) -> tuple[Action, list[int]] | None:
        """Take the last action back. Return it, and the faces that were recognized because of it; None if none is left.

        Those faces are without a person until they are recognized again.
        """
        row = self._db.execute(_LAST).fetchone()
        if row is None:
            return None
        number, action = row[0], self._describe(*row)
        changes = self._changes(number)
        self._restore_people([change for change in changes if change.table == "people"])
        for change in changes:
            if change.table == "faces":
                self._restore_face(change)
            elif change.table != "people":
                self._restore_row(change)
        released = self._release(number, changes)
        self._delete_new_people(changes)
        self._db.execute("DELETE FROM actions WHERE id >= ?", (number,))
        return action, released

    def move(self, face: int, heir: int) -> None:
        """Let the changes of a face be those of another one, which has taken its statements."""
        self._db.execute("UPDATE changes SET face = ? WHERE face = ?", (heir, face))

    def forget(self) -> None:
        """Delete all actions."""
        self._db.execute("DELETE FROM actions")

    # Rows

    def _insert(self, name: str, changes: Sequence[_Change]) -> None:
        if not changes:
            return
        made = datetime.now(timezone.utc).isoformat(timespec="seconds")
        number = self._db.execute("INSERT INTO actions (name, made) VALUES (?, ?)", (name, made)).lastrowid
        self._db.executemany(
            "INSERT INTO changes (action, kind, face, person, photo, name, before, after)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((number, *change[:5], *map(_to_json, change[5:])) for change in changes),
        )
        self._db.execute(
            "DELETE FROM actions WHERE id < ? AND (id <= ? OR id NOT IN ("
            " SELECT action FROM (SELECT action, sum(count(*)) OVER (ORDER BY action DESC) AS total"
            " FROM changes GROUP BY action) AS totals WHERE total <= ?))",
            (number, (number or 0) - _ACTIONS, _CHANGES),
        )

    def _changes(self, number: int) -> list[_Change]:
        rows = self._db.execute(
            "SELECT kind, face, person, photo, name, before, after FROM changes WHERE action = ? ORDER BY id", (number,)
        ).fetchall()
        changes = [_Change(*row[:5], *(text and json.loads(text) for text in row[5:])) for row in rows]
        order = [tracked.table for tracked in TRACKED]
        return sorted(changes, key=lambda change: order.index(change.table))

    def _describe(self, number: int, name: str, made: str) -> Action:
        changes = self._changes(number)
        names = [self._name_of(person) for person in _people_in(changes)]
        names += [change.before[0] for change in changes if change.table == "people" and change.before]
        faces = {change.face for change in changes if change.face is not None}
        return Action(name, made, len(faces), tuple(dict.fromkeys(filter(None, names))), number)

    def _name_of(self, person: int) -> str | None:
        row = self._db.execute("SELECT name FROM people WHERE id = ?", (person,)).fetchone()
        return row[0] if row else None

    # Undo

    def _restore_people(self, changes: Iterable[_Change]) -> None:
        """Write the former people back: those that were deleted, and former names."""
        columns = next(tracked.values for tracked in TRACKED if tracked.table == "people")
        for change in changes:
            if change.before is None:
                continue  # see _delete_new_people
            self._db.execute("INSERT INTO people (id) VALUES (?) ON CONFLICT DO NOTHING", (change.person,))
            was_deleted = change.after is None
            for column, before, after in zip(columns, change.before, change.after or change.before, strict=True):
                if column == "cover" and not self._exists("faces", before):
                    before = None
                if was_deleted or before != after:
                    self._db.execute(f"UPDATE people SET {column} = ? WHERE id = ?", (before, change.person))

    def _restore_face(self, change: _Change) -> None:
        """Write the former person of a face back, unless the user has said something else since."""
        columns = next(tracked.values for tracked in TRACKED if tracked.table == "faces")
        row = self._db.execute(f"SELECT {', '.join(columns)} FROM faces WHERE id = ?", (change.face,)).fetchone()
        if row is None:
            return
        now = dict(zip(columns, row, strict=True))
        if now["confirmed"] and list(row) != change.after:
            return
        if change.before is None and self._is_drawn(change.face):
            self._db.execute("DELETE FROM faces WHERE id = ?", (change.face,))
            return
        # A face that an import has found stays, without a person.
        before = dict(zip(columns, change.before or [None, 0, None], strict=True))
        if before["confirmed"] and before["person"] is not None:  # the cluster may have been emptied since
            self._db.execute("INSERT INTO people (id) VALUES (?) ON CONFLICT DO NOTHING", (before["person"],))
        elif not self._exists("people", before["person"]):
            before["person"] = None
        assignments = ", ".join(f"{column} = ?" for column in columns)
        self._db.execute(f"UPDATE faces SET {assignments} WHERE id = ?", (*before.values(), change.face))

    def _is_drawn(self, face: int | None) -> bool:
        (drawn,) = self._db.execute("SELECT drawn FROM faces WHERE id = ?", (face,)).fetchone()
        return bool(drawn)

    def _restore_row(self, change: _Change) -> None:
        """Write back a row that only has a key and simple values, if the rows that it refers to are still there."""
        tracked = next(tracked for tracked in TRACKED if tracked.table == change.table)
        keys = [change[1 + _KEYS.index(column)] for column in tracked.key.values()]
        where = " AND ".join(f"{column} = ?" for column in tracked.key)
        self._db.execute(f"DELETE FROM {tracked.table} WHERE {where}", keys)
        if change.before is not None:
            row = dict(zip((*tracked.key, *tracked.values), (*keys, *change.before), strict=True))
            if "person" not in row or self._exists("people", row["person"]):
                marks = ", ".join("?" * len(row))
                self._db.execute(f"INSERT INTO {tracked.table} ({', '.join(row)}) VALUES ({marks})", [*row.values()])

    def _release(self, number: int, changes: Sequence[_Change]) -> list[int]:
        """Take away the faces that the program has given to the people of an action since. Return their ids."""
        released = []
        for person in _people_in(changes):
            where = "person = ? AND confirmed = 0 AND assigned_after >= ?"
            rows = self._db.execute(f"SELECT id FROM faces WHERE {where}", (person, number)).fetchall()
            self._db.execute(f"UPDATE faces SET person = NULL WHERE {where}", (person, number))
            released += [face for (face,) in rows]
        return released

    def _delete_new_people(self, changes: Iterable[_Change]) -> None:
        """Delete the people that the action has added, unless the user has said more about them since."""
        for change in changes:
            if change.table == "people" and change.before is None:
                self._db.execute(
                    "DELETE FROM people WHERE id = ? AND id NOT IN (SELECT person FROM denials)"
                    " AND id NOT IN (SELECT person FROM faces WHERE person IS NOT NULL AND confirmed > 0)",
                    (change.person,),
                )

    def _exists(self, table: str, number: int | None) -> bool:
        return self._db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (number,)).fetchone() is not None


def _people_in(changes: Iterable[_Change]) -> list[int]:
    """Return the numbers of the people that an action is about."""
    people: dict[int, None] = {}
    for change in changes:
        mentioned = [change.person]
        if change.table == "faces":
            mentioned += [state[0] for state in (change.before, change.after) if state]
        people.update(dict.fromkeys(number for number in mentioned if number is not None))
    return list(people)


def _to_json(values: list[Any] | None) -> str | None:
    return None if values is None else json.dumps(values)
