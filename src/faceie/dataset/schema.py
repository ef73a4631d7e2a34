"""The columns of a dataset, and record batches of them.

===================================  ===================================================================================
``path``, ``path_bytes``             path or URL of the photo; its bytes, if they are no valid text
``sha256``, ``size``                 content of the file; ``sha256`` is null if it could not be read
``modified``, ``changed``            times of the file and of its inode, in nanoseconds
``width``, ``height``, ``taken``     as in `faceie.gallery.Face`
``error``, ``note``                  why the photo, or a part of it, is missing
``contents``                         SHA-256 of the photo with names that Faceie has written into it
``face``                             number of the face in its photo, from 1; null in a row without a face
``x1`` ... ``y2``, ``landmarks``     in pixels of the upright photo
``angle``                            roll of the face in radians
``probability``, ``quality``         as in `faceie.gallery.Face`
``embedding``, ``thumbnail``         512 numbers; a JPEG
``person``, ``name``                 number of the person or cluster in the gallery that was exported; the person's name
``confirmed``, ``ignored``           1 by the user, 2 by an import; why the face is ignored
``drawn``                            1 if the user has drawn the box
``rejected``                         people that the face is *not*, according to the user
``weights``, ``options``             which encoder and which detection options made the row, as JSON
``faceie``                           number of this format
===================================  ===================================================================================
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from ..errors import FaceieError

__all__ = ["FORMAT", "Columns", "Origin", "arrow", "face_schema", "options_text", "people_schema"]

#: Number of this format. A reader refuses larger ones.
FORMAT = 1


class Origin(NamedTuple):
    """Encoder and detection options that made the rows."""

    weights: str
    """JSON with the name of the weights, if they are known, and their answer to the test picture."""
    options: str
    """JSON of `DetectionOptions`."""


def arrow(module: str = "pyarrow") -> Any:
    """Import pyarrow or a module of it. Raises FaceieError if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise FaceieError("datasets need pyarrow, which is not installed: pip install pyarrow") from error


def options_text(options: Any) -> str:
    """Return detection options as JSON, the same text for the same options."""
    return json.dumps(asdict(options), sort_keys=True)


def face_schema() -> Any:
    """Return the schema of the rows of photos and faces."""
    pa = arrow()
    return pa.schema(
        [
            ("path", pa.string()),
            ("path_bytes", pa.binary()),
            ("sha256", pa.binary()),
            ("size", pa.int64()),
            ("modified", pa.int64()),
            ("changed", pa.int64()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("taken", pa.string()),
            ("error", pa.string()),
            ("note", pa.string()),
            ("contents", pa.list_(pa.binary())),
            ("face", pa.int32()),
            *((name, pa.float64()) for name in ("x1", "y1", "x2", "y2")),
            ("landmarks", pa.list_(pa.float32())),
            ("angle", pa.float64()),
            ("probability", pa.float64()),
            ("quality", pa.float64()),
            ("embedding", pa.list_(pa.float32())),
            ("thumbnail", pa.binary()),
            ("person", pa.int64()),
            ("name", pa.string()),
            ("confirmed", pa.int8()),
            ("ignored", pa.string()),
            ("drawn", pa.int8()),
            ("rejected", pa.list_(pa.int64())),
            ("weights", pa.string()),
            ("options", pa.string()),
            ("faceie", pa.int32()),
        ]
    )


def people_schema() -> Any:
    """Return the schema of ``people.parquet``: a row for each person with a name in a gallery that was exported.

    ``photos``: SHA-256 of photos in which the person's face was not found. ``imported``: keys of names of other
    programs. ``cover``, ``cover_face``: SHA-256 of a photo, and a number of a face in it.
    """
    pa = arrow()
    return pa.schema(
        [
            ("person", pa.int64()),
            ("name", pa.string()),
            ("born", pa.string()),
            ("cover", pa.binary()),
            ("cover_face", pa.int32()),
            ("imported", pa.list_(pa.string())),
            ("photos", pa.list_(pa.binary())),
            ("faceie", pa.int32()),
        ]
    )


class Columns:
    """Rows of a dataset, collected by column."""

    def __init__(self, origin: Origin) -> None:
        self._schema = face_schema()
        self._values: dict[str, list[Any]] = {name: [] for name in self._schema.names}
        self._origin = {"weights": origin.weights, "options": origin.options, "faceie": FORMAT}

    def __len__(self) -> int:
        return len(self._values["path"])

    def add(self, path: str | None, row: dict[str, Any]) -> None:
        """Add a row: values of columns. `landmarks` and `embedding` are bytes, float32, little-endian, or None."""
        raw = None if path is None else os.fsencode(path)
        text = None if raw is None else raw.decode("utf-8", "replace")
        row = {**row, **self._origin, "path": text}
        if raw is not None and text is not None and text.encode() != raw:
            row["path_bytes"] = raw
        for name, values in self._values.items():
            values.append(row.get(name))

    def to_batch(self) -> Any:
        """Return the rows as a record batch."""
        pa = arrow()
        arrays = [
            _numbers(values) if field.name in ("embedding", "landmarks") else pa.array(values, field.type)
            for field, values in zip(self._schema, self._values.values(), strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _numbers(values: list[bytes | None]) -> Any:
    """Return an array of lists of float32 from their bytes.

    The lists have no fixed length, which Spark and older versions of pyarrow do not know.
    """
    pa = arrow()
    numbers = pa.py_buffer(b"".join(filter(None, values)))
    ends = np.cumsum([0, *(len(value or b"") // 4 for value in values)], dtype=np.int32)
    known = np.packbits(np.array([value is not None for value in values], np.bool_), bitorder="little")
    children = pa.Array.from_buffers(pa.float32(), int(ends[-1]), [None, numbers])
    buffers = [pa.py_buffer(known.tobytes()), pa.py_buffer(ends.tobytes())]
    return pa.Array.from_buffers(pa.list_(pa.float32()), len(values), buffers, children=[children])
