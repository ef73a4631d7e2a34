"""``faceie compare``: the same person, different people, several faces, no face, and the picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import Gallery, detect_faces, encode_faces, pairwise_distances, same_person_probability
from faceie.cli import main
from faceie.cli.compare import Verdict, _rounded
from faceie.cli.options import weights_source
from faceie.facenet.loading import convert_published
from faceie.weights import registry, safetensors

from ..conftest import PHOTOS
from .conftest import FAST, needs_weights, pixels

Captured = pytest.CaptureFixture[str]

OBAMA, CONGRESS, BIDEN = (str(PHOTOS / name) for name in ("obama.jpg", "obama-congress.jpg", "biden.jpg"))


@pytest.fixture(scope="module")
def couple(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A photo of two people: Biden and Obama."""
    path = tmp_path_factory.mktemp("photos") / "couple.png"
    couple = Image.new("RGB", (909, 1000))
    for name, x in ((BIDEN, 0), (CONGRESS, 440)):
        with Image.open(name) as image:
            couple.paste(image, (x, 0))
    couple.save(path)
    return str(path)


@needs_weights
@pytest.mark.parametrize(
    ("a", "b", "same", "verdict"),
    [
        (OBAMA, CONGRESS, True, "almost certainly the same person"),
        (OBAMA, BIDEN, False, "almost certainly different people"),
    ],
    ids=["same", "different"],
)
def test_verdict(a: str, b: str, same: bool, verdict: str, capsys: Captured) -> None:
    """The distance, the verdict and the faces are printed, as text and as JSON."""
    assert main(["compare", a, b, *FAST]) == 0
    out, err = capsys.readouterr()
    assert main(["compare", a, b, "--json", *FAST]) == 0
    found = json.loads(capsys.readouterr().out)
    first, probability, rate, *sides = out.splitlines()
    assert first == f"distance {found['distance']:.2f}: {verdict}"
    boxes = [" ".join(f"{c:.0f}" for c in found[side]["faces"][0]["bounding_box"]) for side in "ab"]
    assert sides == [f"  face 1 of {photo}, box {box}" for photo, box in zip((a, b), boxes, strict=True)]
    assert err == ""
    assert found["same_person"] is same
    assert probability.startswith("  probability of the same person ")
    assert probability.endswith(", if it was 0.5 before looking")
    assert ("more than 0.999" in probability) is same
    assert found["probability"] == pytest.approx(same_person_probability(found["distance"]), abs=1e-3)
    assert rate == f"  pairs of different people that are as close: {'less' if same else 'more'} than 1 in " + (
        "10,000" if same else "100"
    )
    assert found["false_match_rate"] == ([0, 0.0001] if same else [0.01, 1])
    assert found["prior"] == 0.5
    assert found["weights"] == "vggface2"
    assert found["closest"] == [0, 0]
    assert [found[side]["photo"] for side in "ab"] == [a, b]


@needs_weights
def test_several_faces(couple: str, capsys: Captured) -> None:
    """The closest pair is named, and all distances are printed: a row per face of A, a column per face of B."""
    assert main(["compare", couple, OBAMA, "--json", *FAST]) == 0
    found = json.loads(capsys.readouterr().out)
    crops = [detect_faces(photo, min_face_size=60).images for photo in (couple, OBAMA)]
    distances = pairwise_distances(*(encode_faces(images) for images in crops if images))
    assert distances.shape == (2, 1)
    assert np.allclose(found["distances"], distances, atol=1e-4)
    obama = max((0, 1), key=lambda index: found["a"]["faces"][index]["bounding_box"][0])
    assert found["closest"] == [obama, 0]

    assert main(["compare", couple, OBAMA, *FAST]) == 0
    _, _, _, face, _, empty, header, *rows = capsys.readouterr().out.splitlines()
    assert face.startswith(f"  face {obama + 1} of {couple}, ")
    assert empty == ""
    assert header.split() == ["distances", "B", "1"]
    assert [row.split() for row in rows] == [["A", str(i + 1), f"{distances[i, 0]:.2f}"] for i in range(2)]


@needs_weights
def test_picture(couple: str, tmp_path: Path, capsys: Captured) -> None:
    """The picture shows both photos, in green for the same person and in red for different people."""
    colors = []
    for other in (OBAMA, str(PHOTOS / "astronaut.jpg")):
        out = tmp_path / "new" / "compared.png"
        assert main(["compare", couple, other, "--picture", str(out), *FAST]) == 0
        picture = pixels(out).astype(int)
        assert picture.shape[1] > picture.shape[0] > 800
        footer = picture[-60:]
        colors.append(footer[footer.sum(-1).argmax() // footer.shape[1], footer.sum(-1).argmax() % footer.shape[1]])
    green, red = colors
    assert green[1] > green[0] + 50
    assert red[0] > red[1] + 50


@needs_weights
@pytest.mark.parametrize(("photo", "message"), [("none.png", "no face was found"), ("missing.jpg", "no such file")])
def test_no_face(photo: str, message: str, album: Path, capsys: Captured) -> None:
    """A photo without a face gives a message and exit code 1."""
    assert main(["compare", OBAMA, str(album / photo), *FAST]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"faceie: {album / photo}: ")
    assert message in err


@pytest.mark.parametrize("weights", ["vgface2", "missing.safetensors", str(PHOTOS / "README.md")])
def test_bad_weights(weights: str, capsys: Captured) -> None:
    """Unusable weights end with exit code 3, before the photos are searched."""
    assert main(["compare", "a.jpg", "b.jpg", "--weights", weights]) == 3
    assert weights in capsys.readouterr().err


def other_weights(folder: Path) -> Path:
    """Write weights that are not published ones."""
    path = folder / "other.safetensors"
    tensors, _ = safetensors.read(registry.locate("vggface2", convert_published))
    name, kernel = next(iter(tensors.items()))
    safetensors.write(path, {**tensors, name: kernel * np.float32(1.5)}, {})
    return path


@needs_weights
def test_other_weights(tmp_path: Path, capsys: Captured) -> None:
    """A file of published weights is recognized by its embeddings. For other weights, there is no verdict."""
    assert main(["weights", "path", "vggface2"]) == 0
    path = capsys.readouterr().out.strip()
    assert main(["compare", OBAMA, CONGRESS, "--weights", path, *FAST]) == 0
    assert "almost certainly the same person" in capsys.readouterr().out
    other = other_weights(tmp_path)
    assert main(["compare", OBAMA, CONGRESS, "--weights", str(other), *FAST]) == 0
    assert "no verdict, since these weights have no calibration" in capsys.readouterr().out
    assert main(["compare", OBAMA, CONGRESS, "--weights", str(other), "--json", *FAST]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [found[key] for key in ("probability", "false_match_rate", "same_person")] == [None] * 3


@needs_weights
def test_prior(capsys: Captured) -> None:
    """The same distance gives a lower probability where few pairs match."""
    assert main(["compare", OBAMA, CONGRESS, "--json", "--prior", "1e-9", *FAST]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["same_person"] is False
    assert main(["compare", OBAMA, CONGRESS, "--prior", "0"]) == 2
    assert "--prior 0: expected a probability" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.999, "almost certainly the same person"),
        (0.95, "very probably the same person"),
        (0.7, "probably the same person"),
        (0.45, "undecided between the same person and different people"),
        (0.2, "probably different people"),
    ],
)
def test_words(probability: float, words: str) -> None:
    """The words depend on the probability."""
    assert str(Verdict(1.0, probability, (0, 1))) == words


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0004, "less than 0.001"), (0.0024, "0.002"), (0.82853, "0.829"), (0.9992, "more than 0.999")],
)
def test_rounded(probability: float, text: str) -> None:
    """Probabilities have three digits, and are never 0 or 1."""
    assert _rounded(probability) == text


@pytest.mark.parametrize(
    ("text", "is_path"),
    [("vggface2", False), ("vggface2.pt", True), ("./vggface2", True), ("file", True), ("folder", False)],
)
def test_weights_source(text: str, is_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An existing file, a suffix or a separator make a path. Anything else is a name, even that of a folder."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    assert weights_source(text) == (Path(text) if is_path else text)
    assert isinstance(weights_source(text), Path) is is_path


@pytest.mark.parametrize("out", ["folder", "x.webp", "x.txt", OBAMA])
def test_picture_refused(out: str, capsys: Captured) -> None:
    """The picture is a new .jpg or .png."""
    before = Path(OBAMA).read_bytes()
    assert main(["compare", OBAMA, BIDEN, "--picture", out]) == 2
    assert out in capsys.readouterr().err
    assert Path(OBAMA).read_bytes() == before


@needs_weights
def test_cohort(tmp_path: Path, capsys: Captured) -> None:
    """Only the probability changes. Galleries without clusters, or with other weights, are refused."""
    path = tmp_path / "g.faceie"
    with Gallery(path) as gallery:
        gallery.index([OBAMA, BIDEN], workers=1)
        assert main(["compare", OBAMA, BIDEN, "--cohort", str(path), *FAST]) == 1
        assert "have not been clustered. Run faceie people first." in capsys.readouterr().err
        gallery.cluster()
        assert 0 < len(gallery.cohort()) == len(gallery)
    assert main(["compare", OBAMA, BIDEN, "--prior", "0.9", "--json", *FAST]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert main(["compare", OBAMA, BIDEN, "--prior", "0.9", "--json", "--cohort", str(path), *FAST]) == 0
    among = json.loads(capsys.readouterr().out)
    assert among["probability"] == pytest.approx(alone["probability"], abs=1e-3)
    assert {**among, "probability": 0} == {**alone, "probability": 0}
    other = other_weights(tmp_path)
    assert main(["compare", OBAMA, BIDEN, "--weights", str(other), "--cohort", str(path), *FAST]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"other weights than {other} made the embeddings of this gallery, namely vggface2" in err
