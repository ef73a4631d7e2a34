"""Published weights by name, and the search for them.

`locate` tries, in this order: the data distribution (``faceie-vggface2``), Faceie's cache, the cache of
facenet-pytorch, and a download of facenet-pytorch's own release. Files from the last two are checked by their answer to
a test picture, then converted to our format, into the cache. The converted file has the name in its metadata.

Three environment variables:

- ``FACEIE_CACHE``: the folder of the cache, instead of the platform's cache of the user;
- ``FACEIE_MIRROR``: the address of a folder from which to download the files, by their names, in any format;
- ``FACEIE_OFFLINE``: any value except empty, 0, no or false forbids downloads.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import WeightsError, WeightsNotFoundError
from . import fetch, safetensors

__all__ = ["PUBLISHED", "Published", "cache_folder", "find", "locate"]

_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"

Convert = Callable[[Path, Path, str], None]


class Published(NamedTuple):
    """Published weights."""

    name: str
    title: str
    address: str
    """The address of facenet-pytorch's file."""
    sha256: str | None
    """The hash of that file, if known."""
    package: str | None
    """The Python package of the data distribution, if there is one."""

    @property
    def file(self) -> str:
        """The name of facenet-pytorch's file."""
        return self.address.rpartition("/")[2]


PUBLISHED = {
    published.name: published
    for published in (
        Published(
            "vggface2",
            "20180402-114759 by David Sandberg, trained on VGGFace2: the default",
            f"{_RELEASE}/20180402-114759-vggface2.pt",
            "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            "faceie_vggface2",
        ),
        Published(
            "casia-webface",
            "20180408-102900 by David Sandberg, trained on CASIA-WebFace",
            f"{_RELEASE}/20180408-102900-casia-webface.pt",
            None,
            None,
        ),
    )
}


def cache_folder() -> Path:
    """Return the folder of downloaded and converted files; it need not exist."""
    if folder := os.environ.get("FACEIE_CACHE"):
        return Path(folder).expanduser()
    import platformdirs  # slow to import

    return platformdirs.user_cache_path("faceie", appauthor=False)


def find(name: str) -> Path | None:
    """Return the file of named weights in our format, or None if it is not on this machine.

    Raises WeightsNotFoundError for an unknown name.
    """
    return next((path for path in _ready(_published(name)) if path.is_file() and _has_name(path, name)), None)


def locate(name: str, convert: Convert) -> Path:
    """Return the file of named weights in our format; download and convert it if necessary.

    `convert` is called with the source, the target and the name. It checks that the source holds the weights of that
    name, writes the target at once, and raises WeightsError. Raises WeightsNotFoundError, which lists all attempts and
    the remedies.
    """
    published = _published(name)
    if path := find(name):
        return path
    target = _cached(published)
    download = torch_cache() / published.file
    tried = [f"the package {published.package}: not installed"] if published.package else []
    # Early versions did not check the files in the cache, nor store the name in them.
    for path, what in ((target, ""), (download, ", where facenet-pytorch puts its downloads")):
        if not path.is_file():
            tried.append(f"{path}{what}: not there")
            continue
        try:
            convert(path, target, name)
            return target
        except WeightsError as error:
            tried.append(str(error))
    address = fetch.mirrored(published.address)
    if fetch.is_offline():
        tried.append(f"{address}: not tried, since FACEIE_OFFLINE is set")
    else:
        sha256 = published.sha256 if address == published.address else None  # a mirror may have another format
        try:
            fetch.fetch(address, target.parent, lambda file: convert(file, target, name), sha256)
            return target
        except WeightsError as error:
            tried.append(f"{address}: {error}")
    raise WeightsNotFoundError(_explain(published, tried))


def _has_name(path: Path, name: str) -> bool:
    """Tell whether a file in our format has this name in its metadata."""
    try:
        return safetensors.read(path)[1].get("name") == name
    except WeightsError:
        return False


def torch_cache() -> Path:
    """Return the folder of PyTorch's downloads, which facenet-pytorch uses."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "checkpoints"


def _published(name: str) -> Published:
    if name in PUBLISHED:
        return PUBLISHED[name]
    close = difflib.get_close_matches(name, PUBLISHED, 1, 0.5)
    names = " and ".join(f'"{known}"' for known in PUBLISHED)
    raise WeightsNotFoundError(
        f'no weights are called "{name}"'
        + (f'; did you mean "{close[0]}"? ' if close else ". ")
        + f"There are {names}; a file of weights is given as a Path, not as a text"
    )


def _cached(published: Published) -> Path:
    return cache_folder() / "weights" / f"{published.name}.safetensors"


def _ready(published: Published) -> Iterator[Path]:
    """Yield the paths under which weights in our format may be."""
    spec = importlib.util.find_spec(published.package) if published.package else None
    if spec and spec.origin:
        yield Path(spec.origin).parent / f"{published.name}.safetensors"
    yield _cached(published)


def _explain(published: Published, tried: list[str]) -> str:
    """Return the message with all attempts and the remedies."""
    ways = [
        f"download {published.address} elsewhere, and copy it to {torch_cache()}, "
        "or load it with faceie.facenet.load(pathlib.Path(...))",
        f"set FACEIE_MIRROR to the address of a folder that has {published.file}",
    ]
    if published.package:
        ways.insert(0, f"install the weights from a clone of Faceie: pip install ./weights/{published.name}")
    return "\n".join(
        [f'the weights "{published.name}" are not on this machine and cannot be downloaded. Tried:']
        + [f"  - {line}" for line in tried]
        + ["What helps:"]
        + [f"  - {line}" for line in ways]
    )
