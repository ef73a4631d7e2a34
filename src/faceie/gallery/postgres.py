"""A gallery in a PostgreSQL database, for several people: a connection with the methods that the stores use.

The stores write SQL that both databases understand, with SQLite's marks for parameters. A `Postgres` translates these,
and the type of paths, which are bytes here. Its errors become those of `sqlite3` (see `postgres_errors`), so that other
modules know one family of errors.

Transactions that write wait for each other, as in SQLite, by a lock on the table ``migrations``. Readers never wait.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ..errors import GalleryError, OptionError
from .postgres_errors import Interrupted, first_line, translating_errors
from .postgres_vectors import Embedding, register_vectors
from .schema_postgres import MIGRATIONS, TABLES

if TYPE_CHECKING:
    import psycopg

__all__ = ["Embedding", "Postgres", "connect_postgres", "is_address", "name_of"]

_SCHEMES = ("postgresql://", "postgres://")
_SCHEMA = "faceie"  # of the tables, unless the address has another one
_PGVECTOR = (0, 8)  # oldest version: the first with iterative scans
_PATIENCE = 30.0  # seconds to wait for another program that writes
_PAUSE = 0.5  # seconds before an interrupted query is tried again
_MARKS = (("CAST(? AS TEXT)", "?"), (" AS BLOB)", " AS bytea)"), ("%", "%%"), ("?", "%s"))
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_REPEATABLE = ("SELECT", "BEGIN")
_MAKES_ID = re.compile(r"INSERT INTO (photos|faces|people|actions) \((?!id\))")

# `hnsw`: see `store_vectors`. The server ends a transaction whose program has vanished, since others wait for it.
_SESSION = """
    SET hnsw.ef_search = 800; SET hnsw.iterative_scan = relaxed_order;
    SET idle_in_transaction_session_timeout = '10min'
"""


def is_address(path: object) -> bool:
    """Tell whether a path is the address of a database."""
    return isinstance(path, str) and path.startswith(_SCHEMES)


def name_of(address: str) -> str:
    """Return an address without passwords, for messages."""
    return _split(address)[0]


def connect_postgres(address: str, *, create: bool) -> Postgres:
    """Open the gallery in a database, and apply missing migrations. If it is missing, create it if asked.

    Raises GalleryError if the database cannot be used, or if a newer version has written it.
    """
    db = Postgres(address)
    try:
        db.migrate(create)
    except BaseException:
        db.close()
        raise
    return db


class Result:
    """The result of a statement, with the methods of a cursor of `sqlite3`."""

    def __init__(self, cursor: psycopg.Cursor[Any], lastrowid: int | None = None) -> None:
        self._cursor = cursor
        self.lastrowid = lastrowid
        self.rowcount = cursor.rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""
        return self._cursor.fetchall()


class Postgres:
    """A connection to the database of a gallery. If it was lost, the next statement opens another one."""

    snapshot_statement = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, address: str) -> None:
        self.name, self._address, self._schema = _split(address)
        self.read_only = False
        self._in_block = False  # within a transaction or a snapshot, a lost connection is not opened again
        self._connection = self._connect()

    # The connection

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            import psycopg
        except ImportError as error:
            raise GalleryError(
                f"{self.name}: a gallery in PostgreSQL needs psycopg; install the package psycopg[binary]"
            ) from error
        with translating_errors():
            try:
                connection = psycopg.connect(self._address, autocommit=True, application_name="faceie")
            except psycopg.Error as error:  # its message may hold the address, with the password
                text = first_line(error).replace(self._address, self.name)
                raise GalleryError(f"{self.name}: the database cannot be reached ({text}). {_advice(text)}") from None
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        """Choose the schemas of the tables and of pgvector, and register its type."""
        extension = connection.execute(
            "SELECT nspname, extversion FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace"
            " WHERE extname = 'vector'"
        ).fetchone()
        where, version = extension or ("public", None)
        if version and tuple(map(int, version.split(".")[:2])) < _PGVECTOR:
            raise GalleryError(
                f"{self.name}: this database has pgvector {version}, expected 0.8 or newer. "
                "Have its administrator update it, and run ALTER EXTENSION vector UPDATE"
            )
        connection.execute("SELECT set_config('search_path', %s, false)", (f'"{self._schema}", "{where}"',))
        connection.execute(_SESSION)
        if version and not register_vectors(connection):
            raise GalleryError(
                f"{self.name}: this role cannot use pgvector, which is in the schema {where}. "
                f"Have the administrator run GRANT USAGE ON SCHEMA {where}"
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction or a snapshot is open."""
        return self._in_block

    # Statements

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Result:
        """Execute a statement in SQLite's style. If a query or the start of a transaction is interrupted, try again."""
        is_repeatable = not self._in_block and sql.startswith(_REPEATABLE)
        try:
            return self._execute(sql, values)
        except Interrupted:
            if not is_repeatable:
                raise
            time.sleep(_PAUSE)  # until a replica has caught up, or a server has restarted
            return self._execute(sql, values)

    def _execute(self, sql: str, values: Sequence[Any]) -> Result:
        if makes_id := _MAKES_ID.match(sql):
            sql += " RETURNING id"
        with self._checked() as connection:
            try:
                cursor = connection.cursor(binary=True).execute(_translated(sql), tuple(values))
                self._in_block = self._in_block or sql.startswith("BEGIN")
            finally:
                self._in_block = self._in_block and sql not in ("COMMIT", "ROLLBACK")
            row = cursor.fetchone() if makes_id else None
            return Result(cursor, row and row[0])

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> Result:
        """Execute a statement for many rows, without waiting for each."""
        with self._checked() as connection:
            cursor = connection.cursor()
            cursor.executemany(_translated(sql), rows)
            return Result(cursor)

    def run(self, script: str) -> None:
        """Execute several statements in PostgreSQL's style, without parameters."""
        with self._checked() as connection:
            connection.execute(script.encode())

    def run_long(self, statement: str) -> None:
        """Execute a statement outside of a transaction, without the time limits that others have."""
        self.run("SET statement_timeout = 0; SET lock_timeout = 0")
        try:
            self.run(statement)
        finally:
            with suppress(sqlite3.Error, GalleryError):  # the connection may be lost, and another one has the limits
                self.run("RESET statement_timeout; RESET lock_timeout")

    @contextmanager
    def _checked(self) -> Iterator[psycopg.Connection[Any]]:
        """Return the connection, or another one if it was lost. Translate errors."""
        if self._connection.broken and not self._in_block:
            self._connection = self._connect()
        with translating_errors():
            yield self._connection

    @contextmanager
    def transaction(self, patience: float | None = None) -> Iterator[None]:
        """Open a transaction: all writes within it succeed, or, after an error, none of them (see `database`)."""
        if self.read_only and (reason := self._note_rights()):  # a replica may have become the primary
            raise GalleryError(f"{self.name}: this gallery can only be read here: {reason}")
        wait = max(1, round(1000 * (_PATIENCE if patience is None else patience)))
        self.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        try:
            self.run(f"SET LOCAL lock_timeout = {wait}; LOCK TABLE migrations IN EXCLUSIVE MODE")
            self._check_version(self._seen())
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # the connection may be lost, and the server rolls back by itself
                self.execute("ROLLBACK")
            raise

    @contextmanager
    def recording(self) -> Iterator[list[tuple[str, str, dict[str, Any] | None, dict[str, Any] | None]]]:
        """Return a list that receives the changed rows at the end: table, event, old and new values."""
        self.run("SET LOCAL faceie.recording = 'on'")
        changed: list[Any] = []
        yield changed  # after an error, the transaction is rolled back
        self.run("SET LOCAL faceie.recording = 'off'")
        changed += self.execute("SELECT source, event, old, new FROM recording ORDER BY id").fetchall()
        self.execute("DELETE FROM recording")

    # The tables

    def migrate(self, create: bool) -> None:
        """Apply and record the missing migrations: all or none of them. See `connect_postgres`."""
        seen = self._seen()
        if not seen and not create:
            raise GalleryError(f"{self.name}: there is no gallery here; faceie index makes one")
        self._check_version(seen)
        if missing := {migration.__name__ for migration in MIGRATIONS} - seen:
            what = f"an older version of Faceie has written this gallery ({min(missing)} is missing)"
            if reason := self._why_no_writes():
                raise GalleryError(f"{self.name}: {what if seen else 'there is no gallery here'}, and {reason}")
            if seen and not self.is_owner():
                raise GalleryError(f"{self.name}: {what}. Have the owner of its tables open it once with this version")
            self._apply_missing()
            with translating_errors():
                self._prepare(self._connection)  # pgvector may be new
        self._note_rights()

    def _note_rights(self) -> str | None:
        """Find out whether the gallery can be written here. Return the reason if it cannot."""
        reason = self._why_no_writes()
        if not reason:
            rights = " AND ".join(f"has_table_privilege(name, '{right}')" for right in _RIGHTS)
            rows = self.execute(
                f"SELECT name FROM unnest(CAST(? AS text[])) AS name WHERE NOT ({rights})", ([*TABLES, "migrations"],)
            )
            if tables := [name for (name,) in rows]:
                which = "its tables" if len(tables) > len(TABLES) else ", ".join(tables)
                reason = f"this role may not write {which}. Have their owner grant {', '.join(_RIGHTS)}"
        self.read_only = reason is not None
        return reason

    def _why_no_writes(self) -> str | None:
        """Return the reason if the server, or this connection, allows no writes at all."""
        replica, setting = self.execute(
            "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'"
        ).fetchone()
        if replica:
            return "this server is a read-only replica. Use the address of its primary server"
        if setting:
            return "default_transaction_read_only is on. Have the administrator turn it off for this role"
        return None

    def is_owner(self) -> bool:
        """Tell whether this role owns the tables."""
        table = f'"{self._schema}".migrations'
        query = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(?)"
        return bool(self.execute(query, (table,)).fetchone()[0])

    def _apply_missing(self) -> None:
        self.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        try:
            self.execute("SELECT pg_advisory_xact_lock(hashtext('faceie'))")  # another program may do the same
            self.run("SET LOCAL statement_timeout = 0")  # a migration of many faces takes long
            try:
                self.run("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
            except sqlite3.Error as error:
                raise GalleryError(
                    f"{self.name}: this database has no pgvector ({first_line(error.__cause__ or error)}). "
                    "Have its administrator install it, and run CREATE EXTENSION vector"
                ) from error
            if not self._has_schema():
                self.run(f'CREATE SCHEMA "{self._schema}"')
            seen = self._seen()
            if not seen:
                self._check_empty()
                self.run('CREATE TABLE migrations (name text PRIMARY KEY COLLATE "C", applied timestamptz NOT NULL)')
            for migration in MIGRATIONS:
                if migration.__name__ not in seen:
                    migration(self)
                    self.execute("INSERT INTO migrations VALUES (?, now())", (migration.__name__,))
            self.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self.execute("ROLLBACK")
            raise

    def drop(self) -> None:
        """Delete all tables, and the schema if it is empty then."""
        self.run(f"DROP TABLE {', '.join(TABLES)}, migrations; DROP FUNCTION count_changes, record_change")
        with suppress(sqlite3.Error):  # it may belong to another role, or hold other tables
            self.run(f'DROP SCHEMA "{self._schema}"')

    def vacuum(self) -> None:
        """Free the space of deleted rows. The server leaves out tables of other owners."""
        self.run_long(f"VACUUM {', '.join(TABLES)}")

    def _has_schema(self) -> bool:
        return self.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (self._schema,)).fetchone() is not None

    def _check_empty(self) -> None:
        found = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = ?", (self._schema,)).fetchone()
        if found:
            raise GalleryError(
                f"{self.name}: the schema {self._schema} belongs to another program (it has a table {found[0]}); "
                "it is left alone. Choose another one: add ?schema=NAME to the address"
            )

    def _seen(self) -> set[str]:
        """Return the names of the applied migrations."""
        table = f'"{self._schema}".migrations'
        if self.execute("SELECT to_regclass(?)", (table,)).fetchone()[0] is None:
            return set()
        return {name for (name,) in self.execute(f"SELECT name FROM {table}")}

    def _check_version(self, seen: set[str]) -> None:
        if unknown := sorted(seen - {migration.__name__ for migration in MIGRATIONS}):
            raise GalleryError(
                f"{self.name}: a newer version of Faceie has written this gallery ({', '.join(unknown)}); "
                "it is left alone. Install a newer version of Faceie to open it"
            )


def _split(address: str) -> tuple[str, str, str]:
    """Return an address as a text for messages, without passwords; the address for the driver; and the schema."""
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = None
    if parts is None or parts.fragment:  # not shown, since a part of it may be the password
        raise OptionError(
            "the address of the database is not valid, expected postgresql://USER@HOST/DATABASE. "
            "Write # in a password as %23, @ as %40, / as %2F"
        )
    options = parse_qsl(parts.query, keep_blank_values=True)
    schema = dict(options).get("schema", _SCHEMA)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", schema):
        raise OptionError(f"the schema of the database is {schema!r}, expected letters, digits and _")
    user, at, host = parts.netloc.rpartition("@")
    shown = urlencode([(k, v) for k, v in options if "password" not in k], safe="/", quote_via=quote)
    own = urlencode([(k, v) for k, v in options if k != "schema"], quote_via=quote)
    name = urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + host, query=shown))
    return name, urlunsplit(parts._replace(query=own)), schema


def _advice(text: str) -> str:
    """Return what to do if the server refuses a connection for this reason."""
    if "too many" in text or "connection slots" in text:
        return "Close programs that use it, or have its administrator allow more connections"
    return "Check the address and the password, and that the server runs"


def _translated(sql: str) -> bytes:
    for sqlite, postgres in _MARKS:
        sql = sql.replace(sqlite, postgres)
    return sql.encode()
