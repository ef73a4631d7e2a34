"""Weights that have a name, and where they are looked for.

`locate` tries, in this order: the data distribution that brings them (``faceie-vggface2``), Faceie's cache, the cache
of facenet-pytorch, and a download of facenet-pytorch's own release. What comes from the last two is converted to our
format into the cache, once it has given the known answer of the weights of that name. The file in the cache says which
weights it holds.

Three environment variables:

- ``FACEIE_CACHE``: the folder of the cache, instead of the platform's for caches of users;
- ``FACEIE_MIRROR``: where to download from: an address under which the files lie by their names, in any format;
- ``FACEIE_OFFLINE``: anything but empty, 0, no or false forbids downloads.
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
    """Weights that were published under a name."""

    name: str
    title: str
    address: str
    """Of facenet-pytorch's file."""
    sha256: str | None
    """Of that file, where it is known."""
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
    """Return the folder of what Faceie has downloaded and converted; it need not exist."""
    if folder := os.environ.get("FACEIE_CACHE"):
        return Path(folder).expanduser()
    import platformdirs  # takes its time

    return platformdirs.user_cache_path("faceie", appauthor=False)


def find(name: str) -> Path | None:
    """Return the file of named weights in our format, if it is on this machine.

    Raises WeightsNotFoundError for an unknown name.
    """
    return next((path for path in _ready(_published(name)) if path.is_file() and _says(path, name)), None)


def locate(name: str, convert: Convert) -> Path:
    """Return the file of named weights in our format; download and convert it if need be.

    `convert` makes our format of any file: it is called with the source, the target and the name. It checks that the
    source holds the weights of that name, writes the target at once, and raises WeightsError. Raises
    WeightsNotFoundError, which says what was tried and what else can be done.
    """
    published = _published(name)
    if path := find(name):
        return path
    target = _cached(published)
    download = torch_cache() / published.file
    tried = [f"the package {published.package}: not installed"] if published.package else []
    # A file in the cache that does not say which weights it holds was made by a version that did not check that.
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


def _says(path: Path, name: str) -> bool:
    """Tell whether a file in our format says that it holds the weights of this name."""
    try:
        return safetensors.read(path)[1].get("name") == name
    except WeightsError:
        return False


def torch_cache() -> Path:
    """Return the folder of PyTorch's downloads, as facenet-pytorch finds it."""
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
    """Yield the places where weights in our format may be."""
    spec = importlib.util.find_spec(published.package) if published.package else None
    if spec and spec.origin:
        yield Path(spec.origin).parent / f"{published.name}.safetensors"
    yield _cached(published)


def _explain(published: Published, tried: list[str]) -> str:
    """Say what was tried, and the ways out."""
    ways = [
        f"download {published.address} elsewhere, and copy it to {torch_cache()}, "
        "or load it with faceie.facenet.load(pathlib.Path(...))",
        f"set FACEIE_MIRROR to an address under which {published.file} can be had",
    ]
    if published.package:
        ways.insert(0, f"install the weights from a clone of Faceie: pip install ./weights/{published.name}")
    return "\n".join(
        [f'the weights "{published.name}" cannot be had. Tried:']
        + [f"  - {line}" for line in tried]
        + ["What helps:"]
        + [f"  - {line}" for line in ways]
    )
