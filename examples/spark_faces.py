"""Analyze photos with Spark, and write a dataset for `faceie import`.

    pip install pyspark pyarrow
    python examples/spark_faces.py PHOTOS DATASET

Spark needs Java. The weights are loaded once in each Python worker.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from faceie.batch import analyze_batches
from faceie.dataset import face_schema

spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 100).getOrCreate()
photos = spark.read.format("binaryFile").option("recursiveFileLookup", True).load(sys.argv[1])
photos.repartition(200).mapInArrow(analyze_batches, from_arrow_schema(face_schema())).write.parquet(sys.argv[2])
