"""Names of people in photos and sidecars, read and written.

Other programs keep names and regions of faces as XMP, in a photo or in a file beside it, its sidecar. Their regions are
relative to the photo as stored. Faceie's boxes are relative to the upright photo: `frames` converts one into the other.

Reading, from a photo to its names:

================  ==============================================================================
`sources`         all sources of names for a photo, first to last
`xmp`             XMP packets in photos and sidecars, parsed behind a guard
`rdf`             properties, structures and lists in a packet, in all shapes of XML
`regions`         people in a packet: named regions, and names without regions
`picasa`          Picasa's files in folders of photos
`takeout`         Google Takeout's files beside photos
`texts`           names, repaired, and taken from keywords
`namespaces`      the namespaces of XMP that hold names
`frames`          the frame of a photo as stored
================  ==============================================================================

Writing, from names to files:

================  ==============================================================================
`sidecars`        files beside photos, and the packets that they hide from readers
`exiftool`        photos, changed by exiftool
`merge`           names added to XMP, replaced and removed
`record`          the names that Faceie has written, listed in the file itself
`xmp_lists`       the lists of XMP that hold names: found, read and written
`xmp_text`        XMP as text, and changes of it
================  ==============================================================================
"""
