"""The page in a real browser: as the user clicks, types and drops, on a wide screen and on a phone."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from faceie import Gallery
from faceie.gallery import Person
from faceie.web.server import Server

from ..conftest import PHOTOS
from ..gallery.conftest import QUICK, an_analysis, near, needs_weights, person, put, units
from .conftest import picture

_VIEWS = (
    *("/people", "/people/{anna}", "/review", "/faces/unassigned", "/faces/ignored", "/photos/unreadable", "/history"),
    *("/search", "/search?person={anna}", "/search?face=1", "/search?all=1", "/photo?face=1"),
)
_FACES = 'form[action$="/move"]'  # of the page of a person
_SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


def old(who: int, variant: int) -> Any:
    """Return the embedding of a person at another age, who is in question."""
    return near(near(person(who), 0.89, 5000 + 10 * who), 0.35, 9000 + 100 * who + variant)


def fill(path: Path) -> None:
    """Make a gallery: Anna and Ben, whom some clusters may be, other clusters, single, ignored and unreadable ones."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((640, 480)).save(file, "JPEG")
    folder = path.parent / "photos"
    folder.mkdir()

    def photo(name: str, *embeddings: Any, **about: Any) -> list[int]:
        (folder / name).write_bytes(file.getvalue())
        return put(gallery, str(folder / name), *embeddings, **about)

    with pytest.MonkeyPatch.context() as patch, Gallery(path, options=QUICK) as gallery:
        patch.setattr("faceie.gallery.settings.load", lambda source: source)
        patch.setattr("faceie.gallery.settings.answer", lambda weights: units(1)[0][:8])
        patch.setattr("faceie.gallery.settings.identify", lambda weights: "vggface2")
        gallery._weights()
        for who in range(1, 7):
            for variant in range(6):
                embedding = near(person(who), 0.35, 100 * who + variant)
                photo(f"{who}-{variant}.jpg", embedding, thumbnail=picture(who), taken=f"20{10 + variant}-06-01T12:00")
        for who in (1, 2):
            for variant in range(4):
                photo(f"old-{who}-{variant}.jpg", old(who, variant), thumbnail=picture(10 + who), taken="1999-01-01")
        group = [near(person(who), 0.4, 700 + who) for who in (1, 2, 3)]
        photo("group.jpg", *group, thumbnail=picture(1), taken="2019-01-01")
        singles = [photo(f"single-{k}.jpg", units(1, 500 + k)[0], thumbnail=picture(20 + k))[0] for k in range(5)]
        with gallery._store.transaction():
            gallery._store.put_file(str(folder / "damaged.jpg"), None, 1, 1, error="the file ends too early")
        gallery.cluster()
        gallery.name(gallery.face(1).person or 0, "Anna")
        gallery.name(gallery.face(7).person or 0, "Ben")
        gallery.ignore(singles[:2])
        gallery.cluster()
        gallery._store.history.forget()  # the tests begin here


class Site:
    """The page of a gallery, open in a browser."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.path = path
        self.reports: list[str] = []
        self.server = Server(path, report=self.reports.append)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        while not self.server.has_started:
            time.sleep(0.01)
        self.context = browser.new_context(viewport={"width": 1280, "height": 800})
        self.context.set_default_timeout(15_000)
        self.open(self.server.address).close()

    def open(self, address: str) -> Any:
        """Open a page in a new tab."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.reports.append(str(error)))
        page.on("console", lambda message: self.reports.append(message.text) if message.type == "error" else None)
        page.goto(address if "://" in address else self.url(address))
        return page

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.server.port}{path}"

    def people(self) -> dict[str, Person]:
        """Return the people by name, and clusters by number."""
        with Gallery(self.path) as gallery:
            return {person.name or str(person.number): person for person in gallery.people(cluster=False)}

    def undo_all(self) -> None:
        """Take everything back."""
        with Gallery(self.path) as gallery:
            while gallery.actions(1):
                gallery.undo()

    def close(self) -> None:
        """End the server."""
        self.context.close()
        self.server.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page of an album of made-up people."""
    path = tmp_path_factory.mktemp("album") / "album.faceie"
    fill(path)
    site = Site(browser, path)
    yield site
    site.close()


@pytest.fixture
def album(site: Site) -> Iterator[Site]:
    """The same page. After the test, everything is taken back, and nothing went wrong unnoticed."""
    before = site.people()
    site.reports.clear()
    yield site
    for page in site.context.pages:
        page.close()
    site.undo_all()
    assert site.people() == before
    assert not site.reports


def card(page: Any, number: int) -> Any:
    """Return the card of a person or cluster in the list of people."""
    return page.locator(f'main li:has(a[href="/people/{number}"])')


def notice(page: Any) -> str:
    """Return the message about the last change."""
    text: str = page.locator("#notice").inner_text()
    return text


def wait_for(page: Any, text: str) -> None:
    """Wait until the message about the last change has a text."""
    page.locator("#notice").get_by_text(text).wait_for()


def until(place: Any, condition: str) -> None:
    """Wait for a condition. The policy of the page forbids the browser to do it."""
    for _ in range(1500):
        if place.evaluate(condition):
            return
        time.sleep(0.01)
    raise AssertionError(condition)


# Names, merges, and undo


def test_name_and_undo(album: Site) -> None:
    """A name that is typed in the list is saved at once, the next card has the focus, and Undo takes it back."""
    page, clusters = album.open("/people"), [n for n in album.people() if n.isdigit()]
    field = card(page, int(clusters[0])).locator("input[name=name]")
    field.fill("Clara")
    field.press("Enter")
    wait_for(page, "Named Clara")
    assert album.people()["Clara"].number == int(clusters[0])
    focused = page.evaluate("document.activeElement.closest('li').querySelector('a.open').getAttribute('href')")
    assert focused == f"/people/{clusters[1]}"
    page.locator("#notice button").click()
    wait_for(page, "Taken back: 1 action")
    assert "Clara" not in album.people()


def test_completion_leads_to_a_merge(album: Site) -> None:
    """Names are completed while they are typed. One that exists asks to merge, with both faces shown."""
    page, people = album.open("/people"), album.people()
    cluster = next(number for number in people if number.isdigit())
    field = card(page, int(cluster)).locator("input[name=name]")
    field.press_sequentially("an")
    option = page.locator("[role=option]", has_text="Anna")
    option.wait_for()
    assert field.get_attribute("aria-expanded") == "true"
    option.click()
    page.get_by_role("heading", name="Is this Anna?").wait_for()
    assert len(set(page.locator("figure img").evaluate_all("all => all.map(one => one.src)"))) == 2
    assert album.people() == people
    page.keyboard.press("Enter")  # the focus is on Yes
    wait_for(page, "Merged Anna")
    assert album.people()["Anna"].faces == people["Anna"].faces + people[cluster].faces
    page.keyboard.press("Escape")
    page.goto(album.url("/history"))
    page.locator("main").get_by_role("button", name="Undo").click()
    wait_for(page, "Taken back")
    assert album.people() == people


def test_a_new_name_that_begins_like_another(album: Site) -> None:
    """A name is saved as it was typed, even if a known name begins so."""
    page, cluster = album.open("/people"), next(n for n in album.people() if n.isdigit())
    field = card(page, int(cluster)).locator("input[name=name]")
    field.press_sequentially("Ann")
    page.locator("[role=option]", has_text="Anna").wait_for()
    field.press("Enter")
    wait_for(page, "Named Ann,")
    assert {"Ann", "Anna"} <= album.people().keys()


def test_merge_several(album: Site) -> None:
    """Selected clusters are merged at once."""
    page, people = album.open("/people"), album.people()
    clusters = [number for number in people if number.isdigit()][:3]
    for number in clusters:
        card(page, int(number)).locator("[type=checkbox]").check()
    page.keyboard.press("m")
    wait_for(page, "Merged")
    assert album.people()[clusters[0]].faces == sum(people[number].faces for number in clusters)


# One person


def test_split_by_shift_click(album: Site) -> None:
    """Shift selects a range of faces. Split off moves them to a new cluster, which is shown."""
    anna = album.people()["Anna"]
    page = album.open(f"/people/{anna.number}")
    faces = page.locator(f"{_FACES} li img")
    faces.nth(1).click()
    faces.nth(3).click(modifiers=["Shift"])
    assert count_of(page) == "3 selected"
    page.keyboard.press("s")
    wait_for(page, "Split Anna, 3 faces")
    assert page.locator(f"{_FACES} li").count() == 3
    assert album.people()["Anna"].faces == anna.faces - 3


def test_move_deny_and_ignore(album: Site) -> None:
    """Selected faces are moved to another person, are not this person, or are strangers."""
    before = album.people()
    page = album.open(f"/people/{before['Anna'].number}")
    boxes = page.locator(f"{_FACES} [type=checkbox]")
    boxes.nth(0).focus()
    page.keyboard.press("x")
    page.keyboard.press("v")
    page.keyboard.type("Ben")
    page.locator("[role=option]", has_text="Ben").wait_for()
    page.keyboard.press("Enter")
    wait_for(page, "Ben")
    for key, said in (("d", "Noted as not"), ("i", "Ignored")):
        boxes.nth(0).focus()
        page.keyboard.press("x")
        page.keyboard.press(key)
        wait_for(page, said)
    after = album.people()
    assert (after["Anna"].faces, after["Ben"].faces) == (before["Anna"].faces - 3, before["Ben"].faces + 1)


# Review


def test_review_with_keys(album: Site) -> None:
    """The letters answer, and Back takes the answer back and shows the question again."""
    page, before = album.open("/review"), album.people()
    first = page.locator("h1").inner_text()
    name = "Anna" if "Anna" in first else "Ben"
    assert first == f"Are these {name}?"
    page.keyboard.press("y")
    page.locator("h1", has_text="Ben" if name == "Anna" else "Anna").wait_for()
    assert album.people()[name].faces == before[name].faces + 4
    page.keyboard.press("b")
    page.locator("h1", has_text=first).wait_for()
    assert album.people() == before
    page.keyboard.press("s")
    page.locator("h1", has_text="Ben" if name == "Anna" else "Anna").wait_for()
    page.keyboard.press("n")
    page.locator("h1", has_text=first).wait_for()  # the one that was put off comes last
    page.keyboard.press("y")
    page.get_by_text("Nothing to ask").wait_for()
    after = album.people()
    assert sorted(after[one].faces - before[one].faces for one in ("Anna", "Ben")) == [0, 4]


def test_two_tabs(album: Site) -> None:
    """What was said in another tab is never overwritten by an older page."""
    one, other = album.open("/review"), album.open("/review")
    first, before = one.locator("h1").inner_text(), album.people()
    one.keyboard.press("y")
    one.locator("h1").filter(has_not_text=first).wait_for()
    said = album.people()
    assert said != before
    other.bring_to_front()
    other.keyboard.press("n")  # the question of the first tab
    other.locator("h1").filter(has_not_text=first).wait_for()
    assert album.people() == said
    cluster = next(number for number, person in said.items() if number.isdigit() and person.faces > 5)
    one.goto(album.url("/people"))
    other.goto(album.url("/people"))
    card(one, int(cluster)).locator("input[name=name]").fill("Clara")
    one.keyboard.press("Enter")
    wait_for(one, "Named Clara")
    card(other, int(cluster)).locator("input[name=name]").fill("Claire")
    other.keyboard.press("Enter")  # renames: the number is the same
    wait_for(other, "Claire")
    one.locator("#notice button").click()  # Clara was not the last
    one.locator("#notice").get_by_text("Something else was said").wait_for()
    assert "Claire" in album.people()
    album.reports[:] = [line for line in album.reports if "409" not in line]  # the browser reports the refusal


# Anything that people may be called


def test_a_name_of_markup(album: Site) -> None:
    """A name that looks like a script is shown as it is, everywhere."""
    name = "<script>alert(1)</script>"
    page, cluster = album.open("/people"), next(n for n in album.people() if n.isdigit())
    page.on("dialog", lambda dialog: album.reports.append(f"a dialog: {dialog.message}"))
    field = card(page, int(cluster)).locator("input[name=name]")
    field.fill(name)
    field.press("Enter")
    wait_for(page, f"Named {name}")
    number = album.people()[name].number
    for path in (
        f"/people/{number}",
        "/history",
        f"/search?person={number}",
        f"/photo?face={first_face(album, number)}",
    ):
        page.goto(album.url(path))
        assert name in page.content().replace("&lt;", "<").replace("&gt;", ">")
    page.goto(album.url("/people"))
    field = card(page, int(next(n for n in album.people() if n.isdigit()))).locator("input[name=name]")
    field.press_sequentially("<scr")
    page.locator("[role=option]", has_text=name).wait_for()
    assert page.locator("main script").count() == page.locator("[role=option] script").count() == 0


def count_of(page: Any) -> str:
    """Return how many faces are selected, as the page says it."""
    text: str = page.locator(f"{_FACES} output[data-count]").inner_text()
    return text


def first_face(album: Site, number: int) -> int:
    """Return a face of a person."""
    with Gallery(album.path) as gallery:
        return gallery.faces_of(number)[0].id


# With the keyboard alone, without the script, on a phone


def test_keyboard_alone(album: Site) -> None:
    """Name, open, select, split and undo without a mouse. The question mark lists the letters."""
    page, before = album.open("/people"), album.people()
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    assert page.locator("dialog kbd").count() > 4
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "n"):
        page.keyboard.press(key)
    page.keyboard.type("Clara")
    page.keyboard.press("Enter")
    wait_for(page, "Named Clara")
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    wait_for(page, "Taken back")
    assert album.people() == before
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Anna", exact=True).wait_for()
    for key in ("ArrowRight", "ArrowRight", "x", "ArrowRight", "x"):  # the first card asks whether a cluster is Anna
        page.keyboard.press(key)
    assert count_of(page) == "2 selected"
    page.keyboard.press("s")
    wait_for(page, "Split Anna")
    assert album.people()["Anna"].faces == before["Anna"].faces - 2
    page.keyboard.press("u")
    wait_for(page, "Taken back")


def test_without_the_script(album: Site, browser: Any) -> None:
    """Forms name, merge, answer and undo."""
    before = album.people()
    with_script = album.context
    context = browser.new_context(java_script_enabled=False, storage_state=with_script.storage_state())
    page = context.new_page()
    page.goto(album.url("/people"))
    cluster = next(number for number in before if number.isdigit())
    card(page, int(cluster)).locator("input[name=name]").fill("anna")
    card(page, int(cluster)).locator("input[name=name]").press("Enter")
    page.get_by_role("button", name="Yes, merge them").click()
    assert "Merged Anna" in notice(page)
    page.get_by_role("button", name="Undo").click()
    assert "Taken back" in notice(page)
    page.goto(album.url("/review"))
    page.get_by_role("button", name="Yes").click()
    assert "Undo" in page.locator("#notice").inner_text()
    page.goto(album.url("/history"))
    page.locator("main").get_by_role("button", name="Undo").click()
    assert album.people() == before
    context.close()


@pytest.mark.parametrize("size", _SIZES)
def test_views_fit(album: Site, size: str) -> None:
    """On a desktop and on a phone, no view is wider than the window, and all pictures are shown."""
    width, height = _SIZES[size]
    page = album.open("/people")
    page.set_viewport_size({"width": width, "height": height})
    for view in views(album):
        page.goto(album.url(view))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        cut = page.evaluate(
            """[...document.querySelectorAll("main button, main input, main a, nav a")].filter(one => {
                const box = one.getBoundingClientRect();
                const is_out = box.left < -1 || box.right > innerWidth + 1;
                return is_out && box.width && !one.matches(".save, nav *, svg *");
            }).map(one => one.outerHTML)"""
        )
        assert not cut, view
        until(page, "[...document.images].every(one => one.loading === 'lazy' || one.complete)")
        broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
        assert not broken, view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(album: Site, scheme: str) -> None:
    """Axe finds nothing: names, roles, contrast, structure, on each view."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = album.open("/people")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    options = {"runOnly": ["color-contrast"]} if scheme == "dark" else None  # the rest does not depend on it
    for view in (*views(album), "/nothing"):
        page.goto(album.url(view))
        results = axe.run(page, options=options)
        assert results.violations_count == 0, f"{view}: {results.generate_report()}"
    album.reports[:] = [line for line in album.reports if "404" not in line]


def views(album: Site) -> list[str]:
    """Return the addresses of all views."""
    return [view.format(anna=album.people()["Anna"].number) for view in _VIEWS]


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
            faces = page.locator(f"{_FACES} li")
            assert faces.count() == 200
            last = page.locator(f"{_FACES} li img").last
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
    path, pairs, faces = tmp_path / "album.faceie", 60, 20
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
    path = folder / "album.faceie"
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
    page.get_by_role("heading", name="Who is this?").first.wait_for()
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
