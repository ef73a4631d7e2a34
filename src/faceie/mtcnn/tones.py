"""Photos whose tones fill a small part of the range: underexposed, faded, or lit in one color.

P-Net proposes few windows where tones differ by a few levels. It finds the faces in a copy whose tones are stretched to
the whole range, and crops of this copy give embeddings closer to those of a well exposed photo.

The *spread* of a channel is the distance between its 5th and 95th percentile in the middle of the photo, without the
border. Tones are *narrow* if at least two of the three channels have a spread below 72 levels: all three in dark and
faded photos, two under colored light. Of 400 photos of WIDER FACE and 4,989 of LFW, none is narrow: the lowest
second-widest spreads are 96 and 75 levels.

All channels are stretched alike, which keeps the colors, unless one fills less than half of the tones of all. Then each
is stretched by itself. Measured: docs/accuracy.md, "Dark, faded and color-lit photos".
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..types import Array

__all__ = ["has_narrow_tones", "stretch_tones"]

_NARROW = 72  # levels: spreads below this call for a stretched copy
_SAMPLES = 128  # pixels that are counted, per axis
_BORDER = 0.1  # of each side, not counted
_TAIL = 0.5  # spreads: tones up to this distance beyond the 5th and 95th percentile are not clipped
_CAST = 0.5  # share of the range of all channels: a narrower channel means a color cast
_EMPTY = 3  # levels: a channel with a smaller range has no picture in it
_PERCENTILES = (0.5, 5.0, 95.0, 99.5)


def stretch_tones(image: Image.Image) -> Image.Image | None:
    """Stretch the tones of an RGB image to the whole range; return None if they are not narrow."""
    percentiles = _percentiles(image)
    if not _are_narrow(percentiles):
        return None
    lowest, low, high, highest = percentiles  # [3] each
    spread = high - low
    # A lamp or a printed date may be clipped, but not the tones of the scene.
    black = np.maximum(lowest, low - _TAIL * spread)
    white = np.minimum(highest, high + _TAIL * spread)
    filled = white - black
    if filled.max() < _EMPTY:
        return None
    if filled.min() >= _CAST * (white.max() - black.min()):  # no color cast: stretch all channels alike
        black, white = np.full(3, black.min()), np.full(3, white.max())
    ramps = (np.arange(256) - black[:, None]) * (255 / np.maximum(white - black, 1)[:, None])  # [3, 256]
    copy = image.point(np.clip(ramps, 0, 255).round().astype(int).ravel().tolist())
    if filled.min() >= _EMPTY:
        return copy
    channels = copy.split()
    widest = int(filled.argmax())
    return Image.merge("RGB", [channels[i if filled[i] >= _EMPTY else widest] for i in range(3)])


def has_narrow_tones(image: Image.Image) -> bool:
    """Tell whether the tones of an RGB image fill a small part of the range."""
    return _are_narrow(_percentiles(image))


def _are_narrow(percentiles: Array) -> bool:
    _, low, high, _ = percentiles  # [3] each
    return bool(np.sort(high - low)[1] < _NARROW)


def _percentiles(image: Image.Image) -> Array:
    """Return percentiles (4, 3) of the channels' levels, of pixels picked from the middle of an image."""
    width, height = image.size
    left, top = int(_BORDER * width), int(_BORDER * height)
    box = (left, top, width - left, height - top)
    size = (min(_SAMPLES, width - 2 * left), min(_SAMPLES, height - 2 * top))
    sample = image.resize(size, Image.Resampling.NEAREST, box)
    counts = np.array(sample.histogram(), np.float32).reshape(3, 256).cumsum(1)  # [3, 256]
    wanted = np.array(_PERCENTILES, np.float32)[:, None, None] / 100 * counts[:, -1:]  # [4, 3, 1]
    levels: Array = (counts < wanted).sum(2).astype(np.float32)  # [4, 3]
    return levels
