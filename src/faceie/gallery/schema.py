"""The tables of a gallery, and their migrations.

==================  ==================================================================================================
``settings``        names and values: which encoder and options made the embeddings; counters
``photos``          a row for each photo by its content (SHA-256): its size, its date, or why it cannot be used. Until
                    the end of a run, the successor of a photo is the one that replaced it in its file. Photos without
                    files stay if the user has labeled their faces
``hashes``          SHA-256 of further contents of a photo: those with names that Faceie has written into it
``files``           a row for each path: the photo that it holds, or why it cannot be read. Size and times show changes
``faces``           a row for each face: box, landmarks, probability, quality, its person or cluster, or why it is
                    ignored. Confirmed is 1 by the user, 2 by an import. Drawn is 1 if the user has drawn the box
``portraits``       the embedding and the thumbnail of each face: apart, so that reading all rows of ``faces`` is fast
``people``          a row for each cluster (without a name) and each person (with a name)
``cohort``          the offset of each face as of the last clustering, or of its indexing if that was later; and whether
                    it is one of those that other faces are judged among (`faceie.cohort`)
``denials``         pairs of a face and a person that it is *not*, according to the user
``photo_people``    pairs of a photo and a person in it, by an imported name, whose face was not found
``imported_names``  keys of imported names, and the people that they name, even if the user has renamed these
``actions``         a row for each of the user's last actions, so that they can be undone
``changes``         a row for each row that an action has changed: its key, and its values before and after it, as JSON
``forgotten``       a key of each photo that the user has deleted and that runs must not add again
==================  ==================================================================================================

The schema grows by migrations: functions that are never changed once they are released. A gallery records those that
have been applied to it. Any version can open it that is not older than the one that wrote it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from .names import name_key

__all__ = ["MIGRATIONS"]


def m001_photos_and_faces(db: sqlite3.Connection) -> None:
    """Photos, the files that hold them, and the faces in them."""
    db.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    db.execute(
        "CREATE TABLE photos (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, width INTEGER, height INTEGER,"
        " taken TEXT, error TEXT, successor INTEGER)"
    )
    db.execute(
        "CREATE TABLE files (path TEXT PRIMARY KEY, photo INTEGER REFERENCES photos ON DELETE CASCADE,"
        " size INTEGER NOT NULL, modified INTEGER NOT NULL, error TEXT) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX files_of_photo ON files (photo)")
    db.execute(
        "CREATE TABLE faces (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " photo INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,"
        " number INTEGER NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,"
        " landmarks BLOB NOT NULL, angle REAL NOT NULL, probability REAL NOT NULL, quality REAL NOT NULL,"
        " UNIQUE (photo, number))"
    )
    db.execute(
        "CREATE TABLE portraits (face INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,"
        " embedding BLOB NOT NULL, thumbnail BLOB NOT NULL)"
    )
    # Counts the changes of the faces, so that files derived from them can be checked for being up to date.
    db.execute("INSERT INTO settings VALUES ('revision', '0')")
    for event in ("INSERT", "DELETE"):
        db.execute(
            f"CREATE TRIGGER faces_after_{event.lower()} AFTER {event} ON faces BEGIN"
            " UPDATE settings SET value = value + 1 WHERE name = 'revision'; END"
        )


def m002_people(db: sqlite3.Connection) -> None:
    """The people of the faces: clusters, and the user's statements."""
    db.execute("CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)")
    db.execute("ALTER TABLE faces ADD COLUMN person INTEGER REFERENCES people ON DELETE SET NULL")
    db.execute("ALTER TABLE faces ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0")
    db.execute("CREATE INDEX faces_of_person ON faces (person)")
    db.execute(
        "CREATE TABLE denials (face INTEGER NOT NULL REFERENCES faces ON DELETE CASCADE,"
        " person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE, PRIMARY KEY (face, person)) WITHOUT ROWID"
    )


def m003_names_in_any_case(db: sqlite3.Connection) -> None:
    """A key that is the same for all spellings of a name: in any case and Unicode form."""
    db.execute("ALTER TABLE people ADD COLUMN key TEXT")
    for number, name in db.execute("SELECT id, name FROM people WHERE name IS NOT NULL").fetchall():
        db.execute("UPDATE people SET key = ? WHERE id = ?", (name_key(name), number))
    db.execute("CREATE INDEX people_by_key ON people (key)")  # not unique: older versions told "Anna" from "anna"


def m004_times_of_change(db: sqlite3.Connection) -> None:
    """The time of the last change of a file's inode, which tools cannot set back. NULL if unknown."""
    db.execute("ALTER TABLE files ADD COLUMN changed INTEGER")


def m005_incomplete_photos(db: sqlite3.Connection) -> None:
    """The reason why a part of a photo is missing, if the rest is used."""
    db.execute("ALTER TABLE photos ADD COLUMN note TEXT")


def m006_imported_names(db: sqlite3.Connection) -> None:
    """People in photos without a found face, and the names by which other programs know people."""
    db.execute(
        "CREATE TABLE photo_people (photo INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,"
        " person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE, PRIMARY KEY (photo, person)) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX photo_people_by_person ON photo_people (person)")
    db.execute(
        "CREATE TABLE imported_names (key TEXT PRIMARY KEY,"
        " person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE) WITHOUT ROWID"
    )
    db.execute("CREATE INDEX imported_names_by_person ON imported_names (person)")


def m007_other_hashes(db: sqlite3.Connection) -> None:
    """Further contents of a photo: those with names that Faceie has written into it."""
    db.execute("CREATE TABLE hashes (hash BLOB UNIQUE, photo INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE)")


def m008_undo(db: sqlite3.Connection) -> None:
    """The user's last actions, with the rows that they changed, and which assignments of faces came after them."""
    db.execute("CREATE TABLE actions (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, made TEXT NOT NULL)")
    db.execute(
        "CREATE TABLE changes (id INTEGER PRIMARY KEY, action INTEGER NOT NULL REFERENCES actions ON DELETE CASCADE,"
        " kind TEXT NOT NULL, face INTEGER REFERENCES faces ON DELETE CASCADE, person INTEGER,"
        " photo INTEGER REFERENCES photos ON DELETE CASCADE, name TEXT, before TEXT, after TEXT)"
    )
    db.execute("CREATE INDEX changes_of_action ON changes (action)")
    db.execute("CREATE INDEX changes_of_face ON changes (face)")
    db.execute("ALTER TABLE faces ADD COLUMN assigned_after INTEGER NOT NULL DEFAULT 0")


def m009_ignored_faces(db: sqlite3.Connection) -> None:
    """Why a face is ignored, if it is; covers and dates of birth of people; photos that the user has deleted."""
    db.execute("ALTER TABLE faces ADD COLUMN ignored TEXT")
    db.execute("ALTER TABLE people ADD COLUMN cover INTEGER REFERENCES faces ON DELETE SET NULL")
    db.execute("ALTER TABLE people ADD COLUMN born TEXT")
    db.execute("CREATE TABLE forgotten (hash BLOB PRIMARY KEY) WITHOUT ROWID")


def m010_cohort(db: sqlite3.Connection) -> None:
    """The offset of each face, and whether it is in the cohort of the others (see `faceie.cohort`)."""
    db.execute(
        "CREATE TABLE cohort (face INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,"
        " offset REAL NOT NULL, member INTEGER NOT NULL)"
    )
    db.execute("CREATE INDEX cohort_members ON cohort (face) WHERE member")
    db.execute("DELETE FROM settings WHERE name = 'clustered'")  # clustering fills the table


def m011_drawn_faces(db: sqlite3.Connection) -> None:
    """Whether the user has drawn the box of a face."""
    db.execute("ALTER TABLE faces ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0")


def m012_faces_by_person(db: sqlite3.Connection) -> None:
    """An index by which the faces of a person are counted, and the best of them found, without reading their rows."""
    db.execute("DROP INDEX faces_of_person")
    db.execute("CREATE INDEX faces_by_person ON faces (person, quality DESC, photo)")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    m001_photos_and_faces,
    m002_people,
    m003_names_in_any_case,
    m004_times_of_change,
    m005_incomplete_photos,
    m006_imported_names,
    m007_other_hashes,
    m008_undo,
    m009_ignored_faces,
    m010_cohort,
    m011_drawn_faces,
    m012_faces_by_person,
)
