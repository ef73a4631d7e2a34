"""Where the gallery is, and which weights and options it has: embeddings that are compared have these in common."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import GalleryError
from ..facenet.loading import answer, identify, load
from ..facenet.network import InceptionResNetV1
from ..images import MAX_PIXELS
from ..mtcnn.options import DetectionOptions
from .schema import transaction

if TYPE_CHECKING:
    from .store import Store

__all__ = ["Settings", "default_path", "kept_patterns", "load_checked", "settle"]

_SAME_ANSWER = 1e-4  # of weights to a test picture, in each number


def default_path() -> Path:
    """Return the file of the gallery that is used if no other is named: FACEIE_GALLERY, or one in the platform's folder
    for data of users.
    """
    if path := os.environ.get("FACEIE_GALLERY"):
        return Path(path).expanduser()
    import platformdirs  # slow to import

    return platformdirs.user_data_path("faceie", appauthor=False) / "gallery.faceie"


class Settings(NamedTuple):
    """How faces are found and encoded."""

    weights: str | Path
    """What `faceie.facenet.load` takes."""
    options: DetectionOptions
    truncated: bool = False
    """Whether the readable part of a damaged photo is used."""
    max_pixels: int = MAX_PIXELS
    """Of the largest photo that is opened."""


def settle(store: Store, weights: str | Path | None, options: DetectionOptions | None) -> Settings:
    """Choose the settings of a new gallery, or compare those that are asked for with those that it has."""
    if options:
        options = replace(options, crops=True)  # which are what is encoded
    if store.setting("key") is None:
        with transaction(store.db):
            if store.setting("key") is None:  # and no other process has been quicker
                store.set("key", secrets.token_hex(16))
                store.set("weights", _to_json(weights or "vggface2"))
                store.set("options", json.dumps(asdict(options or DetectionOptions())))
    source = weights or _from_json(store.setting("weights") or "")
    own = DetectionOptions(**json.loads(store.setting("options") or ""))
    if options and options != own:
        others = [name for name, value in asdict(own).items() if asdict(options)[name] != value]
        raise GalleryError(
            f"{store.path}: the faces of this gallery were found with other options: "
            + ", ".join(f"{name} {getattr(own, name)}, not {getattr(options, name)}" for name in others)
            + ". Leave them as they are, or make another gallery"
        )
    return Settings(source, own)


def kept_patterns(store: Store, given: Iterable[str] | None) -> list[str]:
    """Return the patterns of what to leave out: those that are given, which are kept, or those of the last time."""
    kept: list[str] = json.loads(store.setting("exclude") or "[]")
    if given is None:
        return kept
    patterns = [pattern for pattern in given if pattern.strip()]
    if patterns != kept:
        with transaction(store.db):
            store.set("exclude", json.dumps(patterns))
    return patterns


def load_checked(store: Store, settings: Settings) -> InceptionResNetV1:
    """Load the weights, and see to it that they are those of the gallery: that they give the same answer."""
    weights = load(settings.weights)
    now, stored = answer(weights), store.setting("answer")
    if stored is None and not store.db.read_only:
        with transaction(store.db):  # those of the first embeddings are those of the gallery
            store.set("weights", _to_json(settings.weights))
            store.set("answer", json.dumps(now.tolist()))
            if name := identify(weights):
                store.set("calibration", name)
    elif stored is not None and np.abs(now - json.loads(stored)).max() > _SAME_ANSWER:
        raise GalleryError(
            f"{store.path}: other weights than {settings.weights} made the embeddings of this gallery, "
            f"namely {_from_json(store.setting('weights') or '')}, and they cannot be compared. "
            "Use those, or make another gallery"
        )
    return weights


def _to_json(weights: str | Path) -> str:
    return json.dumps({"path": str(weights.absolute())} if isinstance(weights, Path) else {"name": weights})


def _from_json(text: str) -> str | Path:
    source = json.loads(text)
    return Path(source["path"]) if "path" in source else str(source["name"])
