"""``faceie analyze``, ``faceie import`` and ``faceie export --parquet``."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceie.cli import main

from ..batch.conftest import customized, made_up  # noqa: F401  # fixtures
from ..gallery.conftest import fakes, no_weights  # noqa: F401  # a fixture

pytest.importorskip("pyarrow")


def test_from_folders_to_a_gallery_and_out(
    made_up: None,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Photos become a dataset, the dataset a gallery, the gallery a dataset; each command says how much."""
    album = fakes(tmp_path / "album", {"a.jpg": "1.1 2.1", "b.jpg": "3.1", "c.jpg": ""})
    dataset, gallery = str(tmp_path / "dataset"), ["--gallery", str(tmp_path / "g.faceie")]
    assert main(["analyze", str(album), "--to", dataset, "--workers", "1"]) == 0
    assert capsys.readouterr().out.startswith("3 new photos with 3 faces in 1 new file, 0 known\n")
    assert main(["analyze", str(album), str(tmp_path / "none"), "--to", dataset, "--workers", "1"]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("0 new photos with 0 faces in 0 new files, 3 known\n")
    assert "none: No such file or directory" in captured.err
    assert main(["import", *gallery, dataset]) == 0
    assert capsys.readouterr().out == "3 new photos with 3 faces, 0 known\n"
    assert main(["export", *gallery, "--parquet", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'again'}: a dataset of 3 faces\n"
    assert main(["export", *gallery, "--parquet", str(tmp_path / "again")]) == 1
    assert "something is here already" in capsys.readouterr().err
    assert main(["import", *gallery, str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out == "0 new photos with 0 faces, 3 known\n"


def test_a_cluster_that_is_not_there(
    made_up: None,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An address without a scheduler is an error that names it."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("faceie.cluster._WAIT", 0.5)
    for command in (["index", "--gallery", str(tmp_path / "g")], ["analyze", "--to", str(tmp_path / "d")]):
        assert main([*command, "--dask", "tcp://127.0.0.1:9", str(tmp_path)]) == 1
        assert "tcp://127.0.0.1:9: no Dask scheduler answers here" in capsys.readouterr().err
