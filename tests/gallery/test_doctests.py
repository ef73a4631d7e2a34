"""The examples in the docstrings of the gallery."""

from __future__ import annotations

import doctest
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import faceie.gallery
from faceie import Gallery
from faceie.gallery import (
    base,
    dataset_methods,
    export_methods,
    face_methods,
    import_methods,
    list_methods,
    people_methods,
    photo_methods,
    question_methods,
    settings,
)
from faceie.gallery import gallery as module

from .conftest import QUICK, needs_weights

_EXAMPLES = {
    example.name: example
    for place in (
        base,
        dataset_methods,
        export_methods,
        face_methods,
        import_methods,
        list_methods,
        people_methods,
        photo_methods,
        question_methods,
        module,
        settings,
    )
    for example in doctest.DocTestFinder(exclude_empty=True).find(place)
    if example.examples
}


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, small_photos: Path) -> Path:
    """A folder with photos and a gallery that knows them. Not to be changed."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(small_photos, folder / "photos")
    with pytest.MonkeyPatch.context() as patch, Gallery(folder / "gallery.faceie", options=QUICK) as gallery:
        patch.chdir(folder)
        gallery.index(["photos"], workers=1)
    return folder


@pytest.fixture
def example_gallery(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    """The gallery of an example, in a copy of the folder, which is the current one."""
    folder = tmp_path / "examples"
    folder.mkdir()
    shutil.copytree(indexed / "photos", folder / "photos")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FACEIE_GALLERY", "restored afterwards")
    with Gallery(indexed / "gallery.faceie") as original:
        original.backup(folder / "gallery.faceie")
    with Gallery(folder / "gallery.faceie") as gallery:
        for path in (folder / "photos").iterdir():
            gallery._store.db.execute(
                "UPDATE files SET path = ?, changed = NULL WHERE path = ?",
                (str(path), str(indexed / "photos" / path.name)),
            )
        yield gallery


@needs_weights
@pytest.mark.parametrize("name", _EXAMPLES)
def test_examples(name: str, example_gallery: Gallery) -> None:
    """Each example gives the output that it shows."""
    example = _EXAMPLES[name]
    example.globs = {**vars(faceie.gallery), **vars(settings), "Path": Path, "gallery": example_gallery}
    output: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(example, out=output.append, clear_globs=False)
    assert not output, "".join(output)


def test_public_methods_have_examples() -> None:
    """Nearly all public methods of a gallery have an example, which the test above runs."""
    names = {name.rpartition(".")[2] for name in _EXAMPLES}
    public = {name for name in dir(Gallery) if not name.startswith("_")}
    assert not public - names
