"""The page in a real browser: ten thousand faces, a server that is killed, and real photos."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceie import Gallery

from ..conftest import PHOTOS
from ..gallery.conftest import QUICK, an_analysis, needs_weights, units
from .conftest import picture
from .sites import FACES, Site, until, wait_for

# Ten thousand faces


def test_ten_thousand_faces(browser: Any, tmp_path: Path) -> None:
    """A person with 10,000 faces is shown page by page, and pictures are loaded when they are scrolled to."""
    path, thumbnail = tmp_path / "large.faceie", picture(3)
    with Gallery(path, options=QUICK) as gallery:
        store, embeddings = gallery._store, units(100)
        with store.transaction():
            for number in range(10_000):
                photo = store.put_photo(
                    number.to_bytes(4, "big"), an_analysis(embeddings[number % 100], thumbnail=thumbnail)
                )
                store.put_file(f"/photos/{number:05}.jpg", photo, 1, 1)
            person = store.people.insert("Anna")
            store.people.assign((face, person) for face in store.faces.ids())
            store.set("clustered", store.revision())
    site = Site(browser, path)
    try:
        page = site.open(f"/people/{person}")
        assert "10,000 faces" in page.inner_text("main")
        seen = set[str]()
        for number in (1, 2, 50):
            page.goto(site.url(f"/people/{person}?page={number}"))
            faces = page.locator(f"{FACES} li")
            assert faces.count() == 200
            last = page.locator(f"{FACES} li img").last
            assert not last.evaluate("image => image.complete && image.naturalWidth > 0")
            last.scroll_into_view_if_needed()
            until(last, "image => image.complete && image.naturalWidth > 0")
            seen.update(faces.locator("[type=checkbox]").evaluate_all("all => all.map(one => one.value)"))
        assert len(seen) == 600
        assert not site.reports
    finally:
        site.close()


# A server that is killed


def test_killed_in_the_middle(browser: Any, tmp_path: Path) -> None:
    """Of an action that a kill interrupts, all or nothing is done, and the page says that it has ended."""
    path, pairs, faces = tmp_path / "site.faceie", 60, 20
    with Gallery(path, options=QUICK) as gallery:
        store, embeddings = gallery._store, units(2 * pairs * faces)
        with store.transaction():
            for number in range(2 * pairs):
                rows = embeddings[number * faces : (number + 1) * faces]
                photo = store.put_photo(number.to_bytes(4, "big"), an_analysis(*rows, thumbnail=picture(number)))
                store.put_file(f"/photos/{number:03}.jpg", photo, 1, 1)
                cluster = store.people.insert()
                store.people.assign((face, cluster) for face in store.faces.of_photo(photo))
            store.set("clustered", store.revision())
    command = [sys.executable, "-m", "faceie", "browse", "--no-open", "--gallery", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        page = browser.new_page()
        page.goto(process.stdout.readline().strip())
        page.evaluate(
            """pairs => {
                window.merged = 0;
                const merge = async (number) => {
                    const fields = new URLSearchParams([["person", 2 * number + 1], ["person", 2 * number + 2]]);
                    await fetch("/people/merge", { method: "POST", body: fields });
                    window.merged += 1;
                };
                (async () => { for (let number = 0; number < pairs; number++) await merge(number); })().catch(() => 0);
            }""",
            pairs,
        )
        until(page, "window.merged >= 7")
        process.kill()
        process.wait()
        merged = page.evaluate("window.merged")
        page.locator("main input[name=name]").first.fill("Anna")
        page.keyboard.press("Enter")
        wait_for(page, "The page has ended")
        page.close()
    with Gallery(path, options=QUICK) as gallery:
        sizes = {person.number: person.faces for person in gallery.people(cluster=False)}
        whole = sum(size == 2 * faces for size in sizes.values())
        assert merged <= whole <= merged + 1
        assert set(sizes.values()) == {faces, 2 * faces}
        assert len(sizes) == 2 * pairs - whole
        assert len(gallery.actions()) == min(whole, 20)
        assert gallery._store.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        gallery.undo()
        assert len(gallery.people(cluster=False)) == len(sizes) + 1


# Photos: these tests detect and encode faces


@pytest.fixture(scope="module")
def photos(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page of a gallery of two real photos."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("obama.jpg", "biden.jpg"):
        shutil.copyfile(PHOTOS / name, folder / name)
    path = folder / "site.faceie"
    with Gallery(path, options=QUICK) as gallery:
        gallery.index([folder], workers=1)
        gallery.cluster()
        obama = next(face for face in gallery.faces() if face.path.name == "obama.jpg")
        gallery.confirm("Barack", [obama.id])
        gallery._store.history.forget()
    site = Site(browser, path)
    yield site
    site.close()


@needs_weights
def test_search_by_dropping_a_photo(photos: Site) -> None:
    """A photo that is dropped anywhere on the page is searched, and not stored."""
    page, before = photos.open("/people"), sorted(photos.path.parent.iterdir())
    page.evaluate(
        """async content => {
            const bytes = Uint8Array.from(atob(content), one => one.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "party.jpg", { type: "image/jpeg" }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
        }""",
        base64.b64encode((PHOTOS / "obama-congress.jpg").read_bytes()).decode(),
    )
    page.get_by_role("heading", name="Who is this?").first.wait_for(timeout=60_000)
    page.locator("main").get_by_text("Barack").first.wait_for()
    assert sorted(photos.path.parent.iterdir()) == before
    assert not photos.reports
    page.close()


@needs_weights
def test_draw_a_box(photos: Site) -> None:
    """A box that is drawn with the mouse becomes a face with a name, which stays, and can be taken back."""
    with Gallery(photos.path) as gallery:
        before = len(gallery)
        biden = next(face for face in gallery.faces() if face.path.name == "biden.jpg")
    page = photos.open(f"/photo?face={biden.id}")
    box = page.locator("figure.picture").bounding_box()
    left, top, side = box["x"] + 5, box["y"] + 5, 60
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + side / 2, top + side / 2)
    page.mouse.move(left + side, top + side)
    page.mouse.up()
    assert page.evaluate("document.activeElement.name") == "name"
    page.keyboard.type("Flag")
    page.keyboard.press("Enter")
    wait_for(page, "Flag")
    with Gallery(photos.path) as gallery:
        assert len(gallery) == before + 1
        (drawn,) = gallery.faces_of("Flag")
    scale = page.locator("figure.picture svg").evaluate("svg => svg.getScreenCTM().a")
    assert drawn.box == pytest.approx([5 / scale, 5 / scale, 65 / scale, 65 / scale], abs=2 / scale)
    page.locator("#notice button").click()
    wait_for(page, "Taken back")
    with Gallery(photos.path) as gallery:
        assert not any(person.name == "Flag" for person in gallery.people(cluster=False))
    assert not photos.reports
    page.close()
