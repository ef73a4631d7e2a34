"""Runs on a cluster of Dask: workers and schedulers that are lost, executors that keep results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faceie import FaceieError, Gallery
from faceie.batch import analyze_folders
from faceie.cluster import dask_executor

from ..gallery.conftest import fakes
from .conftest import rows_of, words

pytest.importorskip("pyarrow")


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, an error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(FaceieError, match="pip install distributed"), dask_executor("tcp://127.0.0.1:1"):
        pass


@contextmanager
def dask_cluster(customized: str) -> Iterator[Any]:
    """Start two processes of Dask, one thread each."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", customized)
        # The first death of a worker fails its calls; by default, they are tried on three other workers.
        dask = pytest.importorskip("dask")
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 0}),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50, host="127.0.0.1"
            ) as cluster,
        ):
            yield cluster


@pytest.fixture(scope="module")
def cluster(customized: str) -> Iterator[Any]:
    with dask_cluster(customized) as cluster:
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


def test_a_file_of_a_scheduler(made_up: None, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file may appear a little later, and grow, since scheduler and run start at the same time."""
    where = tmp_path / "scheduler.json"
    text = json.dumps({"type": "Scheduler", "address": cluster.scheduler_address})

    def write() -> None:
        for end in (0, 20, len(text)):
            time.sleep(0.3)
            where.write_text(text[:end])

    later = threading.Thread(target=write)
    later.start()
    with dask_executor(str(where)) as executor:
        assert executor.submit(abs, -7).result(60) == 7
    later.join()
    monkeypatch.setattr("faceie.cluster._WAIT", 0.2)
    with (
        pytest.raises(FaceieError, match=r"other\.json: no Dask scheduler has written this file"),
        dask_executor(str(tmp_path / "other.json")),
    ):
        pass


# Executors of the caller's own


def gallery_run(album: Path, target: Path, **options: Any) -> int:
    """Index into a gallery. Return the number of photos that it has in the end, whatever happens."""
    with Gallery(target) as gallery:
        gallery.index([album], **options)
        return len(gallery)


def dataset_run(album: Path, target: Path, **options: Any) -> int:
    return analyze_folders([album], target, photos_per_file=3, **options).faces


def finished(target: Path) -> int:
    """Return the number of faces in a gallery or dataset."""
    if target.is_dir():
        return len(rows_of(target))
    with Gallery(target) as gallery:
        return len(gallery)


def end_in_time(run: Callable[[], object]) -> BaseException | None:
    """Run in a thread for at most a minute. Return the error. A run that waits for ever fails the test."""
    raised: list[BaseException | None] = []

    def work() -> None:
        try:
            run()
        except BaseException as error:
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert raised, "the run does not end"
    return raised[0]


@pytest.mark.parametrize("run", [gallery_run, dataset_run])
@pytest.mark.parametrize("end", ["before", "during", "at last", "executor"])
def test_a_client_that_is_closed(
    made_up: None, cluster: Any, tmp_path: Path, run: Callable[..., int], end: str
) -> None:
    """A closed client ends a run with an error that says so, also if no more calls are made. Results are kept."""
    distributed = pytest.importorskip("distributed")
    # "at last": all photos, or files of three, are submitted at once, so only waiting can notice it.
    count = 40 if end != "at last" else 12 if run is dataset_run else 6
    album = fakes(tmp_path / "album", {name: f"slow {text}" for name, text in words(count).items()})
    target = tmp_path / "target"
    client = distributed.Client(cluster.scheduler_address, set_as_default=False)
    executor = client.get_executor(pure=False)
    done = []

    def progress(photos: int, total: int, report: Any) -> None:
        done.append(photos)
        if len(done) == 1:
            executor.shutdown(wait=False) if end == "executor" else client.close()

    try:
        if end == "before":
            client.close()
        error = end_in_time(lambda: run(album, target, executor=executor, progress=progress))
    finally:
        client.close()
    assert isinstance(error, FaceieError)
    expected = "the Dask cluster failed" if end == "executor" else "connection to the Dask cluster was lost"
    assert expected in str(error)
    assert "All results so far are kept" in str(error)
    if end != "before":
        assert 0 < done[-1] <= finished(target) <= count
    with dask_executor(cluster.scheduler_address) as other:
        run(album, target, executor=other)
    assert finished(target) == count


@pytest.mark.parametrize("run", [gallery_run, dataset_run])
def test_a_scheduler_that_is_killed(made_up: None, cluster: Any, tmp_path: Path, run: Callable[..., int]) -> None:
    """The loss of a scheduler ends a run of the caller's own client, and the next run has the rest."""
    distributed = pytest.importorskip("distributed")
    album = fakes(tmp_path / "album", {name: f"slow {text}" for name, text in words(12).items()})
    where = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(where), "--no-dashboard"]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *common, "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", *common, "--nthreads", "1", "--no-nanny"]
    worker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        with distributed.Client(scheduler_file=str(where), timeout=10, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)

            def kill(*state: Any) -> None:
                scheduler.kill()

            executor = client.get_executor(pure=False)
            error = end_in_time(lambda: run(album, tmp_path / "target", executor=executor, progress=kill))
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    assert isinstance(error, FaceieError)
    assert "connection to the Dask cluster was lost" in str(error)
    assert finished(tmp_path / "target") > 0
    with dask_executor(cluster.scheduler_address) as other:
        run(album, tmp_path / "target", executor=other)
    assert finished(tmp_path / "target") == 12


def test_a_dataset_with_an_executor_that_keeps_results(made_up: None, cluster: Any, tmp_path: Path) -> None:
    """A pure executor gives new results for photos that have changed, and for those that are tried again."""
    distributed = pytest.importorskip("distributed")
    album = fakes(tmp_path / "album", words(6, _05="dies"))
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:

        def run(**options: Any) -> tuple[int, int, int, int]:
            executor = client.get_executor(pure=True)
            report = analyze_folders([album], tmp_path / "dataset", executor=executor, photos_per_file=3, **options)
            return report.photos, report.known, report.faces, len(report.bad)

        assert run() == (6, 0, 5, 1)
        before = (album / "00.jpg").stat()
        (album / "00.jpg").write_text("9.9")  # of the same size as before
        os.utime(album / "00.jpg", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        assert run() == (1, 5, 1, 0)
        assert run(retry=True) == (1, 5, 0, 1)
        assert run(retry=True) == (1, 5, 0, 1)  # the same photos again


def test_a_cluster_that_grows(made_up: None, cluster: Any, tmp_path: Path) -> None:
    """More calls are in flight when more workers have come."""
    distributed = pytest.importorskip("distributed")
    album = fakes(tmp_path / "album", {name: f"slow {text}" for name, text in words(40).items()})
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        executor = client.get_executor(pure=False)
        submit, flying, most, size = executor.submit, set(), [], [1]

        def count(*arguments: Any) -> Any:
            future = submit(*arguments)
            flying.add(future)
            future.add_done_callback(flying.discard)
            most.append(len(flying))
            return future

        def grow(*state: Any) -> None:
            size[0] = 4

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(executor, "submit", count)
            patch.setattr(client, "ncores", lambda: {"tcp://one": size[0]})
            analyze_folders([album], tmp_path / "dataset", executor=executor, photos_per_file=2, progress=grow)
    assert most[:2] == [1, 2]
    assert max(most) == 8


def test_a_scheduler_that_is_gone(
    made_up: None, customized: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address without a scheduler, and a scheduler that ends in the middle, are errors of ours."""
    album = fakes(tmp_path / "album", {name: f"slow {text}" for name, text in words(40).items()})

    monkeypatch.setattr("faceie.cluster._WAIT", 3)

    def close(done: int, total: int, report: Any) -> None:
        cluster.close()

    dask = pytest.importorskip("dask")

    with (
        dask_cluster(customized) as cluster,
        pytest.raises(FaceieError, match=r"scheduler|broken down|connection"),
        dask.config.set({"distributed.comm.timeouts.connect": 1}),
        Gallery(tmp_path / "g.faceie") as gallery,
        dask_executor(cluster.scheduler_address) as executor,
    ):
        gallery.index([album], executor=executor, progress=close)
    with Gallery(tmp_path / "g.faceie") as gallery:
        assert len(gallery) >= 1
