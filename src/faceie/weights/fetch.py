"""Downloads of weights: the only place in Faceie that opens a connection.

A download goes to a temporary file and is checked there. pooch does the transfer, the retries and the comparison of the
SHA-256.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import WeightsError

__all__ = ["fetch", "is_offline", "mirrored"]

_RETRIES = 2  # after 1 and 2 seconds, if the server or the connection fails, or the SHA-256 differs
_TIMEOUT = 30.0  # seconds without a byte


def is_offline() -> bool:
    """Tell whether the environment forbids downloads."""
    return os.environ.get("FACEIE_OFFLINE", "").lower() not in ("", "0", "no", "false")


def mirrored(address: str) -> str:
    """Return the address, or that of the same file on the mirror in FACEIE_MIRROR."""
    mirror = os.environ.get("FACEIE_MIRROR")
    return f"{mirror.rstrip('/')}/{address.rpartition('/')[2]}" if mirror else address


def fetch(address: str, folder: Path, use: Callable[[Path], None], sha256: str | None = None) -> None:
    """Download a file to a temporary file in `folder`, call `use` with its path, and remove it.

    `sha256`: the expected hash, if it is known. `use` raises WeightsError for a wrong file. Raises WeightsError with
    the reason of the last failure. Shows progress on standard error, if that is a terminal.
    """
    import pooch  # slow to import, as is requests, which it uses
    import requests

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"the folder {folder} for downloads cannot be made: {error.strerror}") from error
    transfer = pooch.HTTPDownloader(progressbar=_progress() if sys.stderr.isatty() else False, timeout=_TIMEOUT)

    def download(address: str, file: str, _: Any) -> None:
        try:
            transfer(address, file, None)
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code < 500:  # a definite answer: no retry
                raise WeightsError(str(error)) from error
            raise

    name = f".download-{os.getpid()}-{secrets.token_hex(4)}"
    registry = {name: f"sha256:{sha256}" if sha256 else None}
    store = pooch.create(folder, "", registry=registry, urls={name: address}, retry_if_failed=_RETRIES)
    pooch.get_logger().setLevel("WARNING")  # it logs each download
    file = folder / name
    try:
        store.fetch(name, downloader=download)
        use(file)
    except (OSError, ValueError, WeightsError) as error:
        reason = str(error).replace(f"{file}: ", "the downloaded file cannot be used: ").replace(name, "the file")
        raise WeightsError(" ".join(reason.split()) or type(error).__name__) from error
    finally:
        file.unlink(missing_ok=True)


def _progress() -> Any:
    """Return a progress bar. pooch sets the total when it knows it."""
    from tqdm import tqdm

    # The total is a placeholder: without one, a bar is false, and pooch would ignore it.
    return tqdm(desc="weights", total=1, unit="B", unit_scale=True)
