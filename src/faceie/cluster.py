"""Connect to a Dask cluster, the extra `dask`."""

from __future__ import annotations

import json
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
    scheduler = address
    if address.endswith(".json") or os.path.isfile(address):  # noqa: PTH113  # other addresses are URLs
        scheduler = _read_scheduler_file(Path(address))
    try:
        client = distributed.Client(scheduler, timeout=_WAIT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise FaceieError(f"{address}: no Dask scheduler answers here: {error}") from error
    try:
        yield client.get_executor(pure=False)
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=5)


def _read_scheduler_file(path: Path) -> str:
    """Return the address in the file of a scheduler that may be starting. Raises FaceieError if it does not appear."""
    deadline = time.monotonic() + _WAIT
    while True:
        with suppress(OSError, ValueError, KeyError, TypeError):  # it is missing, or not written to its end
            return str(json.loads(path.read_text(encoding="utf-8"))["address"])
        if time.monotonic() > deadline:
            raise FaceieError(f"{path}: no Dask scheduler has written this file. Start one with --scheduler-file")
        time.sleep(0.1)
