"""Face detection by a cascade of three small networks: MTCNN.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao: *Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
Networks*, IEEE Signal Processing Letters 23 (2016), arXiv 1604.02878.

An image is searched at many sizes (an *image pyramid*) for faces of one size. P-Net, the *proposal* network, is so
small that it can run on every window of 12 x 12 pixels of every level. Most of its proposals are false positives.
R-Net, *refinement*, sees each proposal with 24 x 24 pixels. It rejects most, and corrects the boxes of the others, the
*candidates*. O-Net, *output*, sees each candidate with 48 x 48 pixels. It decides, and finds five landmarks: eyes, nose
and corners of the mouth. After each stage, non-maximum suppression keeps one of many boxes that overlap.

===============  ==========================================================================
`networks`       P-, R- and O-Net: figure 2 of the paper, one function each
`cascade`        the three stages: figure 1
`pyramid`        the levels of the image pyramid, and P-Net on their tiles
`crops`          boxes of the image, resized to the input of R- and O-Net
`batched`        R- and O-Net on many boxes
`detect`         `detect_faces`: any image, any angle, faces cropped
`orientation`    the angles at which an image has faces
`views`          rotated images, and the way back to the pixels of the original
`tones`          dark, faded and color-lit photos, stretched for a second search
`options`        `DetectionOptions`
`detected`       `DetectedFaces`
`loading`        the weights, and `names`, the names of their tensors elsewhere
===============  ==========================================================================

The weights are those that the authors published, as facenet-pytorch distributes them (MIT licence): ``data/``.
"""

from .loading import load

__all__ = ["load"]
