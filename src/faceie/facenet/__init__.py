"""Face recognition by an embedding: FaceNet.

F. Schroff, D. Kalenichenko, J. Philbin: *FaceNet: A Unified Embedding for Face Recognition and Clustering*, CVPR 2015,
arXiv 1503.03832.

A network turns the picture of a face into a point on the unit sphere in 512 dimensions, such that pictures of one
person are close together and those of different people far apart. Whether two faces are of the same person is then a
matter of their distance, searching one of nearest neighbors, and grouping one of clustering.

The network is an Inception-ResNet-v1 (C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi: *Inception-v4, Inception-ResNet and
the Impact of Residual Connections on Learning*, 2016, arXiv 1602.07261), and the weights are those of David Sandberg's
*facenet*, trained as a classifier of the people of VGGFace2 (or of CASIA-WebFace) with a softmax and a center loss.

===============  ==========================================================================
`network`        Inception-ResNet-v1, block by block with the figures of the paper
`encode`         `encode_faces`: any images, in batches
`loading`        `load`: weights by name or from any file that has them
`names`          what others call the tensors
===============  ==========================================================================
"""

from .loading import load

__all__ = ["load"]
