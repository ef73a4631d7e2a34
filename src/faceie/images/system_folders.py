"""Folders in which systems and programs keep copies of photos: thumbnails, bins, previews of photo libraries."""

from __future__ import annotations

__all__ = ["is_derived"]

_NAMES = {
    "@eadir",  # thumbnails of a Synology
    "#recycle",
    "#snapshot",
    "@recycle",  # of a QNAP
    "@recently-snapshot",
    "@__thumb",
    "$recycle.bin",
    "recycler",
    "recycled",
    "system volume information",
    "found.000",
    "lost+found",
    "lost.dir",  # of Android
    "__macosx",
    "ipod photo cache",
}

# By the end of the name of a photo library or catalog: its folders with derivatives.
_LIBRARIES = {
    ".photoslibrary": {"resources", "private", "internal", "database", "scopes", "external"},
    ".photolibrary": {"resources", "thumbnails", "previews", "attachments", "database", "data", "data.noindex"},
    ".migratedphotolibrary": {"resources", "thumbnails", "previews", "attachments", "database", "data", "data.noindex"},
    ".aplibrary": {"thumbnails", "previews", "database"},
    ".cocatalog": {"cache", "settings"},
    "captureone": {"cache", "settings"},
}
_ENDINGS = (".lrdata", ".lrcat-data")  # previews of Lightroom


def is_derived(parent: str, name: str) -> bool:
    """Tell whether a folder, by its name and that of its parent, holds copies or deleted photos."""
    name, parent = name.casefold(), parent.casefold()
    if name in _NAMES or name.endswith(_ENDINGS):
        return True
    return any(parent.endswith(ending) and name in folders for ending, folders in _LIBRARIES.items())
