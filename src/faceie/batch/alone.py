"""Analyze one photo in a process of its own, which it may end: ``python -m faceie.batch.alone``.

Standard input has the photo and the settings as JSON. Standard output gets the rows as a stream of Arrow.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from ..dataset import Columns, arrow
from ..errors import WeightsError
from ..gallery.records import PhotoAnalysis
from ..gallery.settings import Settings, weights_from_json, weights_to_json
from ..mtcnn.options import DetectionOptions
from .batches import add_photo, analyze_source, origin_of
from .sources import Source

__all__ = ["analyze_alone"]

_NO_WEIGHTS = 3  # exit code


def analyze_alone(source: Source, settings: Settings) -> Any:
    """Return the rows of a photo as a record batch. If its process dies, they tell so."""
    request = {
        "source": source,
        "weights": weights_to_json(settings.weights),
        "options": asdict(settings.options),
        "limits": [settings.truncated, settings.max_pixels],
    }
    command = [sys.executable, "-m", __name__]
    run = subprocess.run(command, input=json.dumps(request).encode(), capture_output=True, check=False)
    if run.returncode == _NO_WEIGHTS:
        raise WeightsError(run.stderr.decode(errors="replace").strip())
    if run.returncode == 0:
        return arrow("pyarrow.ipc").open_stream(run.stdout).read_next_batch()
    columns = Columns(origin_of(settings))
    reason = "the process that analyzed it died: the photo needs too much memory, or its decoder has a bug"
    add_photo(columns, source, PhotoAnalysis(error=reason))
    return columns.to_batch()


def _main() -> int:
    request = json.load(sys.stdin)
    options = DetectionOptions(**request["options"])
    truncated, max_pixels = request["limits"]
    settings = Settings(weights_from_json(request["weights"]), options, truncated, max_pixels, one_thread=True)
    source = Source(*request["source"])
    try:
        columns = Columns(origin_of(settings))
        add_photo(columns, source, analyze_source(source.path, settings))
    except WeightsError as error:
        sys.stderr.write(str(error))
        return _NO_WEIGHTS
    batch = columns.to_batch()
    with arrow("pyarrow.ipc").new_stream(sys.stdout.buffer, batch.schema) as stream:
        stream.write_batch(batch)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
