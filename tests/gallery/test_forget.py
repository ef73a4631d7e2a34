"""Forgotten faces and names are gone from every byte of the gallery's files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceie import Gallery, GalleryError
from faceie.gallery import wipe
from faceie.gallery.matrix import write_matrix

from .conftest import QUICK, face_of, put

_PIECE = 16  # bytes that would identify a person


def left(folder: Path, secrets: Iterable[bytes]) -> int:
    """Return how many pieces of the secrets are in the files of a folder."""
    files = b"\0".join(file.read_bytes() for file in folder.iterdir())
    return sum(
        secret[i : i + _PIECE] in files for secret in secrets for i in range(0, len(secret) - _PIECE + 1, 4 * _PIECE)
    )


def filled(gallery: Gallery) -> dict[str, list[bytes]]:
    """Fill a gallery with three people whose faces come and go, so that pages have moved; return the secrets."""
    rng = np.random.default_rng(0)
    secrets: dict[str, list[bytes]] = {"Anna": [], "Ben": [], "Cleo": []}
    for v in range(60):
        for who, name in enumerate(secrets):
            thumbnail = rng.bytes(3000)
            path = f"/photos of summer/{name}-{v}-{'x' * (v % 50)}.jpg"
            (face,) = put(gallery, path, face_of(who, v), thumbnail=thumbnail)
            if v % 3 == 2:
                gallery._store.db.execute(
                    "DELETE FROM photos WHERE id = (SELECT photo FROM faces WHERE id = ?)", (face,)
                )
                continue
            gallery.confirm(f"{name} of the secret names", [face])
            secrets[name] += [face_of(who, v).tobytes(), thumbnail, path.encode()]
    gallery.search(face_of(0, 1))
    return secrets


def private(secrets: list[bytes]) -> list[bytes]:
    """Return the secrets of a person, without the paths of photos, which stay."""
    return [secret for secret in secrets if not secret.startswith(b"/")]


@pytest.mark.file_only
def test_a_person(gallery: Gallery) -> None:
    """Embeddings, thumbnails and the name are gone; the others and all photos are there, and found."""
    secrets = filled(gallery)
    folder = gallery.path.parent
    name = b"Anna of the secret names"
    assert left(folder, private(secrets["Anna"])) > 1000
    assert left(folder, [name]) == 1
    before = left(folder, private(secrets["Ben"]))
    assert gallery.forget_person(name.decode()).faces == 40
    assert left(folder, [name, *private(secrets["Anna"])]) == 0
    assert left(folder, private(secrets["Ben"])) > 0.4 * before  # which were twice there, in the matrix, too
    assert len(gallery) == 80
    found = gallery.search(face_of(1, 0))
    assert found[0].face.name == "Ben of the secret names"
    assert left(folder, [name, *private(secrets["Anna"])]) == 0
    assert len(gallery._store.db.execute("SELECT 1 FROM files").fetchall()) == 120


@pytest.mark.file_only
def test_a_photo(gallery: Gallery) -> None:
    """Its path, too, and that of its copies."""
    secrets = filled(gallery)
    store = gallery._store
    path = secrets["Cleo"][2].decode()
    known = store.file(path)
    assert known
    store.put_file("/copies of winter/again and again.jpg", known.photo, 1, 1)
    assert gallery.forget_photo(path) == (2, 1)
    assert left(gallery.path.parent, secrets["Cleo"][:2]) == 0
    files = b"".join(file.read_bytes() for file in gallery.path.parent.iterdir())
    assert path.encode() not in files
    assert b"again and again" not in files
    with pytest.raises(GalleryError, match="not in the gallery"):
        gallery.forget_photo(path)


@pytest.mark.file_only
def test_all(gallery: Gallery) -> None:
    """No file is left."""
    filled(gallery)
    assert gallery.forget_all().faces == 120
    assert list(gallery.path.parent.iterdir()) == []


@pytest.mark.file_only
def test_everything_is_overwritten_before_the_file_goes(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks that the file system keeps of the file hold nothing."""
    secrets = filled(gallery)
    monkeypatch.setattr("faceie.gallery.wipe.files", lambda path: None)
    gallery.forget_all()
    everything = [secret for all_ in secrets.values() for secret in all_]
    assert left(gallery.path.parent, everything) == 0


@pytest.mark.file_only
def test_drafts_of_a_matrix_go_too(gallery: Gallery) -> None:
    """A program that was killed while it wrote one may have left it."""
    (face,) = put(gallery, "/a.jpg", face_of(1, 1))
    draft = gallery.path.with_name(f".{gallery.path.name}.matrix-abc")
    draft.write_bytes(face_of(1, 1).tobytes())
    gallery.confirm("Anna", [face])
    gallery.forget_person("Anna")
    assert not draft.exists()


@pytest.mark.file_only
def test_a_reader_is_told_of(gallery: Gallery) -> None:
    """While another program reads, bytes stay in the log: that is said, and the next time it works."""
    filled(gallery)
    with Gallery(gallery.path) as reader:
        reader._store.db.execute("BEGIN")
        reader._store.db.execute("SELECT count(*) FROM faces").fetchone()
        gallery._store.db.execute("PRAGMA busy_timeout = 100")
        with pytest.raises(GalleryError, match=r"another program"):
            gallery.forget_person("Anna of the secret names")
        reader._store.db.execute("COMMIT")
    gallery.forget_person("Ben of the secret names")
    assert left(gallery.path.parent, [face_of(0, v).tobytes() for v in (0, 1, 3)]) == 0


@pytest.mark.file_only
@pytest.mark.skipif(os.name == "nt", reason="permissions of another kind")
def test_only_the_owner_can_read(gallery: Gallery) -> None:
    """All files of a gallery, while it is in use, too."""
    filled(gallery)
    modes = {
        file.name.removeprefix(gallery.path.name): file.stat().st_mode & 0o777 for file in gallery.path.parent.iterdir()
    }
    assert set(modes) >= {"", "-wal", "-shm", ".matrix"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("name", ["family [1].faceie", "a*b?.faceie"])
def test_drafts_go_whatever_the_gallery_is_called(tmp_path: Path, no_weights: None, name: str) -> None:
    """Names in which brackets, stars and question marks stand are names, and no patterns."""
    with Gallery(tmp_path / name, options=QUICK) as gallery:
        (face,) = put(gallery, "/a.jpg", face_of(1, 1))
        draft = tmp_path / f".{name}.matrix-abc"
        draft.write_bytes(face_of(1, 1).tobytes())
        gallery.confirm("Anna", [face])
        gallery.forget_person("Anna")
        assert left(tmp_path, [face_of(1, 1).tobytes()]) == 0


@pytest.mark.file_only
def test_a_reader_that_writes_a_matrix_meanwhile(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search in another place that began before, and writes its matrix after the former one was removed, leaves
    nothing of who was forgotten.
    """
    (anna,) = put(gallery, "/a.jpg", face_of(1, 1))
    put(gallery, "/b.jpg", face_of(2, 1))
    gallery.confirm("Anna", [anna])
    at_work, removed = threading.Event(), threading.Event()

    def write_late(*arguments: Any) -> None:
        at_work.set()
        assert removed.wait(10)
        write_matrix(*arguments)

    def remove(path: Path) -> None:
        remove_matrix(path)
        removed.set()

    remove_matrix = wipe.remove_matrix
    monkeypatch.setattr("faceie.gallery.matrix.write_matrix", write_late)
    monkeypatch.setattr(wipe, "remove_matrix", remove)
    with Gallery(gallery.path) as reader:
        search = threading.Thread(target=reader.search, args=(face_of(1, 1),))
        search.start()
        assert at_work.wait(10)
        gallery.forget_person("Anna")
        search.join()
        assert left(gallery.path.parent, [face_of(1, 1).tobytes()]) == 0


@pytest.mark.file_only
def test_going_through_the_faces_and_forgetting_some(gallery: Gallery) -> None:
    """A loop over the faces may forget those that it meets."""
    for v in range(6):
        put(gallery, f"/{v}.jpg", face_of(v % 2, v))
    for face in gallery.faces():
        if face.id % 2:
            gallery.forget_photo(face.path)
    assert [face.path.name for face in gallery.faces()] == ["1.jpg", "3.jpg", "5.jpg"]
    assert left(gallery.path.parent, [face_of(0, v).tobytes() for v in (0, 2, 4)]) == 0


@pytest.mark.file_only
@pytest.mark.parametrize("what", ["person", "photo"])
def test_saying_it_again_completes_it(gallery: Gallery, what: str) -> None:
    """As the error says: when the reader has ended, the same call removes the remaining bytes from the log."""
    (face,) = put(gallery, "/a.jpg", face_of(1, 1))
    put(gallery, "/b.jpg", face_of(2, 1))
    gallery.confirm("Anna", [face])
    gallery._store.db.execute("PRAGMA busy_timeout = 100")

    def forget() -> None:
        if what == "person":
            gallery.forget_person("Anna")
        else:
            gallery.forget_photo("/a.jpg")

    with Gallery(gallery.path) as reader:
        reader._store.db.execute("BEGIN")
        reader._store.db.execute("SELECT count(*) FROM faces").fetchone()
        with pytest.raises(GalleryError, match="run the command again"):
            forget()
        assert left(gallery.path.parent, [face_of(1, 1).tobytes()]) > 0
        reader._store.db.execute("COMMIT")
        forget()
        assert left(gallery.path.parent, [face_of(1, 1).tobytes()]) == 0


@pytest.mark.file_only
def test_a_mapped_file_on_windows(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses to delete a file that another program has mapped: that is told, and can be done later."""
    (face,) = put(gallery, "/a.jpg", face_of(1, 1))
    assert gallery.search(face_of(1, 1))
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".matrix":
            raise PermissionError(13, "The process cannot access the file because it is being used", str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(GalleryError, match="another program"):
            gallery.forget_photo("/a.jpg")
    with pytest.raises(GalleryError, match=f"there is no face {face}"):
        gallery.face(face)
    assert gallery.forget_photo("/a.jpg").faces == 0
    assert gallery.path.with_name(f"{gallery.path.name}.matrix").exists() is False
