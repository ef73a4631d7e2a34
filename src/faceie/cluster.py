"""Connect to a Dask cluster, the extra `dask`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from .errors import FaceieError

__all__ = ["dask_executor"]

_WAIT = 30  # seconds for the scheduler to answer


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Open an executor whose calls run on a Dask cluster. Raises FaceieError if no scheduler answers.

    `address`: that of the scheduler, such as ``tcp://10.0.0.1:8786``, or the path of a scheduler file.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise FaceieError("Dask is not installed: pip install distributed") from error
    where = {"address": address}
    if address.endswith(".json") or os.path.isfile(address):  # noqa: PTH113  # other addresses are URLs
        _wait_for_file(Path(address))
        where = {"scheduler_file": address}
    try:
        client = distributed.Client(**where, timeout=_WAIT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise FaceieError(f"{address}: no Dask scheduler answers here: {error}") from error
    try:
        yield client.get_executor(pure=False)
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=5)


def _wait_for_file(path: Path) -> None:
    """Wait for the file of a scheduler that is starting. Raises FaceieError if it does not appear."""
    deadline = time.monotonic() + _WAIT
    while not path.exists():
        if time.monotonic() > deadline:
            raise FaceieError(f"{path}: no Dask scheduler has written this file. Start one with --scheduler-file")
        time.sleep(0.1)
