"""A gallery of made-up people, whose page is open in a browser."""

from __future__ import annotations

import io
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

from ..gallery.conftest import QUICK, near, person, put, units
from .conftest import picture

FACES = 'form[action$="/move"]'  # on the page of a person


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
        self.context.set_default_timeout(30_000)
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


@pytest.fixture(scope="module")
def shared_site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page of an album of made-up people."""
    path = tmp_path_factory.mktemp("album") / "site.faceie"
    fill(path)
    site = Site(browser, path)
    yield site
    site.close()


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """The same page. After the test, everything is taken back, and nothing went wrong unnoticed."""
    before = shared_site.people()
    shared_site.reports.clear()
    yield shared_site
    for page in shared_site.context.pages:
        page.close()
    shared_site.undo_all()
    assert shared_site.people() == before
    assert not shared_site.reports
