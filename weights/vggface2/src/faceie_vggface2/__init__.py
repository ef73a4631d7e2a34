"""Weights of the FaceNet encoder of Faceie, trained on VGGFace2: data only. `faceie` finds them here by itself."""

__version__ = "1.0.0"
