"""Analyze photos with Spark, and write a dataset for `faceie import`.

    pip install pyspark pyarrow
    python examples/spark_faces.py PHOTOS DATASET

Spark needs Java. The weights are loaded once in each Python worker.
"""

import sys
from collections.abc import Iterator

import pyarrow
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from faceie.batch import analyze_batches
from faceie.dataset import face_schema

# Spark knows lists, but none of a fixed length.
fields = [
    pyarrow.field(field.name, pyarrow.list_(field.type.value_type))
    if pyarrow.types.is_fixed_size_list(field.type)
    else field
    for field in face_schema()
]


def analyze(photos: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    for batch in analyze_batches(photos):
        yield batch.cast(pyarrow.schema(fields))


spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 100).getOrCreate()
photos = spark.read.format("binaryFile").option("recursiveFileLookup", True).load(sys.argv[1])
photos.repartition(200).mapInArrow(analyze, from_arrow_schema(pyarrow.schema(fields))).write.parquet(sys.argv[2])
