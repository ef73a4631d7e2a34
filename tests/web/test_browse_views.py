"""Each view in a real browser: its width, its pictures, and its accessibility."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from .sites import Site, card, shared_site, site, until, wait_for

__all__ = ["shared_site", "site"]  # fixtures

_VIEWS = (
    *("/people", "/people/{anna}", "/review", "/faces/unassigned", "/faces/ignored", "/photos/unreadable", "/history"),
    *("/search", "/search?person={anna}", "/search?face=1", "/search?all=1", "/photo?face=1"),
)
_SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


@pytest.mark.parametrize("size", _SIZES)
def test_views_fit(site: Site, size: str) -> None:
    """On a desktop and on a phone, no view is wider than the window, and all pictures are shown."""
    width, height = _SIZES[size]
    page = site.open("/people")
    page.set_viewport_size({"width": width, "height": height})
    for view in views(site):
        page.goto(site.url(view))
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


def violations(page: Any, options: dict[str, Any] | None = None) -> list[Any]:
    """Return what axe-core finds. Its package is not imported, since it reads the script in the locale's encoding."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("axe-playwright-python is not installed")
    page.evaluate(Path(package.origin).with_name("axe.min.js").read_text("utf-8"))
    found = page.evaluate("options => axe.run(document, options)", options or {})
    return [(one["id"], one["help"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(site: Site, scheme: str) -> None:
    """Axe finds nothing: names, roles, contrast, structure, on each view."""
    page = site.open("/people")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    options = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}  # the rest does not depend on it
    for view in (*views(site), "/nothing"):
        page.goto(site.url(view))
        assert not violations(page, options), view
    site.reports[:] = [line for line in site.reports if "404" not in line]


def test_accessibility_of_lists_and_questions(site: Site) -> None:
    """Axe finds nothing in the list of keys, the names that are offered, the question before a merge, and a message."""
    page, cluster = site.open("/people"), next(number for number in site.people() if number.isdigit())
    field = card(page, int(cluster)).locator("input[name=name]")

    def check(state: str) -> None:
        assert not violations(page), state

    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    check("keys")
    page.keyboard.press("Escape")
    field.press_sequentially("an")
    page.locator("[role=option]", has_text="Anna").wait_for()
    check("names")
    page.keyboard.type("na")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Is this Anna?").wait_for()
    check("question")
    page.keyboard.press("Enter")
    wait_for(page, "Merged Anna")
    check("message")


def views(site: Site) -> list[str]:
    """Return the addresses of all views."""
    return [view.format(anna=site.people()["Anna"].number) for view in _VIEWS]
