"""Write a gallery as a dataset: photos, faces, people, and the user's statements."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..dataset import FORMAT, PEOPLE, Columns, Origin, arrow, people_schema, write_part
from ..errors import GalleryError
from ..files import draft_prefix
from .store import Store
from .store_datasets import DatasetStore, PhotoRows

__all__ = ["export_dataset"]

_PHOTOS = 1000  # photos that are read at a time
_ROWS = 20_000  # rows of a file: some 130 MB


def export_dataset(store: Store, folder: Path, origin: Origin) -> int:
    """Write all photos and faces to a new folder, which appears when it is complete. Return the number of faces."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GalleryError(f"{folder}: something is here already, expected a new or an empty folder")
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder.with_name(f"{draft_prefix(folder)}{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        with store.snapshot():
            faces = _write(store, draft, origin)
        with suppress(OSError):
            folder.rmdir()  # an empty folder, which Windows does not replace
        os.replace(draft, folder)  # noqa: PTH105  # of Path, it would be the draft's
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return faces


def _write(store: Store, folder: Path, origin: Origin) -> int:
    pa = arrow()
    people = [{**row, "faceie": FORMAT} for row in store.datasets.people()]
    if people:
        write_part(folder / PEOPLE, [pa.RecordBatch.from_pylist(people, schema=people_schema())])
    rejections = store.datasets.rejections()
    batches: list[Any] = []
    last = files = faces = 0
    columns = Columns(origin)
    for path, error in store.datasets.unreadable_files():
        columns.add(path, {"error": error})
    while True:
        last, photos = store.datasets.photos_after(last, _PHOTOS)
        for photo in photos:
            faces += len(photo.faces)
            _add(columns, photo, rejections)
        batches.append(columns.to_batch())
        columns = Columns(origin)
        if not photos or sum(batch.num_rows for batch in batches) >= _ROWS:
            write_part(folder / f"part-{files:05}.parquet", batches)
            files += 1
            batches = []
        if not photos:
            return faces


def _add(columns: Columns, photo: PhotoRows, rejections: dict[int, list[int]]) -> None:
    """Add the rows of a photo: its faces with its first file, then its other files."""
    about = dict(zip(("width", "height", "taken", "error", "note"), photo.about, strict=True))
    files: list[tuple[str | None, dict[str, Any]]] = [
        (path, {"size": size, "modified": modified, "changed": changed})
        for path, size, modified, changed in photo.files
    ] or [(None, {})]
    first = {"sha256": photo.sha256, **about, "contents": photo.contents or None}
    for face in photo.faces:
        values = dict(zip(("face", *DatasetStore.face_columns[1:]), face, strict=True))
        columns.add(files[0][0], {**first, **files[0][1], **values, "rejected": rejections.get(values.pop("id"))})
    for path, version in files[1:] if photo.faces else files:
        columns.add(path, {**first, **version})
