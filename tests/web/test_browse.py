"""The page in a real browser: names, merges, splits, questions and undo, by mouse and by keys."""

from __future__ import annotations

import time
from typing import Any

from faceie import Gallery

from .sites import FACES, Site, card, notice, shared_site, site, wait_for

__all__ = ["shared_site", "site"]  # fixtures


# Names, merges, and undo


def test_name_and_undo(site: Site) -> None:
    """A name that is typed in the list is saved at once, the next card has the focus, and Undo takes it back."""
    page, clusters = site.open("/people"), [n for n in site.people() if n.isdigit()]
    field = card(page, int(clusters[0])).locator("input[name=name]")
    field.fill("Clara")
    field.press("Enter")
    wait_for(page, "Named Clara")
    assert site.people()["Clara"].number == int(clusters[0])
    focused = page.evaluate("document.activeElement.closest('li').querySelector('a.open').getAttribute('href')")
    assert focused == f"/people/{clusters[1]}"
    page.locator("#notice button").click()
    wait_for(page, "Taken back: 1 action")
    assert "Clara" not in site.people()


def test_completion_leads_to_a_merge(site: Site) -> None:
    """Names are completed while they are typed. One that exists asks to merge, with both faces shown."""
    page, people = site.open("/people"), site.people()
    cluster = next(number for number in people if number.isdigit())
    field = card(page, int(cluster)).locator("input[name=name]")
    field.press_sequentially("an")
    option = page.locator("[role=option]", has_text="Anna")
    option.wait_for()
    assert field.get_attribute("aria-expanded") == "true"
    option.click()
    page.get_by_role("heading", name="Is this Anna?").wait_for()
    assert len(set(page.locator("figure img").evaluate_all("all => all.map(one => one.src)"))) == 2
    assert site.people() == people
    page.keyboard.press("Enter")  # the focus is on Yes
    wait_for(page, "Merged Anna")
    assert site.people()["Anna"].faces == people["Anna"].faces + people[cluster].faces
    page.keyboard.press("Escape")
    page.goto(site.url("/history"))
    page.locator("main").get_by_role("button", name="Undo").click()
    wait_for(page, "Taken back")
    assert site.people() == people


def test_a_new_name_that_begins_like_another(site: Site) -> None:
    """A name is saved as it was typed, even if a known name begins so."""
    page, cluster = site.open("/people"), next(n for n in site.people() if n.isdigit())
    field = card(page, int(cluster)).locator("input[name=name]")
    field.press_sequentially("Ann")
    page.locator("[role=option]", has_text="Anna").wait_for()
    field.press("Enter")
    wait_for(page, "Named Ann,")
    assert {"Ann", "Anna"} <= site.people().keys()


def test_names_that_come_late(site: Site) -> None:
    """Enter saves the typed name, while the list still has the names for its first letters, or a longer one first."""
    page, people = site.open("/people"), site.people()
    clusters = [int(number) for number in people if number.isdigit()]
    with Gallery(site.path) as gallery:
        gallery.name(clusters[0], "Be")
    page.route("**/names?like=Be*", lambda route: (time.sleep(0.3), route.continue_()))
    field = card(page, clusters[1]).locator("input[name=name]")
    field.press_sequentially("B")
    page.locator("[role=option]", has_text="New: B").wait_for()
    field.press_sequentially("enn")
    field.press("Enter")
    wait_for(page, "Named Benn")
    field = card(page, clusters[2]).locator("input[name=name]")
    field.press_sequentially("be")
    page.locator("[role=option]", has_text="Benn").wait_for()
    field.press("Enter")
    page.get_by_role("heading", name="Is this Be?").wait_for()


def test_merge_several(site: Site) -> None:
    """Selected clusters are merged at once."""
    page, people = site.open("/people"), site.people()
    clusters = [number for number in people if number.isdigit()][:3]
    for number in clusters:
        card(page, int(number)).locator("[type=checkbox]").check()
    page.keyboard.press("m")
    wait_for(page, "Merged")
    assert site.people()[clusters[0]].faces == sum(people[number].faces for number in clusters)


# One person


def test_split_by_shift_click(site: Site) -> None:
    """Shift selects a range of faces. Split off moves them to a new cluster, which is shown."""
    anna = site.people()["Anna"]
    page = site.open(f"/people/{anna.number}")
    faces = page.locator(f"{FACES} li img")
    faces.nth(1).click()
    faces.nth(3).click(modifiers=["Shift"])
    assert count_of(page) == "3 selected"
    page.keyboard.press("s")
    wait_for(page, "Split Anna, 3 faces")
    assert page.locator(f"{FACES} li").count() == 3
    assert site.people()["Anna"].faces == anna.faces - 3


def test_move_deny_and_ignore(site: Site) -> None:
    """Selected faces are moved to another person, are not this person, or are strangers."""
    before = site.people()
    page = site.open(f"/people/{before['Anna'].number}")
    boxes = page.locator(f"{FACES} [type=checkbox]")
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
    after = site.people()
    assert (after["Anna"].faces, after["Ben"].faces) == (before["Anna"].faces - 3, before["Ben"].faces + 1)


# Review


def test_review_with_keys(site: Site) -> None:
    """The letters answer, and Back takes the answer back and shows the question again."""
    page, before = site.open("/review"), site.people()
    first = page.locator("h1").inner_text()
    name = "Anna" if "Anna" in first else "Ben"
    assert first == f"Are these {name}?"
    page.keyboard.press("y")
    page.locator("h1", has_text="Ben" if name == "Anna" else "Anna").wait_for()
    assert site.people()[name].faces == before[name].faces + 4
    page.keyboard.press("b")
    page.locator("h1", has_text=first).wait_for()
    assert site.people() == before
    page.keyboard.press("s")
    page.locator("h1", has_text="Ben" if name == "Anna" else "Anna").wait_for()
    page.keyboard.press("n")
    page.locator("h1", has_text=first).wait_for()  # the one that was put off comes last
    page.keyboard.press("y")
    page.get_by_text("Nothing to ask").wait_for()
    after = site.people()
    assert sorted(after[one].faces - before[one].faces for one in ("Anna", "Ben")) == [0, 4]


def test_two_tabs(site: Site) -> None:
    """An older page never overwrites an answer that was given in another tab."""
    one, other = site.open("/review"), site.open("/review")
    first, before = one.locator("h1").inner_text(), site.people()
    one.keyboard.press("y")
    one.locator("h1").filter(has_not_text=first).wait_for()
    said = site.people()
    assert said != before
    other.bring_to_front()
    other.keyboard.press("n")  # the question of the first tab
    other.locator("h1").filter(has_not_text=first).wait_for()
    assert site.people() == said
    cluster = next(number for number, person in said.items() if number.isdigit() and person.faces > 5)
    one.goto(site.url("/people"))
    other.goto(site.url("/people"))
    card(one, int(cluster)).locator("input[name=name]").fill("Clara")
    one.keyboard.press("Enter")
    wait_for(one, "Named Clara")
    card(other, int(cluster)).locator("input[name=name]").fill("Claire")
    other.keyboard.press("Enter")  # renames: the number is the same
    wait_for(other, "Claire")
    one.locator("#notice button").click()  # Clara was not the last
    one.locator("#notice").get_by_text("Something else was said").wait_for()
    assert "Claire" in site.people()
    site.reports[:] = [line for line in site.reports if "409" not in line]  # the browser reports the refusal


# Anything that people may be called


def test_a_name_of_markup(site: Site) -> None:
    """A name that looks like a script is shown as it is, everywhere."""
    name = "<script>alert(1)</script>"
    page, cluster = site.open("/people"), next(n for n in site.people() if n.isdigit())
    page.on("dialog", lambda dialog: site.reports.append(f"a dialog: {dialog.message}"))
    field = card(page, int(cluster)).locator("input[name=name]")
    field.fill(name)
    field.press("Enter")
    wait_for(page, f"Named {name}")
    number = site.people()[name].number
    for path in (
        f"/people/{number}",
        "/history",
        f"/search?person={number}",
        f"/photo?face={first_face(site, number)}",
    ):
        page.goto(site.url(path))
        assert name in page.content().replace("&lt;", "<").replace("&gt;", ">")
    page.goto(site.url("/people"))
    field = card(page, int(next(n for n in site.people() if n.isdigit()))).locator("input[name=name]")
    field.press_sequentially("<scr")
    page.locator("[role=option]", has_text=name).wait_for()
    assert page.locator("main script").count() == page.locator("[role=option] script").count() == 0


def count_of(page: Any) -> str:
    """Return how many faces are selected, as the page says it."""
    text: str = page.locator(f"{FACES} output[data-count]").inner_text()
    return text


def first_face(site: Site, number: int) -> int:
    """Return a face of a person."""
    with Gallery(site.path) as gallery:
        return gallery.faces_of(number)[0].id


# With the keyboard alone, without the script, on a phone


def test_keyboard_alone(site: Site) -> None:
    """Name, open, select, split and undo without a mouse. The question mark lists the letters."""
    page, before = site.open("/people"), site.people()
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
    assert site.people() == before
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Anna", exact=True).wait_for()
    for key in ("ArrowRight", "ArrowRight", "x", "ArrowRight", "x"):  # the first card asks whether a cluster is Anna
        page.keyboard.press(key)
    assert count_of(page) == "2 selected"
    page.keyboard.press("s")
    wait_for(page, "Split Anna")
    assert site.people()["Anna"].faces == before["Anna"].faces - 2
    page.keyboard.press("u")
    wait_for(page, "Taken back")


def test_without_the_script(site: Site, browser: Any) -> None:
    """Forms name, merge, answer and undo."""
    before = site.people()
    with_script = site.context
    context = browser.new_context(java_script_enabled=False, storage_state=with_script.storage_state())
    page = context.new_page()
    page.goto(site.url("/people"))
    cluster = next(number for number in before if number.isdigit())
    card(page, int(cluster)).locator("input[name=name]").fill("anna")
    card(page, int(cluster)).locator("input[name=name]").press("Enter")
    page.get_by_role("button", name="Yes, merge them").click()
    assert "Merged Anna" in notice(page)
    page.get_by_role("button", name="Undo").click()
    assert "Taken back" in notice(page)
    page.goto(site.url("/review"))
    page.get_by_role("button", name="Yes").click()
    assert "Undo" in page.locator("#notice").inner_text()
    page.goto(site.url("/history"))
    page.locator("main").get_by_role("button", name="Undo").click()
    assert site.people() == before
    context.close()
