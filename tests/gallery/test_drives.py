"""Galleries on drives of the network, and on file systems that cannot share memory."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from contextlib import closing
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import pytest

from faceie import Gallery
from faceie.gallery import database, drives, log

from .conftest import QUICK, assert_intact, face_of, person, put

pytestmark = pytest.mark.file_only

MOUNTS = rb"""25 30 0:23 / /proc rw,relatime shared:14 - proc proc rw
30 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 30 0:50 / /mnt/nas rw,relatime shared:20 - nfs4 nas:/photos rw,vers=4.2
41 40 254:2 / /mnt/nas/local rw,relatime shared:21 master:1 - ext4 /dev/vdb1 rw
42 30 0:51 / /mnt/my\040photos rw,relatime shared:22 - cifs //nas/photos rw
43 30 0:52 / /home/anna/remote rw,nosuid shared:23 - fuse.sshfs anna@nas: rw
44 30 0:53 / /mnt/usb rw,relatime shared:24 - fuseblk /dev/sdb1 rw
"""

PRINTED = b"""/dev/disk1s1 on / (apfs, local, journaled)
//anna@nas._smb._tcp.local/photos on /Volumes/my photos (smbfs, nodev, nosuid, mounted by anna)
nas:/export on /Volumes/export (nfs, nodev)
"""


def mode(path: Path) -> str:
    with closing(database._open(path)) as db:
        (found,) = db.execute("PRAGMA journal_mode").fetchone()
        return str(found)


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("/home/anna/g.faceie", False),
        ("/mnt/nas/g.faceie", True),
        ("/mnt/nas/deep/down/g.faceie", True),
        ("/mnt/nas/local/g.faceie", False),
        ("/mnt/my photos/g.faceie", True),
        ("/home/anna/remote/g.faceie", True),
        ("/mnt/usb/g.faceie", False),
        ("/mnt/nasty/g.faceie", False),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths are those of POSIX")
def test_linux(path: str, remote: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The innermost mount point above a file tells."""
    (tmp_path / "mountinfo").write_bytes(MOUNTS)
    monkeypatch.setattr(drives, "_MOUNTS", tmp_path / "mountinfo")
    monkeypatch.setattr(drives.sys, "platform", "linux")
    assert drives.is_on_network(Path(path)) is remote


@pytest.mark.parametrize(
    ("path", "remote"),
    [("/Users/anna/g.faceie", False), ("/Volumes/my photos/g.faceie", True), ("/Volumes/export/a/g.faceie", True)],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths are those of POSIX")
def test_macos(path: str, remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program mount tells; if it cannot be run, nothing is known."""
    monkeypatch.setattr(drives.sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=PRINTED))
    assert drives.is_on_network(Path(path)) is remote

    def fails(*_: Any, **__: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", fails)
    assert not drives.is_on_network(Path(path))


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        (r"C:\Users\anna\g.faceie", False),
        (r"Z:\photos\g.faceie", True),
        (r"\\nas\photos\g.faceie", True),
        (r"\\?\C:\photos\g.faceie", False),
        (r"\\?\UNC\nas\photos\g.faceie", True),
    ],
)
def test_windows(path: str, remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share is remote, and so is a drive of which Windows says so."""
    kernel = SimpleNamespace(GetDriveTypeW=lambda anchor: 4 if anchor.startswith("Z:") else 3)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert drives._is_remote(PureWindowsPath(path)) is remote


def test_without_knowledge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that tells nothing has no drives of the network."""
    monkeypatch.setattr(drives, "_MOUNTS", tmp_path / "nowhere")
    assert not drives.is_on_network(tmp_path / "g.faceie")


def test_addresses() -> None:
    """The host of a share is part of the path for SQLite; other characters are quoted."""

    class Share:
        def absolute(self) -> PureWindowsPath:
            return PureWindowsPath(r"\\nas\my photos\g.faceie")

    assert log.address(Share()) == "file:////nas/my%20photos/g.faceie"  # type: ignore[arg-type]
    assert PurePosixPath("/a?b").as_uri() == "file:///a%3Fb"


@pytest.fixture
def on_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "is_on_network", lambda path: True)


def use(path: Path) -> None:
    """Use most methods of a gallery, with two connections at once."""
    with Gallery(path, options=QUICK) as gallery, Gallery(path) as other:
        faces = put(gallery, "/a.jpg", face_of(1, 1)) + put(gallery, "/b.jpg", face_of(1, 2))
        assert len(other.search(person(1))) == 2
        other.confirm("Anna", faces[:1])
        assert gallery.face(faces[0]).name == "Anna"
        assert gallery.forget_photo("/a.jpg").faces == 1
        assert len(other) == 1
    assert_intact(path)


@pytest.mark.usefixtures("on_network", "no_weights")
def test_a_gallery_on_the_network(path: Path) -> None:
    """It does without shared memory, and works all the same."""
    use(path)
    assert mode(path) == "delete"
    with Gallery(path) as gallery:
        put(gallery, "/c.jpg", face_of(2, 1))
        assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}.matrix"}
        gallery.forget_all()
    assert not [*path.parent.iterdir()]


@pytest.mark.usefixtures("no_weights")
def test_a_gallery_that_is_moved(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each program that opens a gallery adapts its journal to the drive, unless another one has it open."""
    Gallery(path, options=QUICK).close()
    assert mode(path) == "wal"
    with monkeypatch.context() as patch:
        patch.setattr(database, "is_on_network", lambda path: True)
        with Gallery(path) as gallery:
            assert mode(path) == "delete"
            put(gallery, "/a.jpg", face_of(1, 1))
    with Gallery(path) as gallery:
        assert mode(path) == "wal"
        assert len(gallery) == 1
        with monkeypatch.context() as patch:
            patch.setattr(database, "is_on_network", lambda path: True)
            with Gallery(path) as other:
                assert len(other) == 1
        assert mode(path) == "wal"


@pytest.mark.usefixtures("no_weights")
@pytest.mark.skipif(sys.platform == "win32", reason="this way of locking is for POSIX")
def test_a_file_system_without_shared_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite cannot keep a write-ahead log, the journal stays: here by locks without shared memory."""
    connect = database.sqlite3.connect

    def with_dotfiles(file: Path, **options: Any) -> Any:
        if options.get("uri"):
            return connect(file, **options)
        return connect(f"{Path(file).absolute().as_uri()}?vfs=unix-dotfile", uri=True, **options)

    monkeypatch.setattr(database.sqlite3, "connect", with_dotfiles)
    use(path)
    assert mode(path) == "delete"
