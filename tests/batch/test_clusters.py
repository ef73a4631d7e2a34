"""Runs on a cluster of Dask: workers and schedulers that are lost, executors that keep results."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceie import FaceieError, Gallery
from faceie.batch import analyze_folders
from faceie.cluster import dask_executor

from ..gallery.conftest import fakes
from .conftest import words

pytest.importorskip("pyarrow")


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, an error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(FaceieError, match="pip install distributed"), dask_executor("tcp://127.0.0.1:1"):
        pass


@pytest.fixture(scope="module")
def cluster(customized: str) -> Iterator[Any]:
    """Two processes of Dask, one thread each. The last test ends them."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", customized)
        # The first death of a worker fails its calls; by default, they are tried on three other workers.
        dask = pytest.importorskip("dask")
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 0}),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50, host="127.0.0.1"
            ) as cluster,
        ):
            yield cluster


def test_a_cluster_whose_workers_die(made_up: None, cluster: Any, tmp_path: Path) -> None:
    """A killed worker, and photos that kill theirs, change no row of the others, in a dataset and a gallery."""
    texts = words(30, _05="dies", _21="dies too")
    album = fakes(tmp_path / "album", {name: f"slow {text}" for name, text in texts.items()})
    killed = []

    def kill(done: int, total: int, report: Any) -> None:
        if not killed:
            killed.append(next(iter(cluster.workers.values())).process.process.pid)
            os.kill(killed[0], signal.SIGKILL)

    with dask_executor(cluster.scheduler_address) as executor:
        report = analyze_folders(
            [album], tmp_path / "dataset", executor=executor, photos_per_file=4, progress=kill, exclude=["0[0-3].jpg"]
        )
        assert (report.photos, report.problems) == (26, [])
        assert sorted(photo.path.name for photo in report.bad) == ["05.jpg", "21.jpg"]
        assert report.faces == 24
    assert killed


def test_a_gallery_on_a_cluster(made_up: None, cluster: Any, tmp_path: Path) -> None:
    """Photos are analyzed by the cluster, also with an executor that keeps results, after a change and with retry."""
    album = fakes(tmp_path / "album", words(8, _05="dies"))
    distributed = pytest.importorskip("distributed")
    with (
        distributed.Client(cluster.scheduler_address, set_as_default=False) as client,
        Gallery(tmp_path / "g.faceie") as gallery,
    ):
        report = gallery.index([album], executor=client.get_executor(pure=True))
        assert (report.analyzed, [photo.path.name for photo in report.bad]) == (7, ["05.jpg"])
        (album / "00.jpg").write_text("9.9 8.8")
        (album / "05.jpg").write_text("7.7")
        report = gallery.index([album], executor=client.get_executor(pure=True), retry=True)
        assert (report.analyzed, report.faces, report.bad) == (2, 3, [])


def test_a_scheduler_that_is_gone(made_up: None, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without a scheduler, and a scheduler that ends in the middle, are errors of ours."""
    album = fakes(tmp_path / "album", {name: f"slow {text}" for name, text in words(40).items()})

    monkeypatch.setattr("faceie.cluster._WAIT", 3)

    def close(done: int, total: int, report: Any) -> None:
        cluster.close()

    dask = pytest.importorskip("dask")

    with (
        pytest.raises(FaceieError, match=r"scheduler|broken down|connection"),
        dask.config.set({"distributed.comm.timeouts.connect": 1}),
        Gallery(tmp_path / "g.faceie") as gallery,
        dask_executor(cluster.scheduler_address) as executor,
    ):
        gallery.index([album], executor=executor, progress=close)
    with Gallery(tmp_path / "g.faceie") as gallery:
        assert len(gallery) >= 1
