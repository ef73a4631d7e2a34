"""The path of the default gallery, and the weights and options of a gallery, which all its embeddings share."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..checks import whole_number
from ..errors import GalleryError
from ..facenet.loading import answer, identify, load
from ..facenet.network import InceptionResNetV1
from ..images import MAX_PIXELS
from ..mtcnn.options import DetectionOptions
from .postgres import is_address
from .store import Store

__all__ = ["GALLERY_DEFAULTS", "Settings", "choose_settings", "default_path", "exclude_patterns", "load_checked"]

#: Detection options of a new gallery. Smaller faces, relative to the photo, are rarely good for recognition: they are
#: small, or blurred (docs/accuracy.md, "The smallest face").
GALLERY_DEFAULTS = DetectionOptions(min_face_share=0.01)

_SAME_ANSWER = 1e-4  # largest difference between embeddings of the test picture by the same weights


def default_path() -> Path | str:
    """Return the path of the default gallery.

    It is the value of the environment variable FACEIE_GALLERY, or else ``gallery.faceie`` in the platform's folder for
    user data.

    Returns
    -------
    Path or str
        Path of the file, which need not exist, or address of a database.

    Examples
    --------
    >>> import os
    >>> os.environ["FACEIE_GALLERY"] = "family.faceie"
    >>> print(default_path())
    family.faceie
    """
    if path := os.environ.get("FACEIE_GALLERY"):
        return path if is_address(path) else Path(path).expanduser()
    import platformdirs  # slow to import

    return platformdirs.user_data_path("faceie", appauthor=False) / "gallery.faceie"


class Settings(NamedTuple):
    """Settings of the analysis of photos."""

    weights: str | Path
    """As `faceie.facenet.load` takes them."""
    options: DetectionOptions
    truncated: bool = False
    """Whether the readable part of a damaged photo is used."""
    max_pixels: int = MAX_PIXELS
    """Size of the largest photo that is opened."""
    one_thread: bool = False
    """Whether each photo is analyzed in one thread, for workers that analyze several at a time."""
    run: str = ""
    """A text that differs between runs. Executors that keep results by their arguments (Dask) then give new ones."""

    def with_limits(self, truncated: bool, max_pixels: int | None) -> Settings:
        """Return a copy with these limits. None stands for the limit of `read_photo`."""
        if max_pixels is None:
            return self._replace(truncated=truncated, max_pixels=MAX_PIXELS)
        largest = whole_number("max_pixels", max_pixels, or_else=", or None")
        return self._replace(truncated=truncated, max_pixels=largest)

    def for_run(self, *, one_thread: bool) -> Settings:
        """Return a copy for the calls of one run."""
        return self._replace(one_thread=one_thread, run=secrets.token_hex(8))


def choose_settings(store: Store, weights: str | Path | None, options: DetectionOptions | None) -> Settings:
    """Store the settings of a new gallery, or check the given ones against those of an existing gallery."""
    if options:
        options = replace(options, crops=True)  # the encoder needs them
    if store.setting("key") is None:
        with store.transaction():
            if store.setting("key") is None:  # another process may have been quicker
                store.set("key", secrets.token_hex(16))
                store.set("weights", weights_to_json(weights or "vggface2"))
                store.set("options", json.dumps(asdict(options or GALLERY_DEFAULTS)))
    source = weights or weights_from_json(store.setting("weights") or "")
    own = DetectionOptions(**json.loads(store.setting("options") or ""))
    if options and options != own:
        others = [name for name, value in asdict(own).items() if asdict(options)[name] != value]
        raise GalleryError(
            f"{store.path}: the faces of this gallery were found with other options: "
            + ", ".join(f"{name} {getattr(own, name)}, not {getattr(options, name)}" for name in others)
            + ". Leave them as they are, or make another gallery"
        )
    return Settings(source, own)


def exclude_patterns(store: Store, given: Iterable[str] | None) -> list[str]:
    """Return the given patterns of files to skip, and keep them for later runs; for None, the kept ones."""
    kept: list[str] = json.loads(store.setting("exclude") or "[]")
    if given is None:
        return kept
    patterns = [pattern for pattern in given if pattern.strip()]
    if patterns != kept:
        with store.transaction():
            store.set("exclude", json.dumps(patterns))
    return patterns


def load_checked(store: Store, settings: Settings) -> InceptionResNetV1:
    """Load the weights, and check that they are the gallery's: that the test picture gives the same embedding."""
    weights = load(settings.weights)
    now, stored = answer(weights), store.setting("answer")
    if stored is None and not store.is_read_only:
        with store.transaction():  # the weights of the first embeddings are those of the gallery
            store.set("weights", weights_to_json(settings.weights))
            store.set("answer", json.dumps(now.tolist()))
            if name := identify(weights):
                store.set("calibration", name)
    elif stored is not None and np.abs(now - json.loads(stored)).max() > _SAME_ANSWER:
        raise GalleryError(
            f"{store.path}: other weights than {settings.weights} made the embeddings of this gallery, "
            f"namely {weights_from_json(store.setting('weights') or '')}, and they cannot be compared. "
            "Use these weights, or make another gallery"
        )
    return weights


def weights_to_json(weights: str | Path) -> str:
    """Return the name or the absolute path of weights as JSON."""
    return json.dumps({"path": str(weights.absolute())} if isinstance(weights, Path) else {"name": weights})


def weights_from_json(text: str) -> str | Path:
    """Return the name or the path of weights from JSON."""
    source = json.loads(text)
    return Path(source["path"]) if "path" in source else str(source["name"])
