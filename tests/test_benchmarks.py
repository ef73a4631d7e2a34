"""The programs of benchmarks/ that measure accuracy run on a folder in the layout of their datasets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import Cohort

from .conftest import PHOTOS, ROOT

NAMES = {"Barack_Obama": ["obama", "obama-congress", "obama-standing"], "Joe_Biden": ["biden"], "E_C": ["astronaut"]}
PAIRS = ["Barack_Obama\t1\t2", "Barack_Obama\t1\tJoe_Biden\t1", "Barack_Obama\t2\t3", "Joe_Biden\t1\tE_C\t1"]


def run(program: str, *arguments: str | Path) -> str:
    command = [sys.executable, ROOT / "benchmarks" / program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def lfw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the layout of LFW, with a file of pairs, one of which has no photos."""
    folder = tmp_path_factory.mktemp("lfw")
    for person, photos in NAMES.items():
        (folder / person).mkdir()
        for number, photo in enumerate(photos, 1):
            image = Image.open(PHOTOS / f"{photo}.jpg")
            image.thumbnail((400, 400))
            image.save(folder / person / f"{person}_{number:04}.jpg")
    (folder / "pairs.txt").write_text("\n".join(["2\t1", *PAIRS, "Nobody\t1\t2"]) + "\n")
    return folder


@pytest.mark.parametrize("options", [[], ["--mirror", "--margin", "14"]], ids=["plain", "mirror"])
def test_lfw(options: list[str], lfw: Path) -> None:
    """All pairs are told apart; a pair without photos is left out."""
    output = run("lfw.py", lfw, "--pairs", lfw / "pairs.txt", *options)
    assert re.search(r"^4 pairs: accuracy 1\.0000 .* true accept rate 1\.0000 ", output, re.MULTILINE), output
    assert (", mirror:" in output) == bool(options)


def test_calibrate(lfw: Path) -> None:
    """The constants are printed, computed from all pairs of photos."""
    output = run("calibrate.py", lfw, "--pairs", lfw / "pairs.txt")
    assert output.startswith("vggface2: 3 pairs of one person, 7 of two\neven ")
    even = float(output.split()[10].rstrip(","))
    assert 0.6 < even < 1.3


def test_truth(lfw: Path, tmp_path: Path) -> None:
    """All pairs are told apart, and each person is a cluster."""
    output = run("truth.py", lfw, "--family", lfw, "--strangers", "1", "--cache", tmp_path)
    assert output.startswith("5 faces of 3 people")
    assert output.count("| 1.0000 (1.000-1.000) " * 4) == 3, output
    assert "| family | 1.000 | 1.000 | 1.0000 (1.000-1.000) | - | 0.400 | 0 of 5 |" in output
    assert "| all | 1.000 | 1.000 | 1.0000 (1.000-1.000) | - | 0.400 | 0 of 5 |" in output


def test_choices(lfw: Path, tmp_path: Path) -> None:
    """Each kind of crop has a row, with its differences to the defaults; embeddings are read from the cache."""
    output = run("choices.py", lfw, "--cache", tmp_path, "--only", "margin 32", "and mirrored")
    assert "5 faces of 3 people" in output
    assert re.search(r"^\| the defaults \| 1 \| \d+\.\d\d( \| 1\.0000){4} \|$", output, re.MULTILINE), output
    equal = re.escape(" | 1.0000, +0.0000 (+0.0000 to +0.0000)" * 4)
    for name, encodings in (("margin 32", 1), ("and mirrored", 2)):
        assert re.search(rf"^\| {name} \| {encodings} \| \d+\.\d\d{equal} \|$", output, re.MULTILINE), output
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run("choices.py", lfw, "--cache", tmp_path, "--only", "margin 32", "and mirrored") == output
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == kept


def test_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """People who resemble many are the first group, have more false matches, and fewer after normalization."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from groups import measure, tenths
    from truth import Faces

    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(400), 2)
    centers = rng.standard_normal((400, 512)) + 0.5 * (np.arange(400) < 40)[:, None] * rng.standard_normal(512)
    embeddings = centers[people] + 0.5 * rng.standard_normal((800, 512))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    faces = Faces(embeddings, np.ones(800, np.float32), people)
    known = people % 2 == 0
    group = tenths(faces, known)
    assert set(group[::2]) == {-1}
    assert set(np.flatnonzero(group == 0)) == set(range(1, 40, 2))
    assert (np.bincount(group[1::2]) == 20).all()
    offsets = Cohort(embeddings[known], people[known]).offsets(embeddings, people)
    plain, normalized = (measure(faces, o, group, 0.01, [1, 2]) for o in (np.zeros_like(offsets), offsets))
    assert plain.shape == normalized.shape == (3, 3, 10)
    assert plain[0, 0, 0] > 5
    assert plain[0, 1, 0] > 50  # most false matches are within this tenth
    assert normalized[0, 1, 0] < 0.8 * plain[0, 1, 0]
    assert normalized[0, 2] == pytest.approx(np.ones(10))


@pytest.fixture(scope="module")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the layout of WIDER FACE."""
    folder = tmp_path_factory.mktemp("wider")
    truth = {}
    for name, box in (("astronaut", [181, 62, 87, 110]), ("biden", [195, 78, 131, 178])):
        (folder / name).mkdir()
        (folder / name / "1.jpg").write_bytes((PHOTOS / f"{name}.jpg").read_bytes())
        invalid = {"bbox": [0, 0, 30, 30], "invalid": 1}
        truth[f"{name}/1.jpg"] = {"faces": [{"bbox": box, "invalid": 0}, invalid]}
    (folder / "faces.json").write_text(json.dumps(truth))
    return folder


def test_wider(wider: Path) -> None:
    """Both faces are found, upright and turned."""
    output = run("wider.py", wider, "--truth", wider / "faces.json", "--turned", "0", "90", "--smallest", "20", "500")
    assert output.count("average precision 1.0000 (20 px), nan (500 px); recall 1.0000, precision 1.0000") == 2, output


def test_average_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: of three faces two are found, with a false one between; an invalid one does not count."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from wider import Finds, Known, average_precision

    at = np.arange(5)[:, None] * 100.0 + np.array([0, 0, 50, 50])
    truth = {"photo": Known(at[:4], np.array([True, True, True, False]))}
    finds = Finds(at[[0, 4, 1, 3, 0]], np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.zeros((5, 5, 2)))
    score = average_precision({"photo": finds}, truth, 20)
    # Right, wrong, right, ignored, wrong (found before): precision 1 up to recall 1/3, then 2/3 up to 2/3.
    assert score.average_precision == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    assert score.recall == pytest.approx(2 / 3)
    assert score.precision == pytest.approx(2 / 4)


def test_tones(wider: Path) -> None:
    """Both faces are found again in dark, faded and color-lit copies, and no ordinary photo is searched twice."""
    output = run("tones.py", wider, "--wider", wider, "--truth", wider / "faces.json")
    assert "2 photos, 2 faces" in output
    assert re.search(r"^\| brightness 0\.04 \| 2 \| \d \| 2 \|", output, re.MULTILINE), output
    assert re.search(r"^\| undegraded, 2 photos \| 0 \| 0 \|", output, re.MULTILINE), output


def test_credibility(wider: Path) -> None:
    """The upright search and four sets of properties have a row each, then the coefficients are printed."""
    output = run("credibility.py", wider, "--truth", wider / "faces.json")
    assert output.count(" 1.0000 | 1.0000 | 1.0000 | 1.000 |") == 5, output
    coefficients = json.loads(output.splitlines()[-1].removeprefix("coefficients:"))
    assert len(coefficients) == 4


def test_quality(lfw: Path) -> None:
    """Four qualities have a row each; without rejected faces, all have the same rate."""
    for options in ([], ["--degraded"]):
        output = run("quality.py", lfw, *options)
        rates = re.findall(r"^\| (?:`qualities`|size|norm|`qualities` and norm) \| (\S+)", output, re.MULTILINE)
        assert len(rates) == 4, output
        assert len(set(rates)) == 1


def test_names(wider: Path, lfw: Path) -> None:
    """Nothing is found where no face is, and names of albums end on the right faces."""
    output = run("names.py", "search", wider, "--truth", wider / "faces.json")
    assert re.search(r"^\d+ missed faces: ", output, re.MULTILINE), output
    assert re.search(r"^\d regions without a face: 0 found$", output, re.MULTILINE), output
    output = run("names.py", "albums", lfw, lfw / "E_C")
    assert re.search(r"^all is named: .* of \d+ faces named, 0 of \d+ names wrong$", output, re.MULTILINE), output
