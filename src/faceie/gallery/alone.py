"""Try a photo with which a process has died in a process of its own: ``python -m faceie.gallery.alone``.

Standard input has a line with the settings as JSON, then the contents of the photo. Only the exit code counts.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from ..mtcnn.options import DetectionOptions
from .analysis import analyze_photo, failed_analysis
from .records import PhotoAnalysis
from .settings import Settings, weights_from_json, weights_to_json

__all__ = ["DIED", "analyze_suspect"]

#: Reason for a photo that ends processes.
DIED = "the process that analyzed it died: the photo needs too much memory, or its decoder has a bug"

_FAILED = 3
_SURVIVED = (0, 1, _FAILED)  # exit codes; with 1, Python could not start the module


def analyze_suspect(path: str, settings: Settings, content: bytes | None = None) -> PhotoAnalysis:
    """Analyze a photo that may end this process, if a process of its own survives it. `content`: of the file."""
    try:
        content = Path(path).read_bytes() if content is None else content
    except OSError as error:
        return failed_analysis(error, path)
    request = {
        "path": path,
        "weights": weights_to_json(settings.weights),
        "options": asdict(settings.options),
        "truncated": settings.truncated,
        "max_pixels": settings.max_pixels,
    }
    command = [sys.executable, "-m", __name__]
    child = subprocess.run(
        command, input=json.dumps(request).encode() + b"\n" + content, capture_output=True, check=False
    )
    if child.returncode in _SURVIVED:
        return analyze_photo(path, settings, content)
    return PhotoAnalysis(error=DIED, digest=hashlib.sha256(content).digest())


def _main() -> int:
    try:
        request = json.loads(sys.stdin.buffer.readline())
        settings = Settings(
            weights_from_json(request["weights"]),
            DetectionOptions(**request["options"]),
            request["truncated"],
            request["max_pixels"],
            one_thread=True,
        )
        analyze_photo(request["path"], settings, sys.stdin.buffer.read())
    except Exception:  # an error is not the end of a process: it comes again in the worker
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(_main())
