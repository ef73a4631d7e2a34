"""Faceie finds and recognizes faces, in pure NumPy.

>>> from faceie import detect_faces, encode_faces, distance
>>> faces = detect_faces("party.jpg")
>>> embeddings = encode_faces(faces.images)

`detect_faces` finds faces in an image and cuts them out. `encode_faces` turns each into an embedding, a unit vector of
512 numbers, and `distance` compares embeddings. A `Gallery` does all this for a whole collection of photos, and finds
people in it.

The networks are in `faceie.mtcnn` and `faceie.facenet`, each with its papers. Their kernels are in `faceie.nn`.
"""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from . import facenet, mtcnn, namesake
from .cohort import Cohort
from .errors import (
    FaceieError,
    GalleryError,
    ImageError,
    MetadataError,
    OptionError,
    WeightsError,
    WeightsNotFoundError,
)
from .facenet.encode import encode_faces
from .images import open_image
from .mtcnn.detect import detect_faces
from .mtcnn.detected import DetectedFaces
from .mtcnn.options import DetectionOptions
from .nn.parallel import set_threads
from .recognition import Thresholds, distance, pairwise_distances, same_person_probability, thresholds

if namesake.is_installed():
    warnings.warn(namesake.ADVICE, RuntimeWarning, stacklevel=2)

if TYPE_CHECKING:
    from . import gallery as gallery
    from .gallery import Gallery
else:

    def __getattr__(name: str) -> Any:
        """Import the gallery at its first use, since its database and processes take time to import."""
        if name not in ("Gallery", "gallery"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        gallery = importlib.import_module(".gallery", __name__)
        return gallery if name == "gallery" else gallery.Gallery

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"

__all__ = [
    "Cohort",
    "DetectedFaces",
    "DetectionOptions",
    "FaceieError",
    "Gallery",
    "GalleryError",
    "ImageError",
    "MetadataError",
    "OptionError",
    "Thresholds",
    "WeightsError",
    "WeightsNotFoundError",
    "__version__",
    "detect_faces",
    "distance",
    "encode_faces",
    "facenet",
    "mtcnn",
    "open_image",
    "pairwise_distances",
    "same_person_probability",
    "set_threads",
    "thresholds",
]
