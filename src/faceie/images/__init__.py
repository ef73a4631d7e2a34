"""Images: photos are found in folders, opened once, turned upright and converted to the networks' input.

Inside Faceie, an image is RGB, 8 bits a channel, sRGB and upright. On its way from a folder to the networks it passes:

================  ============================================================================
`folders`         the photos of a folder, by `formats`, `exclude` and `system_folders`
`photo`           a photo on disk: pixels, date, and a note if pixels are missing
`decoding`        files of all formats, also damaged ones: `jpeg`, `png`, `tiff`, `raw`
`colors`          any mode, depth and profile to sRGB
`exif`, `dates`   orientation and date
`upright`         images in memory: upright, and scaled to the networks' input
`refusals`        the limit of pixels, and the messages for refused photos
================  ============================================================================
"""

from .colors import to_rgb
from .exif import Upright
from .photo import MAX_PIXELS, REDUCE_ABOVE, OpenedPhoto, date_taken, open_image, read_bytes, read_photo
from .upright import to_input, upright

__all__ = [
    "MAX_PIXELS",
    "REDUCE_ABOVE",
    "OpenedPhoto",
    "Upright",
    "date_taken",
    "open_image",
    "read_bytes",
    "read_photo",
    "to_input",
    "to_rgb",
    "upright",
]
