"""``faceie detect``: the table, JSON, pictures, crops, and photos that cannot be used."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import DetectionOptions, detect_faces, open_image
from faceie.cli import detect, main
from faceie.cli.options import add_detection_options, detection_options, face_size
from faceie.cli.parser import Parser

from ..conftest import on_disk
from .conftest import FAST, faceie, pixels

Captured = pytest.CaptureFixture[str]


def test_table(album: Path, capsys: Captured) -> None:
    """A face is a row, a photo without faces a row of dashes. The photo comes last, since its name may hold spaces."""
    photo = (album / "face.jpg").rename(album / "two words.jpg")
    assert main(["detect", str(photo), str(album / "none.png"), *FAST]) == 0
    out, err = capsys.readouterr()
    header, face, none = out.splitlines()
    assert header.split() == ["face", "probability", "x1", "y1", "x2", "y2", "roll", "photo"]
    number, probability, *corners, roll, name = face.split(maxsplit=7)
    faces = detect_faces(photo, min_face_size=60)
    assert (number, name) == ("1", str(photo))
    assert float(probability) == pytest.approx(faces.probabilities[0], abs=1e-4)
    assert [int(corner) for corner in corners] == faces.bounding_boxes[0].round().astype(int).tolist()
    assert roll == "0"
    assert none.split(maxsplit=7) == ["-"] * 7 + [f"{album / 'none.png'} (no face)"]
    assert err == ""


def test_json(album: Path, capsys: Captured) -> None:
    """A photo is an object with the results of the API. A broken photo has an error, and does not stop the others."""
    assert main(["detect", "--json", str(album), *FAST]) == 1
    out, err = capsys.readouterr()
    face, none, broken = (json.loads(line) for line in out.splitlines())
    expected = detect_faces(album / "face.jpg", min_face_size=60)
    assert (face["photo"], face["width"], face["height"]) == (str(album / "face.jpg"), 512, 512)
    assert face["faces"] == [
        {
            "probability": pytest.approx(expected.probabilities[0], abs=1e-6),
            "roll": 0,
            "bounding_box": pytest.approx(expected.bounding_boxes[0], abs=0.006),
            "landmarks": [pytest.approx(point, abs=0.006) for point in expected.landmarks[0]],
        }
    ]
    assert none == {"photo": str(album / "none.png"), "width": 120, "height": 80, "faces": []}
    assert broken.keys() == {"photo", "error"}
    assert err == f"faceie: {broken['photo']}: {broken['error']}\n"
    assert broken["photo"] == str(album / "deep" / "broken.jpg")
    assert not broken["error"].startswith(broken["photo"])


def test_bad_photos(album: Path, capsys: Captured) -> None:
    """Each unusable photo is a line on standard error. The exit code is 1, and the other photos are searched."""
    text, missing, empty = album / "text.jpg", album / "missing.jpg", album / "empty"
    text.write_text("no photo")
    empty.mkdir()
    assert main(["detect", *map(str, (text, missing, empty, album / "face.jpg")), *FAST]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert [line.split(": ")[1] for line in err.splitlines()] == [str(path) for path in (empty, text, missing)]
    assert "there is no such file" in err
    assert "there is no photo in this folder" in err


def test_too_little_memory(album: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo that does not fit into memory is a photo that cannot be used."""

    def detect_nothing(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(detect, "detect_faces", detect_nothing)
    assert main(["detect", str(album / "face.jpg")]) == 1
    assert capsys.readouterr().err == f"faceie: {album / 'face.jpg'}: there is not enough memory for this\n"


def test_draw_one(astronaut: Path, tmp_path: Path, capsys: Captured) -> None:
    """The picture differs from the photo at the box, not far from it, and has the same size."""
    out = tmp_path / "new folder" / "drawn.png"
    assert main(["detect", str(astronaut), "--draw", str(out), *FAST]) == 0
    before, after = pixels(astronaut), pixels(out)
    assert before.shape == after.shape
    changed = (before != after).any(-1)
    x1, y1, x2, y2 = detect_faces(astronaut, min_face_size=60).bounding_boxes[0].astype(int)
    assert changed[y1 : y2 + 1, x1].all()
    assert changed[y2, x1:x2].all()
    assert not changed[y2 + 20 :].any()
    assert not changed[:, x2 + 20 :].any()


def test_draw_many(album: Path, tmp_path: Path, capsys: Captured) -> None:
    """Pictures keep the names and folders of their photos. Formats that cannot be written become JPEG."""
    with Image.open(album / "none.png") as image:
        image.save(album / "deep" / "face.gif")
    out = tmp_path / "drawn"
    assert main(["detect", str(album), str(album / "face.jpg"), "--draw", str(out), *FAST]) == 1  # one is broken
    assert _files(out) == ["deep/face.jpg", "face (2).jpg", "face.jpg", "none.png"]
    for name, format in (("deep/face.jpg", "JPEG"), ("none.png", "PNG")):
        with Image.open(out / name) as image:
            assert image.format == format


def test_draw_into_existing_folder(astronaut: Path, tmp_path: Path, capsys: Captured) -> None:
    """A folder may have the name of a picture, even for a single photo."""
    out = tmp_path / "album.jpg"
    out.mkdir()
    assert main(["detect", str(astronaut), "--draw", str(out), *FAST]) == 0
    assert main(["detect", str(astronaut), "--draw", f"{tmp_path}/new.png/", *FAST]) == 0
    assert _files(tmp_path) == ["album.jpg/astronaut.jpg", "new.png/astronaut.jpg"]


@pytest.mark.parametrize(
    ("photos", "out", "message"),
    [
        (["face.jpg", "none.png"], "x.jpg", "this names one picture"),
        (["."], "x.png", "this names one picture"),
        (["face.jpg"], "x.webp", "pictures are written as .jpg or .png"),
        (["face.jpg"], "deep/../face.jpg", "this would overwrite the photo"),
    ],
)
def test_draw_refused(photos: list[str], out: str, message: str, album: Path, capsys: Captured) -> None:
    """A picture that cannot be written there is wrong usage, reported before photos are searched."""
    before = (album / "face.jpg").read_bytes()
    assert main(["detect", *(str(album / photo) for photo in photos), "--draw", str(album / out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert (album / "face.jpg").read_bytes() == before


def test_photos_are_never_overwritten(astronaut: Path, tmp_path: Path, capsys: Captured) -> None:
    """Pictures and crops in the folder of the photos get other names than the photos."""
    names = ["face.jpg", "face-1.png"]
    with Image.open(astronaut) as image:
        for name in names:
            image.save(tmp_path / name)
    before = [(tmp_path / name).read_bytes() for name in names]
    folder = str(tmp_path)
    assert main(["detect", folder, "--draw", folder, "--crops", folder, *FAST]) == 0
    assert [(tmp_path / name).read_bytes() for name in names] == before
    assert _files(tmp_path) == [
        "face (2).jpg",
        "face-1 (2).png",  # the picture of face-1.png, which comes first
        "face-1 (3).png",  # the crop of face.jpg
        "face-1-1.png",
        "face-1.png",
        "face.jpg",
    ]


def test_crops(astronaut: Path, tmp_path: Path, capsys: Captured) -> None:
    """Crops are those of the API, as PNG, under the names of the photos. Equal names get a number."""
    album, out = tmp_path / "album", tmp_path / "crops"
    album.mkdir()
    for name in ("a.jpg", "A.JPEG"):
        (album / name).write_bytes(astronaut.read_bytes())
    assert main(["detect", str(album), "--crops", str(out), "--crop-size", "100", "--margin", "10", *FAST]) == 0
    assert _files(out) == ["A-1.png", "a-1 (2).png"]
    faces = detect_faces(astronaut, min_face_size=60, crop_size=100, margin=10)
    assert faces.images is not None
    assert np.array_equal(pixels(out / "A-1.png"), np.asarray(faces.images[0]))


def test_unwritable_result(astronaut: Path, tmp_path: Path, capsys: Captured) -> None:
    """A picture that cannot be written is reported with its name."""
    (tmp_path / "file").write_text("in the way")
    assert main(["detect", str(astronaut), "--crops", str(tmp_path / "file"), *FAST]) == 1
    assert f"faceie: {astronaut}: {tmp_path / 'file'}" in capsys.readouterr().err


def test_upright(astronaut: Path, tmp_path: Path, capsys: Captured) -> None:
    """A photo with an EXIF orientation is printed and drawn upright."""
    photo, drawn = tmp_path / "turned.jpg", tmp_path / "drawn.png"
    with Image.open(astronaut) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.crop((0, 0, 512, 400)).transpose(Image.Transpose.ROTATE_90).save(photo, exif=exif, quality=95)
    assert main(["detect", "--json", str(photo), "--draw", str(drawn), *FAST]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["width"], found["height"]) == (512, 400)
    expected = detect_faces(open_image(astronaut).crop((0, 0, 512, 400)), min_face_size=60).bounding_boxes[0]
    assert found["faces"][0]["bounding_box"] == pytest.approx(expected, abs=5)
    assert open_image(drawn).size == (512, 400)


def test_rotations_in_degrees(astronaut: Path, tmp_path: Path, capsys: Captured) -> None:
    """With rotations, the table has a column of rolls in degrees."""
    photo = tmp_path / "turned.png"
    with Image.open(astronaut) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(photo)
    assert main(["detect", str(photo), "--rotations", "0", "90", "-45", *FAST]) == 0
    header, face = capsys.readouterr().out.splitlines()
    assert header.split()[6] == "roll"
    assert face.split()[6] == "90"


def test_options() -> None:
    """The options are the fields of DetectionOptions, with the same defaults; rotations are in degrees."""
    parser = Parser()
    add_detection_options(parser)
    assert detection_options(parser.parse_args([]), crops=True) == DetectionOptions()
    given = (
        "--min-face-size 30 --factor 0.8 --thresholds 0.1 0.2 0.3 --nms-overlaps 0.1 0.2 0.3 0.4 "
        "--rotations 0 180 --margin 14 --crop-size 112 --crop-filter box"
    )
    expected = DetectionOptions(30, 0.8, (0.1, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4), (0, np.pi), 112, 14, "box", False)
    assert detection_options(parser.parse_args(given.split()), crops=False) == expected


@pytest.mark.parametrize(
    ("text", "smallest", "share"), [("30", 30, 0), ("1%", 20, 0.01), ("0.5 %", 20, 0.005), ("1e2", 100, 0)]
)
def test_smallest_face(text: str, smallest: float, share: float) -> None:
    """The smallest face is given in pixels, or in per cent of the longer side."""
    assert face_size(text) == (smallest, share)


@pytest.mark.parametrize("text", ["small", "%", "1 percent", ""])
def test_wrong_smallest_face(text: str, astronaut: Path, capsys: Captured) -> None:
    """Other words are wrong usage."""
    assert main(["detect", str(astronaut), "--min-face-size", text]) == 2
    assert "expected pixels (40) or per cent (1%)" in capsys.readouterr().err


def test_option_out_of_range(astronaut: Path, capsys: Captured) -> None:
    """An option out of its range is wrong usage."""
    assert main(["detect", str(astronaut), "--factor", "2"]) == 2
    assert capsys.readouterr() == ("", "faceie: factor is 2, expected 0.1 to 0.99\n")


@pytest.mark.parametrize(
    "name", [on_disk("Familie Müller 家族.png"), "two\nlines\x1b[31m.png", os.fsdecode(b"bytes \xff.png")]
)
def test_odd_names(name: str, tmp_path: Path) -> None:
    """A photo with any name is one line on standard output, and JSON holds the name unchanged."""
    photo = tmp_path / name
    try:
        Image.new("RGB", (40, 40)).save(photo)
    except OSError:
        pytest.skip("this file system has no such names")
    table = faceie("detect", photo, "--draw", tmp_path / "drawn")
    assert (table.returncode, table.stderr) == (0, b"")
    assert table.stdout.count(b"\n") == 2
    assert b"\x1b" not in table.stdout
    found = faceie("detect", photo, "--json", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert json.loads(found.stdout)["photo"] == str(photo)
    assert (tmp_path / "drawn" / name).is_file()
    missing = faceie("detect", f"{photo}2")
    assert missing.returncode == 1
    assert missing.stderr.count(b"\n") == 1


def test_silent_when_piped(astronaut: Path) -> None:
    """Without a terminal and without errors, nothing is written to standard error."""
    result = faceie("detect", astronaut, astronaut, *FAST)
    assert (result.returncode, result.stderr) == (0, b"")
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
@pytest.mark.parametrize(("count", "expected"), [(1, False), (2, True)])
def test_progress(count: int, expected: bool, astronaut: Path) -> None:
    """On a terminal, several photos have a progress bar."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    command = [sys.executable, "-m", "faceie", "detect", *[str(astronaut)] * count, *FAST]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, check=True, timeout=30)
    os.write(theirs, b"end")
    shown = os.read(ours, 10_000)
    os.close(ours)
    os.close(theirs)
    assert (b"photo" in shown) == expected


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_damaged_and_large_photos(album: Path, capsys: Captured) -> None:
    """Options allow damaged and large photos, which are refused by default."""
    broken = str(album / "deep" / "broken.jpg")
    assert main(["detect", broken, *FAST]) == 1
    assert "truncated" in capsys.readouterr().err
    assert main(["detect", broken, "--truncated", *FAST]) == 0
    assert f"{broken} (no face)" in capsys.readouterr().out
    assert main(["detect", str(album / "face.jpg"), "--max-pixels", "1000", *FAST]) == 1
    assert "512 x 512 pixels, expected at most 1000" in capsys.readouterr().err


@pytest.mark.parametrize("degrees", [0, 90])
def test_turned_photo(degrees: int, astronaut: Path, tmp_path: Path, capsys: Captured) -> None:
    """A face in a rotated photo is found, and its roll is printed."""
    path = tmp_path / "turned.png"
    with Image.open(astronaut) as image:
        image.rotate(degrees, expand=True).save(path)
    assert main(["detect", str(path), *FAST]) == 0
    (row,) = capsys.readouterr().out.splitlines()[1:]
    assert row.split()[6] == str(degrees)
    assert main(["detect", *FAST, "--rotations", "0", "--", str(path)]) == 0
    assert "roll" not in capsys.readouterr().out
    assert main(["detect", *FAST, "--rotations", "auto", "90", "--", str(path)]) == 2
    assert "--rotations: expected auto or numbers" in capsys.readouterr().err
