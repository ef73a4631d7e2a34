"""Face detection by a cascade of three small networks: MTCNN.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao: *Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
Networks*, IEEE Signal Processing Letters 23 (2016), arXiv 1604.02878.

An image is searched at many sizes (an *image pyramid*) for faces of one size. P-Net, the *proposal* network, is so
small that it can look at every window of 12 x 12 pixels of every level; most of what it proposes is wrong. R-Net,
*refinement*, looks at each proposal with 24 x 24 pixels, rejects most and corrects the boxes of the rest. O-Net,
*output*, does it once more with 48 x 48 pixels, and finds five landmarks: eyes, nose and corners of the mouth. After
each stage, non-maximum suppression keeps one of many boxes that overlap.

===============  ==========================================================================
`networks`       P-, R- and O-Net: figure 2 of the paper, one function each
`cascade`        the three stages and the pyramid: figure 1
`detect`         `detect_faces`: any image, several angles, faces cut out
`tones`          dark, faded and color-lit photos, stretched for a second search
`options`        what can be asked for
`loading`        the weights, and `names`, what others call them
===============  ==========================================================================

The weights are those that the authors published, as facenet-pytorch distributes them (MIT licence): ``data/``.
"""

from .loading import load

__all__ = ["load"]
