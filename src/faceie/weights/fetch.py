"""Downloads of weights: the only place in Faceie that opens a connection.

A download goes to a temporary file, is tried again when what failed may pass, and is handed to a check before anyone
can take it for weights. The transfer itself is pooch's.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import WeightsError

__all__ = ["fetch", "is_offline", "mirrored"]

_ATTEMPTS = 3
_PAUSES = (1.0, 3.0)  # seconds, before the second and the third attempt
_TIMEOUT = 30.0  # seconds without a byte


def is_offline() -> bool:
    """Tell whether the environment forbids downloads."""
    return os.environ.get("FACEIE_OFFLINE", "").lower() not in ("", "0", "no", "false")


def mirrored(address: str) -> str:
    """Return the address, or that of the same file on the mirror that the environment names."""
    mirror = os.environ.get("FACEIE_MIRROR")
    return f"{mirror.rstrip('/')}/{address.rpartition('/')[2]}" if mirror else address


def fetch(address: str, folder: Path, use: Callable[[Path], None]) -> None:
    """Download a file and `use` it. It lies in `folder` meanwhile, and nothing of it is left there.

    `use` raises WeightsError if the file is not what it should be: that counts as a failed download. Raises
    WeightsError, which says how the last attempt failed. Shows progress on standard error, if that is a terminal.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"the folder {folder} for downloads cannot be made: {error.strerror}") from error
    for attempt in range(1, _ATTEMPTS + 1):
        temporary = folder / f".download-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            _transfer(address, temporary)
            use(temporary)
            return
        except (OSError, WeightsError) as error:
            reason = _reason(error, temporary)
            if attempt == _ATTEMPTS or not _may_pass(error):
                raise WeightsError(f"{reason} (attempt {attempt})") from error
            time.sleep(_PAUSES[attempt - 1])
        finally:
            temporary.unlink(missing_ok=True)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _transfer(address: str, target: Path) -> None:
    """Write what is at an address to a file; raise an OSError of requests if that fails."""
    import pooch  # takes its time, as does requests, which it uses

    progress = _progress() if sys.stderr.isatty() else False
    pooch.HTTPDownloader(progressbar=progress, timeout=_TIMEOUT)(address, str(target), None)


def _progress() -> Any:
    """Return a progress bar, of which pooch sets the total when it knows it."""
    from tqdm import tqdm

    # The total is a placeholder: pooch sets it, but asks before whether the bar is true, which one without is not.
    return tqdm(desc="weights", total=1, unit="B", unit_scale=True)


def _may_pass(error: Exception) -> bool:
    """Tell whether another attempt makes sense: not if the server knows that it will not give the file."""
    response = getattr(error, "response", None)
    return response is None or response.status_code >= 500


def _reason(error: Exception, temporary: Path) -> str:
    """Say what went wrong, without the name of the temporary file, which is gone."""
    return (
        " ".join(str(error).replace(f"{temporary}: ", "the file that came is no good: ").split())
        or type(error).__name__
    )
