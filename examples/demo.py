"""The demo: index the album beside this file, find a person in it, see who is there, and leave pages of it.

    python examples/demo.py FOLDER

writes FOLDER/search.html and FOLDER/people.html, and the gallery, FOLDER/album.faceie (default: demo).
"""

from __future__ import annotations

import sys
from pathlib import Path

from faceie import Gallery
from faceie.web import people_page, search_page
from faceie.web.pages import Group

ALBUM = Path(__file__).parent / "photos"
PROBE = ALBUM / "obama.jpg"
NAMES = {"obama.jpg": "Barack Obama", "biden.jpg": "Joe Biden", "astronaut.jpg": "Eileen Collins"}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Gallery(folder / "album.faceie") as gallery:
        report = gallery.index([ALBUM], prune=True)
        print(
            f"{report.analyzed} new photos and {report.unchanged} known, {report.faces} new faces, "
            f"{report.seconds:.1f} seconds; {len(gallery)} faces in {folder / 'album.faceie'}"
        )
        for bad in gallery.bad_photos():
            print(f"  cannot be used: {bad.path.name}: {bad.reason}")

        print(f"\nFaces like the one in {PROBE.name}:")
        probe = gallery.probe(PROBE)
        matches = gallery.search(probe, min_probability=0.5)
        for match in matches:
            print(f"  probability {match.probability:.3f}, distance {match.distance:.2f}  {match.path.name}")
        page = search_page(f"Faces like the one in {PROBE.name}", "", probe.thumbnail, matches, gallery.thumbnail)
        (folder / "search.html").write_text(page)

        print("\nPeople, as found by their faces and named by us:")
        for person in gallery.people():
            for face in gallery.faces_of(person.number):
                if person.name is None and face.path.name in NAMES:
                    gallery.name(person.number, NAMES[face.path.name])
        people = gallery.people()
        for person in people:
            print(f"  {person.name or f'cluster {person.number}'}: {person.faces} faces in {person.photos} photos")
        groups = [Group(person, gallery.faces_of(person.number)) for person in people]
        (folder / "people.html").write_text(people_page("People in the album", "", groups, gallery.thumbnail))
    print(f"\nOpen {folder / 'search.html'} and {folder / 'people.html'} in a browser.")
    program = Path(sys.executable).with_name("faceie")
    print(f"To name people and correct mistakes: {program} browse --gallery {folder / 'album.faceie'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
