"""The errors of a PostgreSQL server, as errors of `sqlite3`, which have the same names (PEP 249).

The server names the kind of an error by a code (SQLSTATE), while its text depends on the server's language. The common
kinds have a sentence with advice. Others keep the server's text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Interrupted", "ServerError", "first_line", "translating_errors"]

_LOCKED = ("55P03", "40P01")  # a lock was not available, deadlock

#: Code of an error, and a sentence. `{}` is the text of the server.
_ADVICE = {
    "25006": "this gallery can only be read here ({}). To change it, use the address of the primary server, or another "
    "role",
    "42501": "this role lacks a right ({}). Ask the owner of the database: see Rights in docs/postgres.md",
    "42P01": "tables of the gallery are missing ({}). If it was deleted, faceie index makes another one",
    "53100": "the disk of the server is full; everything stored so far is intact. Have its administrator make room, "
    "and run the command again",
    "53200": "the server is out of memory ({}); everything stored so far is intact. Run the command again later, or "
    "tell its administrator",
    "57014": "the server has canceled a statement ({}), and nothing of it was stored. If statement_timeout is too "
    "short, have the administrator raise it for this role",
}

_CONFLICT = (
    "the server has canceled a query, since it is a replica and must follow its primary ({}). Run the command again. "
    "If this happens often, have its administrator turn on hot_standby_feedback"
)
_LOST = (
    "the gallery cannot be used, since the connection to the server was lost ({}). A change is stored as a whole or "
    "not at all. Run the command again"
)
# Classes of codes: the connection, an intervention of the administrator; and timeouts of a session.
_ENDS_CONNECTION = ("08", "57P", "25P03", "25P04")


class ServerError(sqlite3.OperationalError):
    """An error of the server in a sentence with advice."""


class Interrupted(ServerError):
    """The connection was lost, or a query was canceled for another one. The next attempt may succeed."""


@contextmanager
def translating_errors() -> Iterator[None]:
    """Turn errors of the driver into those of `sqlite3`."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise _translated(error) from error


def _translated(error: Exception) -> sqlite3.Error:
    import psycopg

    text, code = first_line(error), str(getattr(error, "sqlstate", None) or "")
    if code in _LOCKED:
        return sqlite3.OperationalError("database is locked")
    if code == "40001":
        return Interrupted(_CONFLICT.format(text))
    if code.startswith(_ENDS_CONNECTION) or (not code and isinstance(error, psycopg.OperationalError)):
        return Interrupted(_LOST.format(text))
    if code in _ADVICE:
        return ServerError(_ADVICE[code].format(text))
    if isinstance(error, psycopg.DataError):  # it may lie with a photo, as the next one
        return sqlite3.DataError(text)
    if isinstance(error, psycopg.IntegrityError):
        return sqlite3.IntegrityError(text)
    return sqlite3.OperationalError(text)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().partition("\n")[0]
