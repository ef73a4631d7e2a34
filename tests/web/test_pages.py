"""The pages: their contents, escaping, and their look in a real browser."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faceie.gallery import Face, Match, Person
from faceie.web import people_page, search_page
from faceie.web.markup import Html, fill
from faceie.web.pages import Group

_NASTY = "<script>alert(1)</script> & \"quoted\" 'name'"
_SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


def face(number: int, name: str | None = None, path: str = "/photos/a.jpg") -> Face:
    landmarks = np.zeros((5, 2), np.float32)
    return Face(number, Path(path), 1, (0, 0, 9, 9), landmarks, 0.0, 1.0, 1.0, "2019-06-01T12:30:00", 1, name, True)


def thumbnail(number: int) -> bytes:
    """A picture that tells the faces apart by its color."""
    file = io.BytesIO()
    Image.new("RGB", (100, 128), (40 * number % 256, 120, 160)).save(file, "JPEG")
    return file.getvalue()


def pages() -> dict[str, str]:
    long = "/photos/" + "a_very_long_name_without_any_space" * 3 + ".jpg"
    faces = [face(1, "Anna"), face(2, None, long), *(face(number) for number in range(3, 20))]
    matches = [Match(one, 0.1 * index, 0.9999 if index == 0 else 0.5) for index, one in enumerate(faces)]
    groups = [Group(Person(1, "Anna", 40, 31, 1), faces), Group(Person(2, None, 1, 1, 2), faces[1:2])]
    return {
        "search": search_page("Faces like the one in probe.jpg", "19 faces.", thumbnail(7), matches, thumbnail),
        "people": people_page("People", "2 groups.", groups, thumbnail),
    }


def test_search_page_shows_matches() -> None:
    """Each face has its probability, distance, date and a link to its photo."""
    text = pages()["search"]
    assert text.count("<li>") == 19
    for part in ("more than 99.9 %", "50.0 %", "distance 0.10", "2019-06-01 12:30:00", 'href="file:///photos/a.jpg"'):
        assert part in text


def test_people_page_shows_people() -> None:
    """People have their names, clusters their numbers, and faces the ids that commands take."""
    text = pages()["people"]
    for part in ("<h2>Anna</h2>", "<h2>Cluster 2</h2>", "40 faces in 31 photos, the best 19 of them here", "face 19<"):
        assert part in text


@pytest.mark.parametrize("name", ["search", "people"])
def test_pages_fetch_and_run_nothing(name: str) -> None:
    """A page names no other file or host, has no script, and forbids both by its policy."""
    text = pages()[name]
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert "<script" not in text
    assert not re.findall(r"(?:src|href)=\"(?!data:image/jpeg;base64,|file:///photos/)[^\"]*\"", text)
    assert "http:" not in text
    assert "https:" not in text


def test_text_from_outside_is_escaped() -> None:
    """Names and paths are text, even if they hold markup or bytes that are not UTF-8."""
    nasty = face(1, _NASTY, f"/photos/{_NASTY.replace('/', '')}\udcff.jpg")
    texts = [
        search_page(_NASTY, _NASTY, None, [Match(nasty, 0.0, None)], thumbnail),
        people_page(_NASTY, _NASTY, [Group(Person(1, _NASTY, 1, 1, 1), [nasty])], thumbnail),
    ]
    for text in texts:
        assert "<script" not in text
        assert '"quoted"' not in text
        assert "&lt;script&gt;" in text
        text.encode()


def test_values_are_escaped_unless_they_are_html() -> None:
    """A template escapes plain text, keeps `Html`, and does not fill in values a second time."""
    assert fill("paragraph", text='<b> $text & "x"') == "<p>&lt;b&gt; $text &amp; &quot;x&quot;</p>"
    assert fill("line", text=fill("mark", text="<")) == "<span><strong>&lt;</strong></span>"
    assert not isinstance(fill("mark", text="x").upper(), Html)


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("name", ["search", "people"])
def test_pages_in_a_browser(browser: Any, tmp_path: Path, name: str, size: str) -> None:
    """On a desktop and on a phone, all pictures are shown, nothing is cut off, and the browser reports no error."""
    file = tmp_path / f"{name}.html"
    file.write_text(pages()[name], encoding="utf-8")
    width, height = _SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height})
    reports: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: reports.append(message.text))
    page.on("pageerror", lambda error: reports.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()  # they are loaded when they come into view
    shown = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0 && i.offsetWidth > 60)")
    assert len(shown) == 20
    assert all(shown)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [card.bounding_box() for card in page.locator("li").all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    columns = len({round(box["x"]) for box in boxes})
    assert columns >= 6 if size == "desktop" else 2 <= columns <= 3
    assert not reports
    assert all(url.startswith(("data:", file.as_uri())) for url in requests)
    picture = Image.open(io.BytesIO(page.screenshot()))
    assert picture.size == (width, height)
    assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50  # and not an empty window
    page.close()
