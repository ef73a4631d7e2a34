"""The views of the page, asked as a browser asks."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faceie import Gallery
from faceie.gallery.database import transaction
from faceie.gallery.progress import ProgressRecord

from ..gallery.conftest import QUICK, Prepared, by_words, fakes, person, put
from ..gallery.test_questions import doubtful
from .conftest import Client, fill_gallery, heading


def number_of(album: Path, name: str) -> int:
    with Gallery(album) as gallery:
        return gallery.person(name).number


def faces_of(album: Path, who: int | str) -> list[int]:
    with Gallery(album) as gallery:
        return [face.id for face in gallery.faces_of(who)]


def clusters(album: Path) -> list[int]:
    with Gallery(album) as gallery:
        return [person.number for person in gallery.people() if person.name is None]


def images(text: str) -> list[int]:
    """Return the faces whose pictures a page shows."""
    return [int(face) for face in re.findall(r'src="/face/(\d+)\.jpg"', text)]


# People


def test_people_come_first(client: Client) -> None:
    """The first page shows people by name, then clusters."""
    reply = client.follow(client.get("/"))
    assert heading(reply) == "People"
    assert "2 people, 6 clusters to name" in reply.text
    assert reply.text.index('value="Anna"') < reply.text.index('value="Ben"') < reply.text.index("Cluster ")
    assert len(images(reply.text)) == 8


def test_people_of_one_kind(client: Client) -> None:
    """People with a name, and clusters, can be shown alone."""
    named, unnamed = client.get("/people?show=named").text, client.get("/people?show=unnamed").text
    assert (len(images(named)), len(images(unnamed))) == (2, 6)
    assert 'value="Anna"' in named
    assert 'value="Anna"' not in unnamed


def test_people_are_found_by_name(client: Client, album: Path) -> None:
    """Among thousands of people, one is found by the beginning of a name."""
    found = client.get("/people?find=an").text
    assert images(found) == images(client.get("/people?show=named").text)[:1]
    assert "No name begins with &lt;x&gt;." in client.get("/people?find=<x>").text


def test_a_cluster_is_named(client: Client, album: Path) -> None:
    """A name is stored at once, and the page says so, with a button to undo it."""
    cluster = clusters(album)[-1]
    shown = client.follow(client.post(f"/people/{cluster}/name", {"name": "Zoë & Co", "next": "/people?page=1"}))
    assert "Named Zoë &amp; Co, 4 faces." in shown.text
    assert 'action="/history/undo"' in shown.text
    assert number_of(album, "Zoë & Co") == cluster


@pytest.mark.parametrize("name", ["", " ", "17", "a\x00b"])
def test_a_name_that_is_none(client: Client, album: Path, name: str) -> None:
    """The message of the gallery is shown, and nothing is changed."""
    cluster = clusters(album)[0]
    reply = client.post(f"/people/{cluster}/name", {"name": name})
    assert reply.status in (400, 409)
    assert 'role="alert"' in reply.text
    assert cluster in clusters(album)


def test_a_taken_name_asks(client: Client, album: Path) -> None:
    """A name that another person has asks whether to merge, with both faces, and changes nothing before the answer."""
    cluster, anna = clusters(album)[-1], number_of(album, "Anna")
    reply = client.post(f"/people/{cluster}/name", {"name": "anna"})
    assert (reply.status, heading(reply)) == (200, "Is this Anna?")
    assert len(images(reply.text)) == 2
    assert len(faces_of(album, "Anna")) == 4
    client.post("/people/merge", [("person", cluster), ("person", anna), ("next", "/people")])
    assert len(faces_of(album, "Anna")) == 8


def test_several_are_merged(client: Client, album: Path) -> None:
    """People and clusters that are selected become one; a single one is a mistake."""
    some = clusters(album)[:3]
    assert client.post("/people/merge", [("person", some[0])]).status == 400
    assert client.post("/people/merge", [("person", "x"), ("person", some[0])]).status == 400
    assert client.post("/people/merge", [("person", 12345), ("person", some[0])]).status == 409
    shown = client.follow(client.post("/people/merge", [("person", number) for number in some]))
    assert "Merged, 12 faces." in shown.text
    assert "12 faces in 12 photos" in shown.text


def test_a_cluster_of_strangers(client: Client, album: Path) -> None:
    """A cluster is put away with one click, and comes back by undo."""
    cluster = clusters(album)[0]
    shown = client.follow(client.post(f"/people/{cluster}/ignore"))
    assert "Ignored, 4 faces." in shown.text
    assert cluster not in clusters(album)
    number = re.search(r'name="number" value="(\d+)"', shown.text)
    assert number
    assert "Taken back: 1 action." in client.follow(client.post("/history/undo", {"number": number[1]})).text
    assert cluster in clusters(album)


def test_names_are_completed(client: Client, album: Path) -> None:
    """All names that begin like the text are offered, and last names, in any case; clusters never."""
    with Gallery(album) as gallery:
        gallery.name("Ben", "Ben Anderson")
        gallery.confirm("Hannah", [faces_of(album, clusters(album)[0])[0]])
    offered = json.loads(client.get("/names?like=AN").text)
    assert [person["name"] for person in offered] == ["Anna", "Ben Anderson"]
    assert offered[0]["faces"] == "4 faces"
    assert client.get("/names?like=zz").text == "[]"


def test_people_fill_several_pages(tmp_path: Path, no_weights: None, serve: Callable[[Path], Client]) -> None:
    """Many people are shown in parts, each once, with links between the parts."""
    album = fill_gallery(tmp_path / "many.faceie", people=130, faces=2)
    client = serve(album)
    pages = [client.get(f"/people?page={page}").text for page in (1, 2, 3, 4)]
    shown = [images(page) for page in pages]
    assert [len(faces) for faces in shown] == [60, 60, 10, 0]
    assert len({face for faces in shown for face in faces}) == 130
    assert 'href="/people?page=2"' in pages[0]
    assert "Page 3 of 3" in pages[2]
    assert 'rel="next"' not in pages[2]


# One person


def test_one_person(client: Client, album: Path) -> None:
    """All faces are shown: the best first, or by date."""
    anna = number_of(album, "Anna")
    best, dated = client.get(f"/people/{anna}"), client.get(f"/people/{anna}?order=date")
    assert heading(best) == "Anna"
    assert "4 faces in 4 photos, since 2000" in best.text
    assert images(dated.text)[-4:] == sorted(faces_of(album, anna))
    assert client.get("/people/12345").status == 409


def test_faces_are_split_moved_and_denied(client: Client, album: Path) -> None:
    """Selected faces go to a new cluster, to a person, or are denied; each is one action that undo takes back."""
    anna = number_of(album, "Anna")
    one, two, three, four = faces_of(album, anna)
    reply = client.post(f"/people/{anna}/split", {"face": [one]})
    new = int(re.search(r"/people/(\d+)", reply.headers["location"])[1])  # type: ignore[index]
    assert faces_of(album, new) == [one]
    client.post(f"/people/{anna}/move", {"face": [two], "name": "Ben"})
    assert two in faces_of(album, "Ben")
    client.post(f"/people/{anna}/move", {"face": [three], "name": "Clara"})
    assert faces_of(album, "Clara") == [three]
    client.post(f"/people/{anna}/deny", {"face": [four]})
    assert faces_of(album, anna) == []
    with Gallery(album) as gallery:
        assert [action.name for action in gallery.actions(4)] == ["deny", "confirm", "confirm", "split"]
        for _ in range(4):
            gallery.undo()
    assert faces_of(album, anna) == [one, two, three, four]


def test_a_page_with_several_values_is_returned_to(client: Client) -> None:
    """After a change, the address of the page is the same, with all its values."""
    reply = client.post("/people/1/name", {"name": "Zoë", "next": "/search?person=1&person=2&done=1"})
    assert re.fullmatch(r"/search\?person=1&person=2&done=3", reply.headers["location"])


def test_nothing_selected_is_a_mistake(client: Client, album: Path) -> None:
    """Without a face or a name, nothing is changed, and the page names the missing field."""
    anna = number_of(album, "Anna")
    for path in ("split", "move", "deny", "cover"):
        reply = client.post(f"/people/{anna}/{path}", {"name": "Ben"})
        assert reply.status == 400
        assert "No faces are selected" in reply.text
    assert "Enter a name" in client.post(f"/people/{anna}/move", {"face": [1]}).text
    assert client.post(f"/people/{anna}/split", {"face": faces_of(album, anna)}).status == 400  # all of them


def test_the_last_face_of_a_cluster(client: Client, album: Path) -> None:
    """When no face of a cluster is left, its page is gone, and all people are shown."""
    cluster = clusters(album)[0]
    reply = client.post(f"/people/{cluster}/move", {"face": faces_of(album, cluster), "name": "Anna"})
    assert reply.headers["location"].startswith("/people?done=")


def test_cover_and_birth(client: Client, album: Path) -> None:
    """The selected face stands for the person; the date of birth is checked by the gallery."""
    anna = number_of(album, "Anna")
    last = faces_of(album, anna)[-1]
    client.post(f"/people/{anna}/cover", {"face": last})
    with Gallery(album) as gallery:
        assert gallery.person("Anna").example == last
    assert client.post(f"/people/{anna}/cover", {"face": [1, 2]}).status == 400
    assert client.post(f"/people/{anna}/born", {"date": "soon"}).status == 400
    client.post(f"/people/{anna}/born", {"date": "1999-05"})
    assert "Born 1999-05" in client.get(f"/people/{anna}").text


def test_similar_clusters_are_offered(tmp_path: Path, no_weights: None, serve: Callable[[Path], Client]) -> None:
    """A cluster that is probably the person is shown with the probability, and merged with one click."""
    album = tmp_path / "ages.faceie"
    with Gallery(album, options=QUICK) as gallery:
        gallery._weights()
        young, old = doubtful(gallery)
        gallery.people()
        anna = gallery.name(gallery.face(young[0]).person or 0, "Anna")
        cluster = gallery.face(old[0]).person
    client = serve(album)
    text = client.get(f"/people/{anna}").text
    assert "Also Anna?" in text
    assert re.search(r"4 faces, \d\d %", text)
    client.post("/people/merge", [("person", anna), ("person", cluster)])
    assert set(faces_of(album, anna)) == {*young, *old}
    assert "Also Anna?" not in client.get(f"/people/{anna}").text


# Faces without a person, and photos


def test_faces_without_a_person(client: Client, album: Path) -> None:
    """A single face is shown, and can be named, or put away and taken back."""
    with Gallery(album) as gallery:
        (face,) = put(gallery, "/photos/alone.jpg", person(99))
        gallery.cluster()
    assert images(client.get("/faces/unassigned").text) == [face]
    client.post("/faces/ignore", {"face": face, "reason": "not a face"})
    assert heading(client.get("/faces/unassigned")) == "Every face has a place"
    assert images(client.get("/faces/ignored").text) == [face]
    assert images(client.get("/faces/ignored?reason=stranger").text) == []
    client.post("/faces/unignore", {"face": face})
    assert heading(client.get("/faces/ignored")) == "Nothing is ignored"
    client.post("/faces/assign", {"face": face, "name": "Zoë"})
    assert faces_of(album, "Zoë") == [face]
    assert client.post("/faces/ignore", {"face": face, "reason": "ugly"}).status == 400
    assert client.post("/faces/assign", {"face": face, "name": ""}).status == 400


def test_photos_that_cannot_be_read(client: Client, album: Path) -> None:
    """They are listed with the reason."""
    assert heading(client.get("/photos/unreadable")) == "All photos could be read"
    with Gallery(album) as gallery, transaction(gallery._store.db):
        gallery._store.put_file("/photos/<b>.jpg", None, 1, 1, error="the file is empty")
    text = client.get("/photos/unreadable").text
    assert "1 photo that cannot be used" in text
    assert "/photos/&lt;b&gt;.jpg" in text
    assert "the file is empty" in text


# History


def test_undo(client: Client, album: Path) -> None:
    """The last action is taken back, once: a second click on the same button changes nothing."""
    with Gallery(album) as gallery:
        number = gallery.actions(1)[0].number
    assert client.post("/history/undo", {"number": number}).status == 303
    assert client.post("/history/undo", {"number": number}).status == 409
    with Gallery(album) as gallery:
        assert [person.name for person in gallery.people() if person.name] == ["Anna"]


def test_several_are_undone(client: Client, album: Path) -> None:
    """An earlier action is taken back with those after it, unless another one was made in between."""
    assert client.get("/history").text.count("<li>") == 2
    with Gallery(album) as gallery:
        second, first = (action.number for action in gallery.actions())
        gallery.name("Ben", "Bert")
    assert client.post("/history/undo", {"number": first, "seen": second}).status == 409
    assert faces_of(album, "Bert")
    shown = client.follow(client.post("/history/undo", {"number": first, "seen": second + 1}))
    assert "Taken back: 3 actions." in shown.text
    assert heading(shown) == "Nothing to take back"
    assert len(clusters(album)) == 8


# Empty galleries, and a run at the same time


def test_an_empty_gallery_says_what_to_do(tmp_path: Path, no_weights: None, serve: Callable[[Path], Client]) -> None:
    """Without faces, the page names the command; faces that are added while it is open appear."""
    Gallery(tmp_path / "empty.faceie").close()
    client = serve(tmp_path / "empty.faceie")
    shown = client.get("/people")
    assert heading(shown) == "No faces yet"
    assert "faceie index" in shown.text
    for path in ("/faces/unassigned", "/faces/ignored", "/photos/unreadable", "/history"):
        assert heading(client.get(path))
    with Gallery(tmp_path / "empty.faceie") as gallery:
        gallery._weights()
        put(gallery, "/photos/a.jpg", person(1))
    assert heading(client.get("/people")) in ("One moment", "No groups yet")  # until they are grouped
    assert '"faces":1' in client.get("/status").text


def test_indexing_at_the_same_time(
    client: Client, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run adds photos, all views answer, a name is stored, and the new faces appear in the end, in groups."""
    monkeypatch.setattr("faceie.web.desk._QUIET", 1.0)
    photos = fakes(tmp_path / "photos", {f"{n}.jpg": f"{20 + n % 5}.{n}" for n in range(100)})

    def index() -> None:
        with Gallery(album) as gallery:
            gallery.index([photos], executor=Prepared(by_words))

    run = threading.Thread(target=index)
    run.start()
    answers = 0
    while run.is_alive() or answers == 0:
        for path in ("/people", "/people?show=unnamed", f"/people/{number_of(album, 'Anna')}", "/review", "/status"):
            assert client.get(path).status == 200
        assert client.post(f"/people/{number_of(album, 'Anna')}/name", {"name": "Anna"}).status == 303
        answers += 1
    run.join()
    assert '"faces":132' in client.get("/status").text
    for _ in range(200):
        if '"grouped":true' in client.get("/status").text:
            break
        time.sleep(0.1)
    assert "2 people, 11 clusters to name" in client.get("/people").text


def test_progress_of_a_run(client: Client, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is told how far a run of faceie index is."""
    assert '"run":null' in client.get("/status").text
    monkeypatch.setattr("faceie.gallery.progress._PAUSE", 0)
    with Gallery(album) as gallery:
        record = ProgressRecord(gallery._store)
        record.update(3, 12)
        assert '"run":[3,12]' in client.get("/status").text
        with transaction(gallery._store.db):
            record.remove()
    assert '"run":null' in client.get("/status").text
