"""The errors that Faceie raises on purpose.

    FaceieError
    ├── GalleryError            a gallery that cannot be opened, read or written, or a missing face, photo or person
    ├── ImageError              a photo or array that cannot be used as an image (also a ValueError)
    ├── MetadataError           metadata of a photo, or a file beside it, that cannot be read or is refused
    ├── OptionError             an option outside its range, or arguments that do not fit together (also a ValueError)
    └── WeightsError            a weights file that cannot be read, or that does not hold the promised weights
        └── WeightsNotFoundError    weights that are nowhere on this machine and could not be downloaded

A message names the problem, the file or argument, the expected and the found value, and a remedy. One ``except
FaceieError`` around the work on one photo is enough to continue with the next one.
"""

__all__ = [
    "FaceieError",
    "GalleryError",
    "ImageError",
    "MetadataError",
    "OptionError",
    "WeightsError",
    "WeightsNotFoundError",
]


class FaceieError(Exception):
    """The base of every error that Faceie raises on purpose."""


class GalleryError(FaceieError):
    """A gallery that cannot be opened, read or written, or a face, photo or person that is not in it."""


class ImageError(FaceieError, ValueError):
    """A photo or an array that cannot be used as an image."""


class MetadataError(FaceieError):
    """Metadata of a photo, or a file beside it, that cannot be read or is refused."""


class OptionError(FaceieError, ValueError):
    """An option outside its range, or arguments that do not fit together."""


class WeightsError(FaceieError):
    """A weights file that cannot be read, or that does not hold the promised weights."""


class WeightsNotFoundError(WeightsError):
    """Weights that are nowhere on this machine and could not be downloaded."""
