"""Analyze photos with Ray Data, and write a dataset for `faceie import`.

    pip install "ray[data]" pyarrow
    python examples/ray_faces.py PHOTOS DATASET

Each actor loads the weights once. Ray distributes them over the machines of its cluster.
"""

import sys

import pyarrow
import ray

from faceie.batch import analyze_batches


class Analyze:
    def __call__(self, photos: pyarrow.Table) -> pyarrow.Table:
        return pyarrow.Table.from_batches(analyze_batches([photos]))


photos = ray.data.read_binary_files(sys.argv[1], include_paths=True, file_extensions=["jpg", "jpeg", "png", "webp"])
faces = photos.map_batches(Analyze, batch_format="pyarrow", batch_size=100, num_cpus=1, concurrency=(1, 1000))
faces.write_parquet(sys.argv[2])
