"""``faceie people suggestions``, ``yes`` and ``no``: questions and answers, with a gallery of made-up people."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from faceie import Gallery

from ..gallery.conftest import QUICK, near, person, put
from ..gallery.test_questions import apart
from .test_gallery import run

_LIST = ("people", "suggestions")


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery with Anna and Ben at one age, three photos of Anna at another age, and one of Ben."""
    file = tmp_path / "g.faceie"
    with Gallery(file, options=QUICK) as gallery:
        for who, name in ((1, "Anna"), (2, "Ben")):
            faces = [put(gallery, f"/{name}-{v}.jpg", near(person(who), 0.35, 10 * who + v))[0] for v in range(4)]
            gallery.confirm(name, faces)
        for v in range(3):
            put(gallery, f"/old-{v}.jpg", apart(1, v))
        put(gallery, "/single.jpg", apart(2, 1))
    monkeypatch.setenv("FACEIE_GALLERY", str(file))
    return file


def names(capsys: pytest.CaptureFixture[str]) -> dict[str, str | None]:
    """Return the name of the face in each photo."""
    lines = map(json.loads, run(capsys, "export")[0].splitlines())
    return {Path(line["photo"]).stem: line["name"] for line in lines}


def test_list(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each question: what to answer by, and photos to compare."""
    title, first, second = run(capsys, *_LIST)[0].splitlines()
    assert title.split() == ["probability", "faces", "question", "photo"]
    assert re.match(r" +0\.\d\d +3  \d+ is Anna +/old-\d\.jpg \(face 1\), like /Anna-\d\.jpg \(face 1\)$", first)
    assert re.match(r" +0\.\d\d +1  face12 is Ben +/single\.jpg \(face 1\), like /Ben-\d\.jpg \(face 1\)$", second)
    cluster, face = map(json.loads, run(capsys, *_LIST, "--json")[0].splitlines())
    assert (sorted(cluster["faces"]), cluster["name"]) == ([9, 10, 11], "Anna")
    assert (face["faces"], face["cluster"], face["name"], face["example"]["id"]) == ([12], None, "Ben", 12)
    assert run(capsys, *_LIST, "--limit", "1")[0].splitlines() == [title, first]
    assert "nothing to ask" in run(capsys, *_LIST, "--min-probability", "1")[1]
    assert "expected 0 to 1" in run(capsys, *_LIST, "--min-probability", "2", code=2)[1]


def test_yes_and_no(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers by commands last, and can be taken back."""
    number = json.loads(run(capsys, *_LIST, "--json")[0].splitlines()[0])["cluster"]
    assert run(capsys, "people", "yes", str(number), "Anna")[0] == f"noted: {number}, 3 faces, is Anna\n"
    assert run(capsys, "people", "no", "face12", "Ben")[0] == "noted: face12, 1 face, is not Ben\n"
    assert "nothing to ask" in run(capsys, *_LIST)[1]
    assert names(capsys)["old-1"] == "Anna"
    run(capsys, "people", "undo", "2")
    assert len(run(capsys, *_LIST)[0].splitlines()) == 3
    assert names(capsys)["old-1"] is None


def test_ask(gallery: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys answer one question after the other; other input is explained, and asked again."""
    monkeypatch.setattr("sys.stdin", io.StringIO("x\n\n12\ny\nn\n"))
    out, messages = run(capsys, *_LIST, "--ask")
    assert "expected y (yes), n (no)" in messages
    assert "numbers stand for clusters" in messages
    assert out.count("Anna? (") == 4
    assert out.endswith("2 answers noted. faceie people undo takes back the last one.\n")
    assert (names(capsys)["old-0"], names(capsys)["single"]) == ("Anna", None)
    assert "nothing to ask" in run(capsys, *_LIST)[1]


def test_ask_who_it_is(gallery: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A name instead of yes or no, a stranger, skipping, and the end of the input."""
    monkeypatch.setattr("sys.stdin", io.StringIO("Cleo\ni\n"))
    assert "2 answers noted" in run(capsys, *_LIST, "--ask")[0]
    assert names(capsys)["old-2"] == "Cleo"
    assert "single.jpg" in run(capsys, "people", "ignored")[0]
    run(capsys, "people", "undo", "2")
    for keys, answers in (("s\nq\n", 0), ("", 0), ("s\nn\n", 1)):
        monkeypatch.setattr("sys.stdin", io.StringIO(keys))
        assert f"{answers} answer" in run(capsys, *_LIST, "--ask")[0]
