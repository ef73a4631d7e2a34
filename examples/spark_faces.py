"""Analyze photos with Spark, and write a dataset for `faceie import`.

    pip install pyspark pandas pyarrow
    python examples/spark_faces.py PHOTOS DATASET

Spark needs Java, and makes a task of some 20 photos. Each Python worker loads the weights once.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from faceie.batch import analyze_batches
from faceie.dataset import face_schema

spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 20).getOrCreate()
files = spark.read.format("binaryFile").option("recursiveFileLookup", True)
photos = files.option("pathGlobFilter", "*.{jpg,jpeg,png,webp,JPG,JPEG,PNG,WEBP}").load(sys.argv[1])
faces = photos.select("path", "content").mapInArrow(analyze_batches, from_arrow_schema(face_schema()))
faces.write.parquet(sys.argv[2])
