"""The examples for Ray and Spark, with stand-ins for the few calls of these engines that they make.

They show that the examples and `analyze_batches` fit together. That they fit the engines was tried by hand
(docs/scale.md).
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from faceie import Gallery
from faceie.dataset import face_schema

from ..conftest import ROOT
from ..gallery.conftest import fakes

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


class Photos:
    """Photos and their contents, in batches of two, as the engines read them; then their faces."""

    def __init__(self, folder: str, prefix: str, content: str) -> None:
        photos = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() == ".jpg")
        names, contents = [f"{prefix}{photo}" for photo in photos], [photo.read_bytes() for photo in photos]
        self.table = pa.table({"modificationTime": [0] * len(photos), content: contents, "path": names})

    # Spark

    def select(self, *columns: str) -> Photos:
        self.table = self.table.select(columns)
        return self

    def mapInArrow(self, function: Callable[[Iterable[Any]], Iterable[Any]], schema: Any) -> Photos:
        self.table = pa.Table.from_batches(function(iter(self.table.to_batches(2))), schema)
        return self

    @property
    def write(self) -> Any:
        return SimpleNamespace(parquet=self.write_parquet)

    # Ray

    def map_batches(self, function: type, *, batch_format: str, batch_size: int, **resources: object) -> Photos:
        assert batch_format == "pyarrow"
        call = function()
        self.table = pa.concat_tables(call(self.table.slice(at, 2)) for at in range(0, len(self.table), 2))
        return self

    def write_parquet(self, dataset: str) -> None:
        Path(dataset).mkdir()
        parquet.write_table(self.table, Path(dataset, "part-0.parquet"))


def module(name: str, monkeypatch: pytest.MonkeyPatch, **contents: object) -> None:
    made = ModuleType(name)
    made.__dict__.update(contents)
    monkeypatch.setitem(sys.modules, name, made)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_binary_files(folder: str, *, include_paths: bool, file_extensions: list[str]) -> Photos:
        assert include_paths
        assert "jpg" in file_extensions
        return Photos(folder, "", "bytes")

    data = SimpleNamespace(read_binary_files=read_binary_files, ActorPoolStrategy=SimpleNamespace)
    module("ray", monkeypatch, data=data)


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader:
        def option(self, name: str, value: object) -> Reader:
            return self

        def load(self, folder: str) -> Photos:
            return Photos(folder, "file:", "content")

    class Builder:
        def config(self, name: str, value: object) -> Builder:
            return self

        def getOrCreate(self) -> Any:
            def format(name: str) -> Reader:
                assert name == "binaryFile"
                return Reader()

            return SimpleNamespace(read=SimpleNamespace(format=format))

    for name in ("pyspark", "pyspark.sql.pandas"):
        module(name, monkeypatch)
    module("pyspark.sql", monkeypatch, SparkSession=SimpleNamespace(builder=Builder()))
    module("pyspark.sql.pandas.types", monkeypatch, from_arrow_schema=lambda schema: schema)


@pytest.mark.parametrize("engine", ["ray", "spark"])
def test_an_example(
    made_up: None, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """The dataset of an example has all columns, and becomes a gallery with the paths of the photos."""
    request.getfixturevalue(engine)
    album = fakes(
        tmp_path / "my album", {"a.jpg": "1.1", "b.jpg": "2.1 3.1", "c.jpg": "", "d.JPG": "4.1", "e.txt": "5"}
    )
    script = ROOT / "examples" / f"{engine}_faces.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(album), str(tmp_path / "dataset")])
    runpy.run_path(str(script), run_name="__main__")
    (part,) = (tmp_path / "dataset").iterdir()
    assert parquet.read_schema(part).remove_metadata().equals(face_schema())
    with Gallery(tmp_path / "g.faceie", options=None) as gallery:
        report = gallery.add(tmp_path / "dataset")
        assert (report.photos, report.faces) == (4, 4)
        assert {face.path for face in gallery.faces()} == {album / "a.jpg", album / "b.jpg", album / "d.JPG"}
