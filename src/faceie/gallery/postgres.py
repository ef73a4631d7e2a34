"""A gallery in a PostgreSQL database, for several people: a connection with the methods that the stores use.

The stores write SQL that both databases understand, with SQLite's marks for parameters. A `Postgres` translates these,
and the type of paths, which are bytes here. Its errors become those of `sqlite3`, which have the same names (PEP 249),
so that other modules know one family of errors.

Transactions that write wait for each other, as in SQLite, by a lock on the table ``migrations``. Readers never wait.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import numpy as np

from ..errors import GalleryError, OptionError
from .schema_postgres import MIGRATIONS, TABLES

if TYPE_CHECKING:
    import psycopg

__all__ = ["Embedding", "Postgres", "connect_postgres", "is_address", "name_of"]

_SCHEMES = ("postgresql://", "postgres://")
_SCHEMA = "faceie"  # of the tables, unless the address has another one
_PGVECTOR = (0, 8)  # oldest version: the first with iterative scans
_PATIENCE = 30.0  # seconds to wait for another program that writes
_MARKS = (("CAST(? AS TEXT)", "?"), (" AS BLOB)", " AS bytea)"), ("%", "%%"), ("?", "%s"))
_MAKES_ID = re.compile(r"INSERT INTO (photos|faces|people|actions) \((?!id\))")

# `hnsw`: see `store_vectors`. The server ends a transaction whose program has vanished, since others wait for it.
_SESSION = """
    SET hnsw.ef_search = 400; SET hnsw.iterative_scan = relaxed_order;
    SET idle_in_transaction_session_timeout = '10min'
"""


class Embedding(bytes):
    """An embedding, 512 float32, little-endian: a BLOB in SQLite, a vector in PostgreSQL."""


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
        with _translating_errors():
            try:
                connection = psycopg.connect(self._address, autocommit=True, application_name="faceie")
            except psycopg.Error as error:  # its message may hold the address, with the password
                text = _first_line(error).replace(self._address, self.name)
                raise GalleryError(f"{self.name}: the database cannot be reached ({text})") from None
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
        if version:
            _register_vectors(connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction or a snapshot is open."""
        return self._in_block

    # Statements

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Result:
        """Execute a statement in SQLite's style."""
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

    @contextmanager
    def _checked(self) -> Iterator[psycopg.Connection[Any]]:
        """Return the connection, or another one if it was lost. Translate errors."""
        if self._connection.broken and not self._in_block:
            self._connection = self._connect()
        with _translating_errors():
            yield self._connection

    @contextmanager
    def transaction(self, patience: float | None = None) -> Iterator[None]:
        """Open a transaction: all writes within it succeed, or, after an error, none of them (see `database`)."""
        if self.read_only:
            raise GalleryError(
                f"{self.name}: this gallery can only be read here: the role may not write it, or the server is a copy"
            )
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
        if {migration.__name__ for migration in MIGRATIONS} - seen:
            self._apply_missing()
            with _translating_errors():
                self._prepare(self._connection)  # pgvector may be new
        self.read_only = self.execute(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'"
            " OR NOT has_table_privilege('faces', 'INSERT')"
        ).fetchone()[0]

    def _apply_missing(self) -> None:
        self.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        try:
            self.execute("SELECT pg_advisory_xact_lock(hashtext('faceie'))")  # another program may do the same
            try:
                self.run("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
            except sqlite3.Error as error:
                raise GalleryError(
                    f"{self.name}: this database has no pgvector ({error}). "
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
        self.run(f"VACUUM {', '.join(TABLES)}")

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


def _translated(sql: str) -> bytes:
    for sqlite, postgres in _MARKS:
        sql = sql.replace(sqlite, postgres)
    return sql.encode()


def _register_vectors(connection: psycopg.Connection[Any]) -> None:
    """Have vectors of pgvector read as bytes, little-endian, and `Embedding` written as vectors.

    Their binary format is the number of dimensions, a number that is 0, and float32, all big-endian.
    """
    from psycopg.adapt import Dumper, Loader
    from psycopg.pq import Format
    from psycopg.types import TypeInfo

    info = TypeInfo.fetch(connection, "vector")
    assert info is not None
    number = info.oid

    class VectorDumper(Dumper):
        format = Format.BINARY
        oid = number

        def dump(self, obj: bytes) -> bytes:
            numbers = np.frombuffer(obj, "<f4")
            return len(numbers).to_bytes(2, "big") + b"\0\0" + numbers.astype(">f4").tobytes()

    class VectorLoader(Loader):
        format = Format.BINARY

        def load(self, data: Any) -> bytes:
            return np.frombuffer(data, ">f4", offset=4).astype("<f4").tobytes()

    connection.adapters.register_dumper(Embedding, VectorDumper)
    connection.adapters.register_loader(number, VectorLoader)


@contextmanager
def _translating_errors() -> Iterator[None]:
    """Turn errors of the driver into those of `sqlite3`."""
    import psycopg
    from psycopg import errors

    try:
        yield
    except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
        raise sqlite3.OperationalError("database is locked") from error
    except errors.DiskFull as error:
        raise sqlite3.OperationalError("database or disk is full") from error
    except (psycopg.DataError, psycopg.IntegrityError) as error:  # these may lie with a photo
        kind = sqlite3.DataError if isinstance(error, psycopg.DataError) else sqlite3.IntegrityError
        raise kind(_first_line(error)) from error
    except psycopg.Error as error:
        raise sqlite3.OperationalError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
