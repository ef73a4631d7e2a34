"""Datasets: analyzed photos and their faces in Parquet files, for clusters, for other programs, and to merge galleries.

A dataset is a folder of Parquet files. Each of its files is there whole or not at all. It has a row for each face. A
photo without faces, a photo that cannot be used, and each additional copy of a photo has a row without a face.

===========  =========================================================================================
`schema`     the columns, and record batches of them
`files`      the files of a dataset: write, list, read and check them
===========  =========================================================================================

All of it needs pyarrow, the extra `parquet`, which is imported by the first function that needs it.
"""

from .files import PEOPLE, check_dataset, open_part, part_paths, read_rows, write_part
from .schema import FORMAT, Columns, Origin, arrow, face_schema, options_text, people_schema

__all__ = [
    "FORMAT",
    "PEOPLE",
    "Columns",
    "Origin",
    "arrow",
    "check_dataset",
    "face_schema",
    "open_part",
    "options_text",
    "part_paths",
    "people_schema",
    "read_rows",
    "write_part",
]
