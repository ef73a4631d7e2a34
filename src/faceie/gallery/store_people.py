"""SQL for people and clusters, and for the user's statements about faces (tables ``people`` and ``denials``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .database import AnyDatabase
from .names import name_key
from .records import Person
from .store_faces import NO_LIMIT, VISIBLE

__all__ = ["PeopleStore", "to_valid_text"]

# The columns of `Person`, for one page of people: the rows of the inner query are counted first, the others only for
# those that are returned.
_PEOPLE = """
    SELECT id, name, faces,
        (SELECT count(*) FROM (
            SELECT photo FROM faces WHERE person = people.id AND {visible}
            UNION SELECT photo FROM photo_people WHERE person = people.id
                AND EXISTS (SELECT 1 FROM files WHERE files.photo = photo_people.photo)
        ) AS shown),
        coalesce(
            (SELECT id FROM faces WHERE id = cover AND person = people.id AND {visible}),
            (SELECT id FROM faces WHERE person = people.id AND {visible} ORDER BY quality DESC, id LIMIT 1)
        ), born
    FROM (
        SELECT id, name, key, cover, born,
            (SELECT count(*) FROM faces WHERE person = people.id AND {visible}) AS faces
        FROM people WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?
    ) AS people ORDER BY {order}
"""


class PeopleStore:
    """The people and clusters in a gallery's database. Callers of methods that write open the transaction."""

    def __init__(self, db: AnyDatabase) -> None:
        self._db = db

    # People and clusters

    def page(self, named: bool | None, limit: int | None, offset: int) -> list[Person]:
        """Return the people by name, then the clusters, the largest first; or only one of these kinds."""
        where = {None: "true", True: "name IS NOT NULL", False: "name IS NULL"}[named]
        return self._select(where, (), "name IS NULL, name, faces DESC, id", limit, offset)

    def get(self, number: int) -> Person:
        """Return the person or cluster with this number, which must exist."""
        return self._select("id = ?", (number,), "id")[0]

    def counts(self) -> tuple[int, int]:
        """Count the people and the clusters."""
        people, total = self._db.execute("SELECT count(name), count(*) FROM people").fetchone()
        return int(people), int(total - people)

    def find(self, text: str, limit: int) -> list[Person]:
        """Return the people of whose names one begins with a text, in any spelling, first names first."""
        key = to_valid_text(name_key(text)).replace("!", "!!").replace("%", "!%").replace("_", "!_")
        found = self._select("key LIKE ? ESCAPE '!'", (f"{key}%",), "faces DESC, id", limit)
        rest = "' ' || key LIKE ? ESCAPE '!' AND NOT key LIKE ? ESCAPE '!'"
        return found + self._select(rest, (f"% {key}%", f"{key}%"), "faces DESC, id", limit - len(found))

    def _select(
        self, where: str, values: Sequence[object], order: str, limit: int | None = None, offset: int = 0
    ) -> list[Person]:
        query = _PEOPLE.format(where=where, order=order, visible=VISIBLE)
        return [
            Person(*row) for row in self._db.execute(query, (*values, NO_LIMIT if limit is None else limit, offset))
        ]

    def exists(self, number: int) -> bool:
        """Tell whether a person or cluster has this number."""
        return self._db.execute("SELECT 1 FROM people WHERE id = ?", (number,)).fetchone() is not None

    def number_of(self, name: str) -> int | None:
        """Return the number of the person with this name, in any spelling.

        Galleries of older versions may hold several spellings as different people: the exact one comes first.
        """
        row = self._db.execute(
            "SELECT id FROM people WHERE key = ? ORDER BY name = ? DESC, id",
            (to_valid_text(name_key(name)), to_valid_text(name)),
        ).fetchone()
        return None if row is None else int(row[0])

    def name_of(self, number: int) -> str | None:
        """Return the name of a person, or None for a cluster."""
        row: tuple[str | None] = self._db.execute("SELECT name FROM people WHERE id = ?", (number,)).fetchone()
        return row[0]

    def clusters(self) -> set[int]:
        """Return the numbers of all clusters."""
        return {number for (number,) in self._db.execute("SELECT id FROM people WHERE name IS NULL")}

    def insert(self, name: str | None = None) -> int:
        """Add a person, or a cluster if there is no name. Return its number."""
        key = None if name is None else name_key(name)
        number = self._db.execute("INSERT INTO people (name, key) VALUES (?, ?)", (name, key)).lastrowid
        assert number is not None
        return number

    def rename(self, number: int, name: str) -> None:
        """Set the name of a person or cluster."""
        self._db.execute("UPDATE people SET name = ?, key = ? WHERE id = ?", (name, name_key(name), number))

    def delete(self, number: int) -> None:
        """Delete a person or cluster. Its faces stay."""
        self._db.execute("DELETE FROM people WHERE id = ?", (number,))

    def delete_empty_clusters(self) -> None:
        """Delete clusters without faces. People stay: the user has named them."""
        self._db.execute(
            "DELETE FROM people WHERE name IS NULL AND id NOT IN (SELECT person FROM faces WHERE person IS NOT NULL)"
        )

    # Whose face it is

    def members(self, number: int, *, confirmed: bool | None = None) -> set[int]:
        """Return the ids of the faces of a person or cluster: all, or those that are confirmed, or not."""
        rows = self._db.execute("SELECT id, confirmed FROM faces WHERE person = ?", (number,))
        return {face for face, said in rows if confirmed in (None, bool(said))}

    def assign(self, pairs: Iterable[tuple[int, int | None]]) -> None:
        """Set the person of faces, without confirming it: pairs of a face and the number of its person, or None."""
        self._db.executemany(
            "UPDATE faces SET person = ?, assigned_after = (SELECT coalesce(max(id), 0) FROM actions) WHERE id = ?",
            ((number, face) for face, number in pairs),
        )

    def confirm(self, faces: Iterable[int], number: int) -> None:
        """Record that the user says: these faces are this person."""
        for face in faces:
            self._db.execute("UPDATE faces SET person = ?, confirmed = 1, ignored = NULL WHERE id = ?", (number, face))
            self._db.execute("DELETE FROM denials WHERE face = ? AND person = ?", (face, number))

    def confirm_all(self, number: int) -> None:
        """Confirm all faces of a person or cluster."""
        self._db.execute("UPDATE faces SET confirmed = 1 WHERE person = ?", (number,))

    def reject(self, faces: Iterable[int], number: int) -> None:
        """Record that the user says: these faces are not this person."""
        for face in faces:
            self._db.execute(
                "UPDATE faces SET person = NULL, confirmed = 0 WHERE id = ? AND person = ?", (face, number)
            )
            self._db.execute("INSERT INTO denials VALUES (?, ?) ON CONFLICT DO NOTHING", (face, number))

    def absorb(self, number: int, kept: int) -> None:
        """Move the faces, rejections and imported names of a person to another one, and delete it."""
        self._db.execute("UPDATE faces SET person = ? WHERE person = ?", (kept, number))
        for table, key in (("denials", "face"), ("photo_people", "photo")):  # the former rows go with the person
            self._db.execute(
                f"INSERT INTO {table} ({key}, person) SELECT {key}, ? FROM {table} WHERE person = ?"
                " ON CONFLICT DO NOTHING",
                (kept, number),
            )
        self._db.execute("UPDATE imported_names SET person = ? WHERE person = ?", (kept, number))
        for column in ("cover", "born"):
            self._db.execute(
                f"UPDATE people SET {column} = (SELECT {column} FROM people WHERE id = ?)"
                f" WHERE id = ? AND {column} IS NULL",
                (number, kept),
            )
        self.delete(number)

    def set_cover(self, number: int, face: int | None) -> None:
        """Set the face that stands for a person, or None for the best one."""
        self._db.execute("UPDATE people SET cover = ? WHERE id = ?", (face, number))

    def set_birth(self, number: int, date: str | None) -> None:
        """Set the date of birth of a person, as the beginning of a date in ``photos.taken``."""
        self._db.execute("UPDATE people SET born = ? WHERE id = ?", (date, number))

    def unborn(self) -> dict[int, set[int]]:
        """Return the faces in photos that were taken before a person was born, for each person with a date of birth."""
        born = self._db.execute("SELECT id, born FROM people WHERE born IS NOT NULL").fetchall()
        query = "SELECT faces.id FROM faces JOIN photos ON photos.id = photo WHERE taken < ?"
        return {person: {face for (face,) in self._db.execute(query, (date,))} for person, date in born}

    # Ignored faces

    def ignore(self, faces: Iterable[int], reason: str, *, confirmed: bool) -> None:
        """Record that faces are to be ignored, because the user says so or because they match such a face."""
        self._db.executemany(
            "UPDATE faces SET person = NULL, ignored = ?, confirmed = ? WHERE id = ?",
            ((reason, int(confirmed), face) for face in faces),
        )

    def notice(self, faces: Iterable[int]) -> None:
        """Record that faces are no longer to be ignored."""
        self._db.executemany(
            "UPDATE faces SET ignored = NULL, confirmed = 0 WHERE id = ? AND ignored IS NOT NULL",
            ((face,) for face in faces),
        )

    def ignored(self, reason: str | None = None, *, confirmed: bool | None = None) -> list[int]:
        """Return the ids of ignored faces, ascending: those with this reason, or all; said by the user, or not."""
        rows = self._db.execute("SELECT id, ignored, confirmed FROM faces WHERE ignored IS NOT NULL ORDER BY id")
        return [face for face, why, said in rows if reason in (None, why) and confirmed in (None, bool(said))]

    def drop_contradictions(self, number: int) -> None:
        """Delete the rejections of a person for faces that belong to it."""
        self._db.execute(
            "DELETE FROM denials WHERE person = ? AND face IN (SELECT id FROM faces WHERE person = ?)",
            (number, number),
        )

    # Labels: the user's statements about the faces of a photo

    def labeled_faces(self, photo: int) -> list[tuple[int, int | None, int]]:
        """Return the labeled faces in a photo: confirmed, rejected, ignored, drawn, of a person, or part of an action.

        Each is a face, the number of its person or None, and 1 if it is confirmed.
        """
        return self._db.execute(
            "SELECT faces.id, person, confirmed FROM faces LEFT JOIN people ON people.id = person WHERE photo = ?"
            " AND (confirmed > 0 OR drawn > 0 OR ignored IS NOT NULL OR name IS NOT NULL"
            " OR EXISTS (SELECT 1 FROM denials WHERE face = faces.id)"
            " OR EXISTS (SELECT 1 FROM changes WHERE face = faces.id)) ORDER BY faces.id",
            (photo,),
        ).fetchall()

    def move_labels(self, face: int, heir: int, person: int | None, confirmed: int) -> None:
        """Take the labels from a face and give them to another one."""
        if person is not None:
            self._db.execute(
                "UPDATE faces SET person = ?, confirmed = ?, ignored = NULL WHERE id = ? AND (confirmed = 0 OR ? > 0)",
                (person, confirmed, heir, confirmed),
            )
        (ignored,) = self._db.execute("SELECT ignored FROM faces WHERE id = ?", (face,)).fetchone()
        if ignored is not None:
            self.ignore([heir], ignored, confirmed=bool(confirmed))
        self._db.execute("UPDATE people SET cover = ? WHERE cover = ?", (heir, face))
        self._db.execute(
            "INSERT INTO denials SELECT ?, person FROM denials WHERE face = ? ON CONFLICT DO NOTHING", (heir, face)
        )
        self._db.execute("DELETE FROM denials WHERE face = ?", (face,))
        self._db.execute(
            "UPDATE faces SET person = NULL, confirmed = 0, ignored = NULL, drawn = 0 WHERE id = ?", (face,)
        )


def to_valid_text(text: str) -> str:
    """Escape characters that SQLite refuses: undecodable bytes of file names, which Python keeps as surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
