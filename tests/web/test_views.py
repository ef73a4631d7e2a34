"""The views of the page, asked as a browser asks."""

from __future__ import annotations

from pathlib import Path

from faceie import Gallery

from .conftest import Client, heading


def test_people_come_first(client: Client) -> None:
    """The first page shows people by name, then clusters."""
    reply = client.follow(client.get("/"))
    assert heading(reply) == "People"
    assert "2 people, 6 clusters to name" in reply.text
    assert reply.text.index('value="Anna"') < reply.text.index('value="Ben"') < reply.text.index("Cluster ")


def test_a_cluster_is_named(client: Client, album: Path) -> None:
    """A name is stored at once, and the page says so, with a button to undo it."""
    with Gallery(album) as gallery:
        cluster = gallery.people()[-1]
    shown = client.follow(client.post(f"/people/{cluster.number}/name", {"name": "Zoë & Co", "next": "/people?page=1"}))
    assert "Named Zoë &amp; Co, 4 faces." in shown.text
    with Gallery(album) as gallery:
        assert gallery.person("Zoë & Co").number == cluster.number


def test_a_taken_name_asks(client: Client, album: Path) -> None:
    """A name that another person has asks whether to merge, and changes nothing before the answer."""
    with Gallery(album) as gallery:
        cluster = gallery.people()[-1].number
        anna = gallery.person("Anna").number
    reply = client.post(f"/people/{cluster}/name", {"name": "anna"})
    assert (reply.status, heading(reply)) == (200, "Is this Anna?")
    with Gallery(album) as gallery:
        assert gallery.person("Anna").faces == 4
    client.post("/people/merge", [("person", cluster), ("person", anna), ("next", "/people")])
    with Gallery(album) as gallery:
        assert gallery.person("Anna").faces == 8


def test_undo(client: Client, album: Path) -> None:
    """The last action is taken back, once: a second click on the same button changes nothing."""
    with Gallery(album) as gallery:
        number = gallery.actions(1)[0].number
    assert client.post("/history/undo", {"number": number}).status == 303
    assert client.post("/history/undo", {"number": number}).status == 409
    with Gallery(album) as gallery:
        assert [person.name for person in gallery.people() if person.name] == ["Anna"]
