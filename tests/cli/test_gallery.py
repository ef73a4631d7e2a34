"""``faceie index``, ``search``, ``people``, ``export``, ``backup`` and ``forget``, with one gallery."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest

from faceie import cli

from ..conftest import PHOTOS
from .conftest import faceie, needs_weights, running

pytestmark = needs_weights


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of the shipped album."""
    file = tmp_path_factory.mktemp("gallery") / "album.faceie"
    run = faceie("index", PHOTOS, "--gallery", file, "--workers", "1")
    assert run.returncode == 1, run.stderr  # two photos are broken
    return file


@pytest.fixture
def gallery(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that gallery, which is the default one."""
    file = tmp_path / "own" / "album.faceie"
    file.parent.mkdir()
    shutil.copy(indexed, file)
    monkeypatch.setenv("FACEIE_GALLERY", str(file))
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> tuple[str, str]:
    """Run ``faceie`` in this process; return its standard output and standard error."""
    assert cli.main([str(argument) for argument in arguments]) == code
    return capsys.readouterr()


def test_index_prints_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New photos, faces and bad photos are counted. The second run knows all, and reports no error."""
    album, file = tmp_path / "album", tmp_path / "new" / "g.faceie"
    album.mkdir()
    shutil.copy(PHOTOS / "astronaut.jpg", album)
    shutil.copy(PHOTOS / "more" / "no-photo.jpg", album)
    first = run(capsys, "index", album, "--gallery", file, "--workers", "1", "--min-face-size", "60", code=1)
    assert "1 new photo, 0 known, 1 that cannot be used" in first[0]
    assert "1 new face; 1 in the gallery" in first[0]
    assert "no-photo.jpg: this is a text file, not a photo" in first[1]
    out, messages = run(capsys, "index", album, "--gallery", file)
    assert "0 new photos, 2 known" in out
    assert not messages
    (line,) = run(capsys, "index", "--errors", "--gallery", file)[0].splitlines()
    assert line.startswith(f"{album / 'no-photo.jpg'}: ")


def test_index_refuses_size_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A size of 0 is an error, and does not mean the default."""
    file = tmp_path / "g.faceie"
    _, message = run(capsys, "index", tmp_path, "--gallery", file, "--min-face-size", "0", code=2)
    assert "min_face_size" in message
    assert not file.exists()


def test_index_with_processes(tmp_path: Path) -> None:
    """Without --workers, several processes work, without output if there is no terminal."""
    album = tmp_path / "album"
    album.mkdir()
    for photo in ("astronaut.jpg", "biden.jpg"):
        shutil.copy(PHOTOS / photo, album)
    done = faceie("index", album, "--gallery", tmp_path / "g.faceie")
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"2 new photos" in done.stdout


def test_search_by_photo(gallery: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The photos of the person in the probe are listed, the most similar first, and shown on a private page."""
    page = tmp_path / "found.html"
    out, _ = run(capsys, "search", PHOTOS / "obama.jpg", "--html", page)
    rows = [line.split() for line in out.splitlines()[1:]]
    assert Path(rows[0][-1]).name == "obama.jpg"
    assert {Path(row[-1]).name for row in rows} == {
        "obama.jpg",
        "obama-standing.jpg",
        "obama-congress.jpg",
        "biden-and-obama.jpg",
    }
    assert page.read_text().count("<li>") == 4
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    (line,) = run(capsys, "search", PHOTOS / "biden.jpg", "--limit", "1", "--json")[0].splitlines()
    entry = json.loads(line)
    assert entry["distance"] < 0.01
    assert entry["probability"] > 0.99
    assert Path(entry["photo"]).name == "biden.jpg"


def test_search_for_one_of_several(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--face chooses one of several faces, the largest by default, and must be the number of a face."""
    both = PHOTOS / "more" / "biden-and-obama.jpg"
    assert "has 2 faces; this is face 2, the largest" in run(capsys, "search", both)[1]
    found = [run(capsys, "search", both, "--face", number, "--limit", "4")[0] for number in "12"]
    assert sorted("biden-gray" in out for out in found) == [False, True]
    assert "face is 3, expected 1 to 2" in run(capsys, "search", both, "--face", "3", code=2)[1]


def test_search_for_a_stranger(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a probable match, the most similar face is named. --min-probability 0 lists it."""
    run(capsys, "forget", "--photo", PHOTOS / "astronaut.jpg")
    for more in ("astronaut-mirrored.jpg", "astronaut-turned.jpg"):
        run(capsys, "forget", "--photo", PHOTOS / "more" / more)
    out, messages = run(capsys, "search", PHOTOS / "astronaut.jpg")
    assert not out
    assert "no face in this gallery shows this person" in messages
    out, _ = run(capsys, "search", PHOTOS / "astronaut.jpg", "--min-probability", "0", "--limit", "3")
    assert len(out.splitlines()) == 4


def test_people(gallery: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Clusters are listed, named, split, merged and corrected. Names find photos, and the page shows all people."""
    people = {}
    for line in run(capsys, "people", "--json")[0].splitlines():
        person = json.loads(line)
        people[person["number"]] = (person["faces"], Path(person["example"]["photo"]).stem)
    assert sorted(faces for faces, _ in people.values()) == [3, 3, 4]
    (number,) = (number for number, (faces, _) in people.items() if faces == 4)
    (other,) = (number for number, (_, example) in people.items() if "astronaut" in example)
    assert "Barack Obama (number" in run(capsys, "people", "name", str(number), "Barack Obama")[0]
    rows = run(capsys, "people", "faces", "Barack Obama")[0].splitlines()[1:]
    faces = {Path(row.split(maxsplit=3)[3].rpartition(" (face ")[0]).stem: row.split()[0] for row in rows}
    assert len(faces) == 4
    assert "1 face in 1 photo" in run(capsys, "people", "split", "Barack Obama", faces["obama-congress"])[0]
    assert "3 faces" in run(capsys, "people", "is", "Barack Obama", faces["obama"])[0]
    assert "4 faces" in run(capsys, "people", "is", "Barack Obama", faces["obama-congress"])[0]
    assert "noted: 1 face not Barack Obama" in run(capsys, "people", "not", "Barack Obama", faces["obama-standing"])[0]
    assert "6 faces" in run(capsys, "people", "merge", str(other), "Barack Obama")[0]
    photos = run(capsys, "search", "--person", "Barack Obama")[0].splitlines()
    assert len(photos) == 6
    page = tmp_path / "people.html"
    out, _ = run(capsys, "people", "--html", page)
    assert "Barack Obama" in out
    assert "<h2>Barack Obama</h2>" in page.read_text()


def test_photos_of_several_people(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two names find the photos that show both people."""
    for line in run(capsys, "people", "--json")[0].splitlines():
        person = json.loads(line)
        stem = Path(person["example"]["photo"]).stem
        name = "A" if stem.startswith("obama") else "B" if "biden" in stem else "C"
        run(capsys, "people", "name", str(person["number"]), name)
    (line,) = run(capsys, "search", "--person", "A", "--person", "B")[0].splitlines()
    assert Path(line.split()[-1]).name == "biden-and-obama.jpg"
    assert "no photo shows all of them" in run(capsys, "search", "--person", "A", "--person", "C")[1]
    assert "called 'D'" in run(capsys, "search", "--person", "D", code=1)[1]


def test_export(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and CSV hold the same, a line per face."""
    lines = [json.loads(line) for line in run(capsys, "export", "--embeddings")[0].splitlines()]
    rows = list(csv.DictReader(io.StringIO(run(capsys, "export", "--format", "csv", "--embeddings")[0])))
    assert len(lines) == len(rows) == 10
    for line, row in zip(lines, rows, strict=True):
        assert row["photo"] == line["photo"]
        assert float(row["x1"]) == line["bounding_box"][0]
        assert float(row["nose_y"]) == line["landmarks"][2][1]
        assert [float(row[f"e{index}"]) for index in range(512)] == line["embedding"]
        assert abs(sum(number**2 for number in line["embedding"]) - 1) < 1e-4


def test_forget(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A person, a photo, and everything can be deleted; the files, too."""
    run(capsys, "people")
    assert run(capsys, "forget", "1")[0].startswith("forgotten: ")
    assert "1 photo and 1 face" in run(capsys, "forget", "--photo", PHOTOS / "biden.jpg")[0]
    assert "is not in the gallery" in run(capsys, "forget", "--photo", PHOTOS / "biden.jpg", code=1)[1]
    run(capsys, "forget", "--all")
    assert not list(gallery.parent.iterdir())
    assert "there is no gallery here; faceie index makes one" in run(capsys, "people", code=1)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["index"], "no folder was given"),
        (["search"], "either a photo or --person"),
        (["search", "a.jpg", "--person", "A"], "either a photo or --person"),
        (["search", "a.jpg", "--min-probability", "2"], "expected 0 to 1"),
        (["forget"], "expected a person, --photo or --all"),
        (["forget", "A", "--all"], "expected a person, --photo or --all"),
        (["index", "x", "--workers", "0"], "workers is 0"),
    ],
)
def test_wrong_command_lines(
    gallery: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Arguments that do not fit together are an error, with the exit code of a wrong command line."""
    assert message in run(capsys, *arguments, code=2)[1]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupted_index(tmp_path: Path) -> None:
    """Ctrl-C ends the run with the usual exit code and a message. The gallery stays intact."""
    album, file = tmp_path / "album", tmp_path / "g.faceie"
    album.mkdir()
    for number in range(200):
        (album / f"{number:03}.jpg").write_bytes((PHOTOS / "astronaut.jpg").read_bytes() + bytes([number]))
    with running("index", album, "--gallery", file, "--workers", "2") as process:
        deadline = time.monotonic() + 50
        while not (file.exists() and file.with_name(file.name + "-wal").exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=20)
    assert process.returncode == 130, messages
    assert b"Run the same command again to continue" in messages
    assert faceie("index", "--errors", "--gallery", file).returncode == 0


def test_page_of_a_reader_who_left(gallery: Path, tmp_path: Path) -> None:
    """The page is written even if the reader of the list has closed the pipe."""
    for number, command in enumerate((["search", PHOTOS / "obama.jpg"], ["people"])):
        page = tmp_path / f"{number}.html"
        with running(*command, "--gallery", gallery, "--html", page) as process:
            assert process.stdout is not None
            process.stdout.close()
            process.wait(60)
        assert page.read_text("utf-8").endswith("</html>\n")


def test_no_cluster_is_large_enough(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the number of faces that was asked for."""
    assert "no clusters of at least 99 faces" in run(capsys, "people", "--gallery", gallery, "--min-faces", "99")[1]


def test_undo(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last actions are listed, and taken back one by one, or several at once."""
    assert "no action to undo" in run(capsys, "people", "undo", "--list")[1]
    assert "no action to undo" in run(capsys, "people", "undo", code=1)[1]
    run(capsys, "people", "is", "Anna", "1")
    run(capsys, "people", "is", "Ben", "2", "3")
    run(capsys, "people", "name", "Ben", "Bert")
    listed = run(capsys, "people", "undo", "--list")[0].splitlines()[1:]
    assert [line.split(maxsplit=4)[2:] for line in listed] == [
        ["name", "0", "Bert, Ben"],
        ["confirm", "2", "Bert"],
        ["confirm", "1", "Anna"],
    ]
    assert re.match(
        r"undone: name of 20\d\d-\d\d-\d\d \d\d:\d\d, 0 faces \(Bert, Ben\)\n", run(capsys, "people", "undo")[0]
    )
    assert run(capsys, "people", "undo", "2")[0].count("undone: confirm") == 2
    assert not [line for line in run(capsys, "export")[0].splitlines() if json.loads(line)["name"]]


def photo_of(gallery: Path, capsys: pytest.CaptureFixture[str], name: str) -> int:
    """Return the id of the first face in a photo."""
    lines = map(json.loads, run(capsys, "export")[0].splitlines())
    return next(int(line["id"]) for line in lines if Path(line["photo"]).name == name)


def test_yes_to_a_cluster(gallery: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cluster becomes a person by its number; unknown clusters, faces and people are errors."""
    one = json.loads(run(capsys, "people", "--json")[0].splitlines()[0])
    run(capsys, "people", "is", "Anna", str(photo_of(gallery, capsys, "astronaut.jpg")))
    out = run(capsys, "people", "yes", str(one["number"]), "Anna")[0]
    assert out == f"noted: {one['number']}, {one['faces']} faces, is Anna\n"
    assert "there is no cluster" in run(capsys, "people", "yes", str(one["number"]), "Anna", code=1)[1]
    assert "there is no face 999" in run(capsys, "people", "no", "face999", "Anna", code=1)[1]
    assert "called 'Zoe'" in run(capsys, "people", "no", "face1", "Zoe", code=1)[1]
    assert "is Anna already" in run(capsys, "people", "yes", "anna", "Anna", code=2)[1]


def test_ignored_cover_and_birth(gallery: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Faces are ignored, listed and taken back; a person has a cover and a date of birth."""
    face = str(photo_of(gallery, capsys, "astronaut.jpg"))
    assert "no face is ignored" in run(capsys, "people", "ignored")[1]
    assert face in run(capsys, "people", "faces", "--unassigned")[0] or run(capsys, "people")
    run(capsys, "people", "ignore", face, "--not-a-face")
    assert re.search(
        rf"^ +{face}  not a face  yes   /.*astronaut\.jpg \(face 1\)$", run(capsys, "people", "ignored")[0], re.M
    )
    assert face not in [line.split()[0] for line in run(capsys, "people", "faces", "--unassigned")[0].splitlines()]
    page = tmp_path / "found.html"
    run(capsys, "search", PHOTOS / "astronaut.jpg", "--html", page)
    assert "astronaut.jpg</a>" not in page.read_text()
    assert run(capsys, "people", "unignore", face)[0] == "no longer ignored: 1 face\n"
    run(capsys, "people", "is", "Eileen", face)
    run(capsys, "people", "cover", "Eileen", face)
    assert run(capsys, "people", "born", "Eileen", "1956-11")[0] == "noted: Eileen was born in 1956-11\n"
    assert json.loads(run(capsys, "people", "--json")[0].splitlines()[0])["born"] == "1956-11"
    assert "unknown time" in run(capsys, "people", "born", "Eileen", "unknown")[0]
    assert "expected a date" in run(capsys, "people", "born", "Eileen", "soon", code=2)[1]
    assert "expected a name, the number" in run(capsys, "people", "faces", code=2)[1]
    assert "expected a name, the number" in run(capsys, "people", "faces", "Eileen", "--unassigned", code=2)[1]
    assert "expected 1 or more" in run(capsys, "people", "undo", "0", code=2)[1]


def test_search_by_several_photos(gallery: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """They are one probe, which is not the same as each alone; dates leave photos out."""
    both = [PHOTOS / "obama.jpg", PHOTOS / "obama-congress.jpg"]
    out, _ = run(capsys, "search", *both, "--html", tmp_path / "found.html")
    assert {Path(line.split()[-1]).name for line in out.splitlines()[1:3]} == {"obama.jpg", "obama-congress.jpg"}
    assert out != run(capsys, "search", both[0])[0]
    assert "photographed then" in run(capsys, "search", *both, "--since", "2999")[1]
    assert "single photo" in run(capsys, "search", *both, "--face", "1", code=2)[1]
    assert "expected a date" in run(capsys, "search", both[0], "--until", "June", code=2)[1]


def test_a_forgotten_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The next run leaves it out, and says so, until it is asked for."""
    album, file = tmp_path / "album", tmp_path / "g.faceie"
    album.mkdir()
    shutil.copy(PHOTOS / "astronaut.jpg", album)
    options = ("--gallery", file, "--workers", "1")
    run(capsys, "index", album, *options)
    run(capsys, "forget", "--photo", album / "astronaut.jpg", "--gallery", file)
    assert "0 new photos, 0 known, 1 forgotten" in run(capsys, "index", album, *options)[0]
    assert "1 new photo, 0 known" in run(capsys, "index", album, "--forgotten", *options)[0]
