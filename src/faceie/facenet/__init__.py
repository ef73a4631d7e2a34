"""Face recognition by an embedding: FaceNet.

F. Schroff, D. Kalenichenko, J. Philbin: *FaceNet: A Unified Embedding for Face Recognition and Clustering*, CVPR 2015,
arXiv 1503.03832.

A network maps the picture of a face to a point on the unit sphere in 512 dimensions, such that pictures of one person
are close together and those of different people far apart. Then two faces are compared by their distance, faces are
searched by nearest neighbors, and grouped by clustering.

The network is an Inception-ResNet-v1 (C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi: *Inception-v4, Inception-ResNet and
the Impact of Residual Connections on Learning*, 2016, arXiv 1602.07261), and the weights are those of David Sandberg's
*facenet*, trained as a classifier of the people of VGGFace2 (or of CASIA-WebFace) with a softmax and a center loss.

===============  ==========================================================================
`network`        Inception-ResNet-v1, block by block with the figures of the paper
`encode`         `encode_faces`: any images, in batches
`loading`        `load`: weights by name or from a file
`names`          names of the tensors in other projects
===============  ==========================================================================
"""

from .loading import load

__all__ = ["load"]
