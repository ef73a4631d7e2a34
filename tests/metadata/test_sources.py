"""The sources of names for a photo: their order, and sources that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faceie.metadata.sources import NameReader, PhotoNames

from .packets import bag, extended, mixed, mwg, packet, photo

BOX = (0.5, 0.5, 0.2, 0.2)


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Picasa is not installed."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))


def region(name: str, more: str = "") -> bytes:
    return packet(mwg([mixed(name, BOX)]), more)


def people(*names: str) -> bytes:
    return packet(f"<Iptc4xmpExt:PersonInImage>{bag(names)}</Iptc4xmpExt:PersonInImage>")


def read(path: Path) -> PhotoNames:
    return NameReader([path]).read(path)


def test_first_to_last(tmp_path: Path) -> None:
    """The sidecar with the whole name, the one with the stem, the photo, Picasa: the first one with regions counts."""
    path = photo(tmp_path / "a.jpg", region("embedded"))
    ini = tmp_path / ".picasa.ini"
    ini.write_text("[Contacts2]\nab=Picasa;;\n[A.JPG]\nfaces=rect64(3f845bcb59418507),ab;\n")
    sources = {tmp_path / "a.jpg.xmp": region("whole"), tmp_path / "a.xmp": region("stem")}
    for sidecar, content in sources.items():
        sidecar.write_bytes(content)
    found = []
    for sidecar in (*sources, path, ini):
        (one,) = read(path).regions
        found.append(one.name)
        if sidecar == path:
            photo(path)
        else:
            sidecar.unlink()
    assert found == ["whole", "stem", "embedded", "Picasa"]
    assert read(path) == (read(path).frame, [], [], [])


def test_names_of_sidecars_in_other_cases(tmp_path: Path) -> None:
    path = photo(tmp_path / "A.JPG")
    (tmp_path / "a.jpg.XMP").write_bytes(region("Anna"))
    assert [one.name for one in read(path).regions] == ["Anna"]


def test_regions_and_names_count_by_themselves(tmp_path: Path) -> None:
    """A sidecar with keywords does not hide the regions in the photo. One with people hides the photo's names."""
    path = photo(tmp_path / "a.jpg", packet(mwg([mixed("Anna", BOX)]) + f"<lr:hierarchicalSubject>{bag(['People|Old'])}"
                                            "</lr:hierarchicalSubject>"))  # fmt: skip
    (tmp_path / "a.jpg.xmp").write_bytes(people("New"))
    (tmp_path / "a.jpg.json").write_text(json.dumps({"people": [{"name": "Google"}]}))
    found = read(path)
    assert [one.name for one in found.regions] == ["Anna"]
    assert found.names == ["New", "Google"]


@pytest.mark.parametrize("broken", [b"", b"<x", b"<!DOCTYPE x><x/>", b"\xff" * 100])
def test_a_broken_source_hides_nothing(tmp_path: Path, broken: bytes) -> None:
    """What cannot be read is told with its path, and the next source counts."""
    path = photo(tmp_path / "a.jpg", region("Anna"))
    (tmp_path / "a.jpg.xmp").write_bytes(broken)
    (tmp_path / "a.jpg.json").write_text("{")
    found = read(path)
    assert [one.name for one in found.regions] == ["Anna"]
    assert [problem.path.name for problem in found.problems] == ["a.jpg.xmp", "a.jpg.json"]
    assert all(problem.reason for problem in found.problems)


def test_a_damaged_extension_hides_nothing(tmp_path: Path) -> None:
    """Of an extended packet without all of its parts, the main packet counts, and the damage is told."""
    guid = b"0123456789ABCDEF" * 2
    main = region("Anna", f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{guid.decode()}"')
    found = read(extended(tmp_path / "a.jpg", main, packet("<dc:title>x</dc:title>")[:-50], guid))
    assert [one.name for one in found.regions] == ["Anna"]
    assert "not valid XML" in found.problems[0].reason


def test_a_photo_that_is_none(tmp_path: Path) -> None:
    """A missing or broken photo is told."""
    (tmp_path / "a.jpg").write_text("no photo")
    (tmp_path / "a.jpg.xmp").write_bytes(region("Anna"))
    reader = NameReader([tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "missing" / "c.jpg"])
    for name in ("a.jpg", "b.jpg", "missing/c.jpg"):
        found = reader.read(tmp_path / name)
        assert (found.regions, found.names) == ([], [])
        assert [problem.path for problem in found.problems] == [tmp_path / name]
    assert [problem.path for problem in reader.problems] == [tmp_path / "missing"]


def test_two_photos_of_one_stem(tmp_path: Path) -> None:
    """A sidecar with the stem belongs to a RAW file and its JPEG; of two developed photos, it is left alone."""
    path = photo(tmp_path / "a.jpg")
    sidecar = tmp_path / "a.xmp"
    sidecar.write_bytes(region("Anna"))
    (tmp_path / "a.cr2").write_bytes(b"")
    assert [one.name for one in read(path).regions] == ["Anna"]
    sidecar.write_bytes(region("Anna", 'photoshop:SidecarForExtension="CR2"'))
    assert [one.name for one in read(path).regions] == ["Anna"]
    (tmp_path / "a.cr2").unlink()
    sidecar.write_bytes(region("Anna"))
    other = photo(tmp_path / "a.png")
    for one in (path, other):
        found = read(one)
        assert found.regions == []
        assert "may belong to a.jpg or to a.png" in found.problems[0].reason
    sidecar.write_bytes(region("Anna", 'photoshop:SidecarForExtension="PNG"'))
    assert read(path) == (read(path).frame, [], [], [])
    assert [one.name for one in read(other).regions] == ["Anna"]


def test_contacts_of_other_folders(tmp_path: Path) -> None:
    """Picasa writes names into one folder that it leaves out in another."""
    paths = []
    for number, contacts in enumerate(["ab=Anna;;", ""]):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(photo(folder / "a.jpg"))
        text = f"[Contacts2]\n{contacts}\n[a.jpg]\nfaces=rect64(3f845bcb59418507),ab;rect64(3f845bcb59418507),cd;\n"
        (folder / "Picasa.ini").write_text(text)
    reader = NameReader(paths)
    assert [[one.name for one in reader.read(path).regions] for path in paths] == [["Anna"], ["Anna"]]


def test_a_huge_folder(tmp_path: Path) -> None:
    """The files of Takeout are found in a folder of thousands, in no time."""
    paths = [tmp_path / f"IMG_{i:05}.jpg" for i in range(2000)]
    photo(paths[0])
    for path in paths:
        path.write_bytes(paths[0].read_bytes()) if path != paths[0] else None
        path.with_name(f"{path.name}.supplemental-metad.json").write_text('{"people": [{"name": "Anna"}]}')
    reader = NameReader(paths)
    assert all(reader.read(path).names == ["Anna"] for path in paths)
