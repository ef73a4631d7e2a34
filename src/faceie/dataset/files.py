"""The files of a dataset: write, list, read and check them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceieError
from ..files import replacing
from .schema import FORMAT, Origin, arrow, face_schema

__all__ = ["PEOPLE", "check_dataset", "open_part", "part_paths", "read_rows", "write_part"]

#: File with the people of a gallery that was exported.
PEOPLE = "people.parquet"

_SAME_ANSWER = 1e-4  # largest difference between embeddings of the test picture by the same weights
_NEEDED = ("path", "sha256", "face", "embedding", "weights", "options", "faceie")


def part_paths(dataset: Path) -> list[Path]:
    """Return the Parquet files with photos and faces in a dataset, or the file itself if it is one, by name.

    Files that are being written, or were left by a killed program, have names that begin with a dot, or lie in folders
    whose names begin with an underscore, such as Spark's. Raises FaceieError if there is no dataset.
    """
    if dataset.is_file():
        return [dataset]
    if not dataset.is_dir():
        raise FaceieError(f"{dataset}: there is no dataset here, expected a folder of Parquet files")
    names = ((path, path.relative_to(dataset).parts) for path in dataset.rglob("*.parquet"))
    found = sorted(path for path, parts in names if parts[-1] != PEOPLE and all(part[0] not in "._" for part in parts))
    if not found:
        raise FaceieError(f"{dataset}: there is no dataset here: no Parquet file is in this folder")
    return found


def write_part(path: Path, batches: Sequence[Any]) -> None:
    """Write record batches of one schema to a file that appears when it is complete, and only its owner can read."""
    pa, parquet = arrow(), arrow("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with replacing(path, private=True) as file:
            parquet.write_table(pa.Table.from_batches(batches), file)
    except OSError as error:
        raise FaceieError(f"{path}: it cannot be written: {error.strerror or error}") from error


@contextmanager
def open_part(path: Path) -> Iterator[Any]:
    """Open a file of a dataset as a `ParquetFile`. Raises FaceieError for a damaged file and one of another program."""
    pa, parquet = arrow(), arrow("pyarrow.parquet")
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            part = parquet.ParquetFile(file)
            missing = [name for name in _NEEDED if name not in part.schema_arrow.names]
            if missing and path.name != PEOPLE:
                raise FaceieError(f"{path}: this is no dataset of Faceie: the column {missing[0]} is missing")
            yield part
    except pa.ArrowException as error:
        raise FaceieError(f"{path}: this file is damaged, or not a Parquet file: {error}") from error
    except OSError as error:
        raise FaceieError(f"{path}: it cannot be read: {error.strerror or error}") from error


def read_rows(path: Path, rows: int) -> Iterator[dict[str, list[Any]]]:
    """Yield the rows of a file of a dataset, some at a time, by column. Lists of numbers are bytes, as in `Columns`."""
    with open_part(path) as part:
        known = set(part.schema_arrow.names)
        for batch in part.iter_batches(rows):
            columns: dict[str, list[Any]] = {}
            for field in face_schema():
                if field.name not in known:
                    columns[field.name] = [None] * batch.num_rows
                elif field.name in ("embedding", "landmarks"):
                    columns[field.name] = _as_bytes(batch.column(field.name), field.type)
                else:
                    columns[field.name] = batch.column(field.name).cast(field.type).to_pylist()
            columns["path"] = [
                text if raw is None else os.fsdecode(raw)
                for text, raw in zip(columns["path"], columns.pop("path_bytes"), strict=True)
            ]
            yield columns


def check_dataset(paths: Sequence[Path], origin: Origin) -> None:
    """Raise FaceieError if files of a dataset have a newer format, another encoder or other detection options."""
    for path in paths:
        with open_part(path) as part:
            table = part.read(["weights", "options", "faceie"])
        for version in table["faceie"].unique().to_pylist():
            if version is None or version > FORMAT:
                raise FaceieError(
                    f"{path}: its format is {version}, expected at most {FORMAT}: a newer version of Faceie has "
                    "written it. Install a newer version to read it"
                )
        for text in table["weights"].unique().to_pylist():
            if not _is_same_encoder(text, origin.weights):
                raise FaceieError(
                    f"{path}: another encoder made these embeddings, {_name(text)}, not {_name(origin.weights)}, and "
                    "they cannot be compared. Use a gallery or dataset with the same weights"
                )
        for text in table["options"].unique().to_pylist():
            if text != origin.options:
                raise FaceieError(
                    f"{path}: its faces were found with other options: {_differences(text, origin.options)}. "
                    "Leave them as they are, or make another dataset or gallery"
                )


def _as_bytes(column: Any, type: Any) -> list[bytes | None]:
    """Return the lists of float32 in a column as bytes, without copies of single numbers."""
    if column.type != type:
        column = column.cast(type)
    content = memoryview(np.asarray(column.values, np.dtype("<f4")).tobytes())
    ends = (4 * np.asarray(column.offsets, np.int64)).tolist()
    known = column.is_valid().to_pylist()
    return [bytes(content[ends[at] : ends[at + 1]]) if valid else None for at, valid in enumerate(known)]


def _is_same_encoder(a: str | None, b: str) -> bool:
    try:
        answers = [np.asarray(json.loads(text or "")["answer"], np.float64) for text in (a, b)]
        return bool(np.abs(answers[0] - answers[1]).max() < _SAME_ANSWER)
    except (ValueError, KeyError, TypeError):
        return False


def _name(weights: str | None) -> str:
    try:
        return str(json.loads(weights or "")["name"] or "weights without a name")
    except (ValueError, KeyError, TypeError):
        return "an unknown one"


def _differences(found: str | None, expected: str) -> str:
    try:
        theirs, ours = json.loads(found or ""), json.loads(expected)
        return ", ".join(
            f"{name} {theirs.get(name)}, not {value}" for name, value in ours.items() if theirs.get(name) != value
        )
    except (ValueError, AttributeError):
        return "they cannot be read"
