"""Random sequences of changes to a collection, compared with a simple model: no name is lost, and no face has the name
of another person.

The fake photos hold one face each, of one of five made-up people. The model knows the truth: the statements about each
content, and the names that the user has not deleted. FACEIE_FUZZ sets the number of sequences, for a long run by hand.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

from faceie import Gallery

from .conftest import QUICK, Prepared, assert_intact, by_words, person

SEQUENCES = int(os.environ.get("FACEIE_FUZZ", "12"))
STEPS = 60
NAMES = ["Anna", "Ben", "Cleo", "Dan", "Eve"]
PEOPLE = np.stack([person(number) for number in range(1, 6)])


class Killed(BaseException):
    """Ends a run of `index` as a signal would."""


class World:
    """An album, its gallery, and the model of the user's statements."""

    def __init__(self, seed: int, folder: Path, path: Path | str | None = None) -> None:
        self.random = random.Random(seed)
        self.album = folder / "album"
        self.album.mkdir()
        self.gallery = Gallery(path or folder / "g.faceie", options=QUICK)
        self.gallery._weights()
        self.count = 0
        self.bin: list[str] = []  # contents of deleted photos
        self.names: set[str] = set()

    def files(self) -> list[Path]:
        return sorted(self.album.rglob("*.jpg"))

    def new_path(self) -> Path:
        self.count += 1
        folder = self.album / self.random.choice([".", "one", "two/deep"])
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{self.count}.jpg"

    # Changes of files

    def add(self) -> None:
        self.new_path().write_text(f"{self.random.randrange(1, 6)}.{self.count}")

    def move(self) -> None:
        if files := self.files():
            self.random.choice(files).rename(self.new_path())

    def swap(self) -> None:
        if len(files := self.files()) > 1:
            a, b = self.random.sample(files, 2)
            texts = a.read_text(), b.read_text()
            b.write_text(texts[0])
            a.write_text(texts[1])

    def copy(self) -> None:
        if files := self.files():
            self.new_path().write_text(self.random.choice(files).read_text())

    def edit(self) -> None:
        if files := self.files():
            file = self.random.choice(files)
            file.write_text(f"{file.read_text()} ")  # another file, with the same face

    def rename_and_edit(self) -> None:
        if files := self.files():
            file, new = self.random.choice(files), self.new_path()
            new.write_text(f" {file.read_text()}")
            file.unlink()

    def delete(self) -> None:
        if files := self.files():
            file = self.random.choice(files)
            self.bin.append(file.read_text())
            file.unlink()

    def put_back(self) -> None:
        if self.bin:
            self.new_path().write_text(self.bin.pop(self.random.randrange(len(self.bin))))

    # What commands do

    def index(self) -> None:
        deadline = self.random.choice([None, None, None, self.random.randrange(1, 6)])

        def progress(done: int, *_: object) -> None:
            if deadline is not None and done >= deadline:
                raise Killed

        try:
            self.gallery.index(
                [self.album],
                executor=Prepared(by_words),
                prune=self.random.random() < 0.4,
                prune_limit=1,
                progress=progress,
            )
        except Killed:
            self.gallery.close()
            self.gallery = Gallery(self.gallery.path)
            self.gallery._weights()

    def cluster(self) -> None:
        self.gallery.cluster()

    def faces(self) -> dict[int, bytes]:
        """Return the embeddings of the faces that are listed, by which the model knows who they are."""
        return {face.id: self.gallery.embedding(face.id).tobytes() for face in self.gallery.faces()}

    def truth(self, embedding: bytes) -> str:
        return NAMES[int(np.argmax(PEOPLE @ np.frombuffer(embedding, np.float32)))]

    def confirm(self) -> None:
        if faces := self.faces():
            face, who = self.random.choice(sorted(faces.items()))
            self.gallery.confirm(self.truth(who), [face])
            self.names.add(self.truth(who))

    def name_a_cluster(self) -> None:
        faces = self.faces()
        for one in self.gallery.people():
            who = {self.truth(faces[face.id]) for face in self.gallery.faces_of(one.number) if face.id in faces}
            if one.name is None and len(who) == 1 and not who & self.names:
                self.gallery.name(one.number, who.pop())
                self.names.add(self.gallery.person(one.number).name or "")
                return

    def deny(self) -> None:
        if self.names and (faces := self.faces()):
            face, who = self.random.choice(sorted(faces.items()))
            name = self.random.choice(sorted(self.names))
            if name != self.truth(who):
                self.gallery.deny(name, [face])

    def merge_and_split(self) -> None:
        for name in sorted(self.names):
            faces = self.gallery.faces_of(name)
            if len(faces) > 1:
                new = self.gallery.split(name, [faces[0].id])
                assert self.gallery.merge(name, new) == self.gallery.person(name).number
                return

    def forget_photo(self) -> None:
        if files := self.files():
            file = self.random.choice(files)
            if self.gallery._store.file(str(file)):
                self.gallery.forget_photo(file)

    def forget_person(self) -> None:
        if self.names and self.random.random() < 0.2:
            name = self.random.choice(sorted(self.names))
            self.gallery.forget_person(name)
            self.names.discard(name)

    def step(self) -> None:
        actions = [self.add, self.add, self.move, self.swap, self.copy, self.edit, self.rename_and_edit, self.delete]
        actions += [self.put_back, self.index, self.index, self.index, self.cluster, self.confirm, self.confirm]
        actions += [self.name_a_cluster, self.deny, self.merge_and_split, self.forget_photo, self.forget_person]
        self.random.choice(actions)()

    def check(self) -> None:
        """Assert that no name is lost, and that no face has the name of another person."""
        assert {one.name for one in self.gallery.people() if one.name} == self.names
        for face in self.gallery.faces():
            assert face.name in (None, self.truth(self.gallery.embedding(face.id).tobytes())), face.path


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_no_name_is_lost(seed: int, path: Path | str, tmp_path: Path, no_weights: None) -> None:
    """After each step of a random sequence, all names are there, on the right faces."""
    if isinstance(path, str) and seed > 1:
        pytest.skip("two sequences suffice in PostgreSQL, which takes the same steps")
    world = World(seed, tmp_path, path)
    for _ in range(STEPS):
        world.step()
        world.check()
    world.gallery.close()
    assert_intact(path)
