"""Names of people in photos and in the files beside them. Knows nothing of galleries.

================  ======================================================================
`namespaces`      the namespaces of XMP in which programs store names
================  ======================================================================
"""
