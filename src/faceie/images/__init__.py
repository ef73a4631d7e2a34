"""Images: the photos of a folder, each opened once, upright and RGB, as the input of the networks.

Inside Faceie an image is RGB, 8 bits a channel, sRGB and upright. From a file to the networks it passes through:

- `folders`, with `exclude` and `system_folders`: which files of a folder are photos, by the table of `formats`;
- `photo`: one call for pixels, date and a note if pixels are missing;
- `decoding`: a file of any format, with what it takes for damaged ones: `jpeg`, `png`, `tiff`, `raw`;
- `colors`: any mode, depth and profile to sRGB;
- `exif` and `dates`: orientation and date;
- `upright`: the same for images that are in memory already, and the scale of the networks' input.
"""

from .colors import to_rgb
from .exif import Upright
from .photo import MAX_PIXELS, REDUCE_ABOVE, OpenedPhoto, date_taken, open_image, read_photo
from .upright import to_input, upright

__all__ = [
    "MAX_PIXELS",
    "REDUCE_ABOVE",
    "OpenedPhoto",
    "Upright",
    "date_taken",
    "open_image",
    "read_photo",
    "to_input",
    "to_rgb",
    "upright",
]
