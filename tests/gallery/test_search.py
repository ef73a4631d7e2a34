"""Search by a photo, an embedding, or the names of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceie import Gallery, ImageError, OptionError, distance, same_person_probability

from ..conftest import PHOTOS
from .conftest import QUICK, face_of, needs_weights, person, put, small


def test_search_by_embedding(gallery: Gallery) -> None:
    """Distances and probabilities are those of the functions of that name; the most alike comes first."""
    for v in range(6):
        put(gallery, f"/{v}.jpg", face_of(1, v), face_of(2, v))
    probe = face_of(1, 99)
    found = gallery.search(probe, limit=None, prior=0.1)
    assert len(found) == 12
    for match in found:
        exact = float(distance(probe, gallery.embedding(match.face.id)))
        assert abs(match.distance - exact) < 1e-6
        assert match.probability is not None
        assert abs(match.probability - same_person_probability(match.distance, prior=0.1)) < 1e-9
    assert [match.distance for match in found] == sorted(match.distance for match in found)
    assert {match.face.number for match in found[:6]} == {1}
    assert len(gallery.search(probe, limit=3)) == 3
    assert len(gallery.search(probe, min_probability=0.5)) == 6


def test_weights_that_nobody_has_calibrated(gallery: Gallery) -> None:
    """There is a distance, and no probability."""
    put(gallery, "/a.jpg", person(1))
    gallery._store.db.execute("DELETE FROM settings WHERE name = 'calibration'")
    (match,) = gallery.search(person(1), min_probability=0.9)
    assert match.probability is None
    assert match.path == Path("/a.jpg")


@pytest.mark.parametrize("probe", [np.zeros(512, np.float32), np.ones(512), np.ones(3, np.float32)])
def test_what_is_no_embedding(gallery: Gallery, probe: np.ndarray) -> None:
    """An array of other numbers is refused with its shape and length."""
    with pytest.raises(OptionError, match=r"expected an embedding, \(512,\) of length 1"):
        gallery.search(probe)


def test_wrong_options(gallery: Gallery) -> None:
    """Invalid limits, and a search for the photos of no one, are refused."""
    with pytest.raises(OptionError, match="limit is 0"):
        gallery.search(person(1), limit=0)
    with pytest.raises(OptionError, match="whose photos"):
        gallery.photos_of()
    assert gallery.search(person(1)) == []


def test_photos_of_people(gallery: Gallery) -> None:
    """Of several people, the photos that show all of them; the oldest first, those without a date before."""
    both = put(gallery, "/both.jpg", face_of(1, 1), face_of(2, 1), taken="2020-01-01T00:00:00")
    old = put(gallery, "/old.jpg", face_of(1, 2), taken="1999-01-01T00:00:00")
    none = put(gallery, "/none.jpg", face_of(1, 3))
    gallery.confirm("Anna", [both[0], *old, *none])
    gallery.confirm("Ben", both[1:])
    assert [one.path.name for one in gallery.photos_of("Anna")] == ["none.jpg", "old.jpg", "both.jpg"]
    (together,) = gallery.photos_of("Ben", "Anna")
    assert (together.path.name, together.taken, len(together.faces)) == ("both.jpg", "2020-01-01T00:00:00", 2)


@needs_weights
def test_search_by_photo(path: Path, small_photos: Path, tmp_path: Path) -> None:
    """The photo itself comes first; a photo without a face is refused."""
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([small_photos], workers=1)
        first, *_ = gallery.search(small_photos / "biden.jpg")
        assert first.path.name == "biden.jpg"
        assert first.distance < 1e-3
        probe = gallery.probe(small_photos / "obama.jpg", face=1)
        assert gallery.search(probe)[0].path.name == "obama.jpg"
        assert probe.thumbnail.startswith(b"\xff\xd8")
        with pytest.raises(ImageError, match="no face was found"):
            gallery.search(np.zeros((90, 90, 3), np.uint8))
        with pytest.raises(OptionError, match="face is 9, expected 1 to"):
            gallery.probe(small_photos / "obama.jpg", face=9)


@needs_weights
def test_a_probe_of_several_faces(path: Path, tmp_path: Path) -> None:
    """Of a photo of two people the larger face counts, or the one that is asked for; how many there are is told."""
    both = Image.new("RGB", (500, 250), "white")
    with Image.open(PHOTOS / "astronaut.jpg") as one, Image.open(PHOTOS / "obama-congress.jpg") as two:
        both.paste(one.convert("RGB").crop((120, 0, 340, 240)).resize((220, 240)), (0, 0))
        both.paste(two.convert("RGB").crop((80, 60, 440, 500)).resize((120, 147)), (300, 50))
    both.save(tmp_path / "both.png")
    small("obama-congress.jpg", tmp_path / "album" / "two.jpg")
    small("astronaut.jpg", tmp_path / "album" / "one.jpg")
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([tmp_path / "album"], workers=1)
        probe = gallery.probe(tmp_path / "both.png")
        assert probe.faces == 2
        assert gallery.search(probe)[0].path.name == "one.jpg"
        assert gallery.search(tmp_path / "both.png")[0].path.name == "one.jpg"
        assert gallery.search(np.asarray(both))[0].path.name == "one.jpg"
        other = gallery.probe(tmp_path / "both.png", face=3 - probe.number)
        assert (other.number, other.faces) == (3 - probe.number, 2)
        assert gallery.search(other)[0].path.name == "two.jpg"
        assert gallery.search(other, limit=1, min_probability=0.9)[0].path.name == "two.jpg"
        assert gallery.search(other, prior=1e-9, min_probability=0.9999) == []


@pytest.mark.parametrize("prior", [0, 1, -0.1, 2])
def test_a_prior_is_a_probability(gallery: Gallery, prior: float) -> None:
    """A number that is not a probability is refused."""
    put(gallery, "/a.jpg", person(1))
    with pytest.raises(OptionError, match=f"prior is {prior}, expected"):
        gallery.search(person(1), prior=prior)
