"""Analyze many photos on any engine: on the processors of this machine, Dask, Ray, Spark (docs/scale.md).

=============  ====================================================================================================
`batches`      `analyze_batches`: from record batches with photos to record batches with faces
`run`          `analyze_folders`: photos in folders to a dataset, whose files are made by an executor
`parts`        make one file of a dataset, in a worker, and find photos that end its process
`sources`      photos in folders, and behind URLs
=============  ====================================================================================================

No engine is imported here. Datasets need pyarrow, the extra `parquet`; URLs need fsspec.
"""

from .batches import analyze_batches
from .run import DatasetReport, analyze_folders

__all__ = ["DatasetReport", "analyze_batches", "analyze_folders"]
