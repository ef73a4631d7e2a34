"""Connect to a Dask cluster, the extra `dask`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from importlib import import_module

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
    where = {"scheduler_file": address} if os.path.isfile(address) else {"address": address}  # noqa: PTH113  # a URL
    try:
        client = distributed.Client(**where, timeout=_WAIT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise FaceieError(f"{address}: no Dask scheduler answers here: {error}") from error
    try:
        yield client.get_executor(pure=False)
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=5)
