"""`analyze_batches`: from record batches with photos to record batches with faces, the function that engines call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..dataset import Columns, Origin, arrow, options_text
from ..facenet.loading import answer, identify, load
from ..gallery.alone import analyze_suspect
from ..gallery.analysis import analyze_photo, failed_analysis
from ..gallery.records import PhotoAnalysis
from ..gallery.settings import GALLERY_DEFAULTS, Settings
from ..mtcnn.options import DetectionOptions
from .sources import Source, read, without_scheme

__all__ = ["add_photo", "analyze_batches", "analyze_source", "choose_batch_settings", "origin_of"]

_CONTENT = ("content", "bytes")  # names of columns with contents of files: of Spark and Ray


def analyze_batches(
    batches: Iterable[Any],
    *,
    weights: str | Path = "vggface2",
    options: DetectionOptions | None = None,
    truncated: bool = False,
    max_pixels: int | None = None,
) -> Iterator[Any]:
    """Detect and encode the faces in batches of photos, for any engine that maps batches.

    Weights are loaded once in a process, and each call uses one thread. A photo that cannot be used becomes a row with
    its error.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch or pyarrow.Table
        Photos. The column ``path`` has paths, also as Spark writes them (``file:/photo.jpg``), or URLs. Contents of
        files may be in a column ``content`` or ``bytes``; otherwise, the files are read.
    weights : str or Path, default "vggface2"
        Weights of the encoder, as `faceie.facenet.load` takes them.
    options : DetectionOptions, optional
        Options of the detection, by default those of a new gallery.
    truncated : bool, default False
        Whether to use the readable part of damaged photos. Files that end too early are always used.
    max_pixels : int, optional
        Size of the largest photo to open, by default 250 million pixels.

    Yields
    ------
    pyarrow.RecordBatch
        Photos and faces, with the columns of a dataset: one batch for each that was given.

    Raises
    ------
    FaceieError
        pyarrow is not installed.
    WeightsError
        The weights of the encoder cannot be loaded.

    Examples
    --------
    >>> import pyarrow
    >>> from faceie.batch import analyze_batches
    >>> photos = pyarrow.RecordBatch.from_pydict({"path": ["obama.jpg"]})
    >>> for faces in analyze_batches([photos]):
    ...     print(faces["face"].to_pylist(), faces["width"].to_pylist())
    [1] [720]
    """
    settings = choose_batch_settings(weights, options, truncated=truncated, max_pixels=max_pixels)
    origin = origin_of(settings)
    for batch in batches:
        columns = Columns(origin)
        paths = batch.column(batch.schema.names.index("path")).to_pylist()
        name = next((name for name in _CONTENT if name in batch.schema.names), None)
        contents = batch.column(batch.schema.names.index(name)) if name else None
        for number, path in enumerate(map(without_scheme, paths)):
            content = None if contents is None else contents[number].as_py()
            source = Source(path, None if content is None else len(content))
            add_photo(columns, source, analyze_source(path, settings, content))
        yield columns.to_batch()


def choose_batch_settings(
    weights: str | Path, options: DetectionOptions | None, *, truncated: bool, max_pixels: int | None
) -> Settings:
    """Return checked settings for photos that are analyzed in one thread."""
    arrow()  # fails here, not after hours
    options = replace(options, crops=True) if options else GALLERY_DEFAULTS  # the encoder needs them
    return Settings(weights, options).with_limits(truncated, max_pixels)._replace(one_thread=True)


def analyze_source(
    path: str, settings: Settings, content: bytes | None = None, *, suspect: bool = False
) -> PhotoAnalysis:
    """Read a photo once and analyze it. Errors are part of the result, except WeightsError.

    `suspect`: whether a process may have died with it.
    """
    try:
        content = read(path) if content is None else content
    except Exception as error:
        return failed_analysis(error, path)
    return (analyze_suspect if suspect else analyze_photo)(path, settings, content)


@cache
def origin_of(settings: Settings) -> Origin:
    """Return encoder and options for the rows of a dataset. Raises WeightsError."""
    weights = load(settings.weights)
    numbers = [round(float(number), 6) for number in answer(weights)]
    return Origin(json.dumps({"name": identify(weights), "answer": numbers}), options_text(settings.options))


def add_photo(columns: Columns, source: Source, analysis: PhotoAnalysis) -> None:
    """Add the rows of a photo: one for each face, or one without a face."""
    photo: dict[str, Any] = {
        "sha256": analysis.digest,
        "size": source.size,
        "modified": source.modified,
        "changed": source.changed,
        **{name: getattr(analysis, name) for name in ("width", "height", "taken", "error", "note")},
    }
    if not analysis.faces:
        columns.add(source.path, photo)
    for number, face in enumerate(analysis.faces, 1):
        x1, y1, x2, y2 = face.box
        columns.add(
            source.path,
            {
                **photo,
                "face": number,
                **{"x1": x1, "y1": y1, "x2": x2, "y2": y2},
                "landmarks": face.landmarks.astype("<f4").tobytes(),
                "angle": face.roll,
                "probability": face.probability,
                "quality": face.quality,
                "embedding": face.embedding.astype("<f4").tobytes(),
                "thumbnail": face.thumbnail,
            },
        )
