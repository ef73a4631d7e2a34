"""Names of people in photos and sidecars, read and written.

Other programs keep names and regions of faces as XMP, in a photo or in a file beside it, its sidecar. Their regions are
relative to the photo as stored. Faceie's boxes are relative to the upright photo: `frames` converts one into the other.
"""
