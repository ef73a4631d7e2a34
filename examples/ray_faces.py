"""Analyze photos with Ray Data, and write a dataset for `faceie import`.

    pip install "ray[data]" pyarrow
    python examples/ray_faces.py PHOTOS DATASET

Ray starts one actor a processor on the machines of its cluster. Each actor loads the weights once.
"""

import sys
from pathlib import Path

import pyarrow
import ray

from faceie.batch import analyze_batches


class Analyze:
    def __call__(self, photos: pyarrow.Table) -> pyarrow.Table:
        return pyarrow.Table.from_batches(analyze_batches([photos]))


folder, dataset = (str(Path(path).absolute()) for path in sys.argv[1:])  # the gallery will have absolute paths
photos = ray.data.read_binary_files(folder, include_paths=True, file_extensions=["jpg", "jpeg", "png", "webp"])
resources = {"compute": ray.data.ActorPoolStrategy(min_size=1, max_size=1000), "num_cpus": 1, "max_task_retries": 3}
faces = photos.map_batches(Analyze, batch_format="pyarrow", batch_size=20, **resources)
faces.write_parquet(dataset)
