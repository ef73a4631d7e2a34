"""Everything that Faceie raises on purpose.

    FaceieError
    ├── GalleryError            a gallery that cannot be opened, read or written, or lacks what was asked for
    ├── ImageError              a photo or array that cannot be used as an image (also a ValueError)
    ├── OptionError             an option outside its range, or arguments that do not fit together (also a ValueError)
    └── WeightsError            a weights file that cannot be read, or that is not what it claims to be
        └── WeightsNotFoundError    weights that are nowhere on this machine and could not be downloaded

A message says what went wrong and where, what was expected and what was found, and what to do. One ``except
FaceieError`` around the work on one photo is enough to carry on with the next one."""

__all__ = ["FaceieError", "GalleryError", "ImageError", "OptionError", "WeightsError", "WeightsNotFoundError"]


class FaceieError(Exception):
    """The base of every error that Faceie raises on purpose."""


class GalleryError(FaceieError):
    """A gallery that cannot be opened, read or written, or that does not hold what was asked for."""


class ImageError(FaceieError, ValueError):
    """A photo or an array that cannot be used as an image."""


class OptionError(FaceieError, ValueError):
    """An option outside its range, or arguments that do not fit together."""


class WeightsError(FaceieError):
    """A weights file that cannot be read, or that is not what it claims to be."""


class WeightsNotFoundError(WeightsError):
    """Weights that are nowhere on this machine and could not be downloaded."""
