"""Review, one photo and search, asked as a browser asks."""

from __future__ import annotations

import html
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from faceie import Gallery

from ..gallery import conftest as made_up
from ..gallery.conftest import QUICK, face_of, near, needs_weights, person, put
from .conftest import Client, Reply, heading, picture

small_photos = made_up.small_photos  # a fixture

PARTS = "------part"


def upload(client: Client, *files: bytes, name: str = "photo", **fields: str) -> Reply:
    """Send files to the search."""
    parts = [
        f'--{PARTS}\r\nContent-Disposition: form-data; name="{name}"; filename="{number}.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n".encode()
        + content
        + b"\r\n"
        for number, content in enumerate(files)
    ]
    parts += [
        f'--{PARTS}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields.items()
    ]
    body = b"".join([*parts, f"--{PARTS}--\r\n".encode()])
    return client.request("POST", "/search", body, Content_Type=f"multipart/form-data; boundary={PARTS}")


def hidden(reply: Reply) -> dict[str, str]:
    """Return the hidden fields of the first form of an answer."""
    form = reply.text.partition("<main")[2].partition('action="/review"')[2].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


# Review


@pytest.fixture
def questions(album: Path) -> list[int]:
    """Three faces that are perhaps Anna, in photos of their own, each with a face of another person."""
    with Gallery(album) as gallery:
        faces = [
            put(gallery, f"/new/{k}.jpg", near(person(0), 0.88, 70 + k), face_of(50 + k, 0), thumbnail=picture(k))[0]
            for k in range(3)
        ]
        gallery.cluster()
        assert {face for one in gallery.suggestions(limit=None) for face in one.faces} == set(faces)
    return faces


def open_questions(album: Path) -> int:
    with Gallery(album) as gallery:
        return len(gallery.suggestions(limit=None))


def test_a_question_shows_what_helps_to_answer(questions: list[int], client: Client) -> None:
    """The face, the best ones of the person, the photo with all boxes, who else is there, and how many are left."""
    reply = client.get("/review")
    assert heading(reply) == "Is this Anna?"
    assert re.search(r"(certainly|likely|perhaps) \(\d+ %\)", reply.text, re.IGNORECASE)
    assert re.search(r"3 questions left", reply.text)
    face = int(hidden(reply)["face"])
    assert f"/face/{face}/large.jpg" in reply.text
    assert reply.text.count('class="box') == 2
    assert "with one other" in reply.text
    assert "/face/1.jpg" in reply.text  # of Anna


@pytest.mark.parametrize("answer", ["yes", "no", "stranger", "not a face"])
def test_an_answer_is_stored(questions: list[int], client: Client, album: Path, answer: str) -> None:
    """It is stored at once, the next question follows, and Back takes it back."""
    before = open_questions(album)
    first = client.get("/review")
    fields = hidden(first)
    after = client.follow(client.post("/review", {**fields, "answer": answer}))
    assert hidden(after)["face"] != fields["face"]
    with Gallery(album) as gallery:
        face = gallery.face(int(fields["face"]))
        assert (face.name, face.ignored) == {
            "yes": ("Anna", None),
            "no": (None, None),
            "stranger": (None, "stranger"),
            "not a face": (None, "not a face"),
        }[answer]
    assert open_questions(album) < before
    again = client.follow(client.post("/review/back", {"steps": hidden(after)["steps"]}))
    assert "Taken back: 1 action." in again.text
    assert hidden(again) == fields
    assert open_questions(album) == before


def test_another_name(questions: list[int], client: Client, album: Path) -> None:
    """The answer may be someone else, who may be new. Without a name, nothing is stored."""
    fields = hidden(client.get("/review"))
    assert client.post("/review", fields).status == 400
    assert client.post("/review", {**fields, "name": "Zoë"}).status == 303
    with Gallery(album) as gallery:
        assert gallery.face(int(fields["face"])).name == "Zoë"


def test_skipped_questions_come_last(questions: list[int], client: Client, album: Path) -> None:
    """Skip puts a question off, also for later sessions. Back shows it again."""
    first = client.get("/review")
    second = client.follow(client.post("/review", {**hidden(first), "answer": "skip"}))
    assert hidden(second)["face"] != hidden(first)["face"]
    with Gallery(album) as gallery:
        assert gallery.suggestions(limit=None)[-1].faces[0] == int(hidden(first)["face"])
    assert hidden(client.get("/review"))["face"] == hidden(second)["face"]  # the place is kept
    third = client.follow(client.post("/review/back", {"steps": hidden(second)["steps"]}))
    assert hidden(third) == hidden(first)


def test_back_over_several_steps(questions: list[int], client: Client) -> None:
    """Back takes back skips and answers in turn."""
    shown = [client.get("/review")]
    for answer in ("skip", "no", "yes"):
        shown.append(client.follow(client.post("/review", {**hidden(shown[-1]), "answer": answer})))
    steps = hidden(shown[-1]).get("steps") or re.findall(r'name="steps" value="([^"]*)"', shown[-1].text)[0]
    for expected in reversed(shown[:-1]):
        reply = client.follow(client.post("/review/back", {"steps": steps}))
        assert hidden(reply) == hidden(expected)
        steps = hidden(reply)["steps"]


def test_two_tabs(questions: list[int], client: Client, album: Path) -> None:
    """A question that was answered in another tab is not answered again; Back then refuses to undo other things."""
    fields = hidden(client.get("/review"))
    client.post("/review", {**fields, "answer": "yes"})
    reply = client.post("/review", {**fields, "answer": "no"})
    assert reply.status == 303
    with Gallery(album) as gallery:
        assert gallery.face(int(fields["face"])).name == "Anna"
        last = gallery.actions(1)[0].number
        gallery.confirm("Ben", [questions[2]])
    assert client.post("/review/back", {"steps": str(last)}).status == 409
    with Gallery(album) as gallery:
        assert gallery.face(questions[2]).name == "Ben"


@pytest.mark.parametrize("fields", [{}, {"face": "x"}, {"face": "1", "person": ""}, {"steps": "a"}, {"steps": ""}])
def test_bad_answers(questions: list[int], client: Client, fields: dict[str, str]) -> None:
    """Fields that are missing or no numbers are refused in words."""
    path = "/review/back" if "steps" in fields else "/review"
    reply = client.post(path, {"answer": "yes", **fields})
    assert (reply.status, heading(reply)) == (400, "That did not work")


def test_nothing_to_ask(client: Client, album: Path) -> None:
    """Without questions, the page says what brings some."""
    reply = client.get("/review")
    assert (reply.status, heading(reply)) == (200, "Nothing to ask")


# One photo


def test_a_photo_with_boxes_and_names(client: Client, album: Path) -> None:
    """Each face has a box and a line with its name; a face that is ignored has a line only."""
    with Gallery(album) as gallery:
        put(gallery, "/new/<b>.jpg", face_of(0, 9), face_of(60, 1), face_of(61, 1), thumbnail=picture(1))
        faces = gallery.faces_in("/new/<b>.jpg")
        gallery.confirm("<i>Zoë</i>", [faces[0].id])
        gallery.ignore([faces[2].id])
    for query in (f"face={faces[1].id}", f"photo={faces[0].photo}"):
        reply = client.get(f"/photo?{query}")
        assert heading(reply) == "&lt;b&gt;.jpg"
        assert reply.text.count('class="box') == 2
        assert reply.text.count('placeholder="Who is this?"') == 4
        assert 'value="&lt;i&gt;Zoë&lt;/i&gt;"' in reply.text
        assert "<i>" not in reply.text
        assert "ignored: stranger" in reply.text


@pytest.mark.parametrize(
    "path",
    ["/photo", "/photo?photo=0", "/photo?photo=99999", "/photo?face=99999", "/photo?photo=x", "/photo/99999.jpg"],
)
def test_unknown_photos(client: Client, path: str) -> None:
    """A photo or face that is not in the gallery is refused in words, without a trace of an error."""
    reply = client.get(path)
    assert (reply.status, heading(reply)) == (400 if path in ("/photo", "/photo?photo=x") else 409, "That did not work")


def test_photos_that_are_gone(client: Client) -> None:
    """The picture of a photo that is not on the disk is an error, never another file."""
    for path in ("/photo/1.jpg", "/photo/1/small.jpg", "/face/1/large.jpg"):
        assert client.get(path).status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"x1": "1", "y1": "2", "x2": "x", "y2": "50"},
        {"x1": "nan", "y1": "2", "x2": "90", "y2": "50"},
        {"x1": "5", "y1": "5", "x2": "6", "y2": "6"},
        {"x1": "-1e9", "y1": "5", "x2": "-1e8", "y2": "6"},
    ],
)
def test_bad_boxes(client: Client, fields: dict[str, str]) -> None:
    """A box without sides is refused in words."""
    reply = client.post("/photo/1/add", fields)
    assert (reply.status, heading(reply)) == (400, "That did not work")


# Search


def test_photos_of_people_together(client: Client, album: Path) -> None:
    """One person, two together by name, and none that show both."""
    with Gallery(album) as gallery:
        put(gallery, "/new/both.jpg", face_of(0, 9), face_of(1, 9), taken="2021-05-05")
        gallery.confirm("Anna", [33])
        gallery.confirm("Ben", [34])
        anna, ben = gallery.person("Anna").number, gallery.person("Ben").number
    assert heading(client.get(f"/search?person={anna}")) == "5 photos of Anna"
    both = client.get(f"/search?person={anna}&name=ben")
    assert heading(both) == "1 photo of Anna and Ben"
    assert "both.jpg" in both.text
    assert f'name="person" value="{ben}" checked' in both.text
    assert heading(client.get(f"/search?person={anna}&person={ben}&until=2020")) == "0 photos of Anna and Ben"
    assert "No person here is called Nemo" in client.get("/search?name=Nemo").text
    assert client.get("/search?person=999").status == 409
    assert client.get("/search?since=yesterday").status == 400


def test_photos_by_date(client: Client) -> None:
    """All photos come by date, in pages; a period limits them."""
    reply = client.get("/search?all=1")
    assert reply.text.count('class="open"') == 32
    assert reply.text.index("0-0.jpg") < reply.text.index("0-1.jpg")
    assert client.get("/search?since=2002&until=2002").text.count('class="open"') == 8


def test_faces_like_one(client: Client) -> None:
    """The faces like one of the gallery are those of its person, and not the face itself."""
    reply = client.get("/search?face=1")
    assert "This is probably" in reply.text
    assert ">Anna</strong>" in reply.text
    matches = reply.text.partition('class="grid"')[2]
    assert "/face/2.jpg" in matches
    assert "/face/1.jpg" not in matches


def test_no_photo_was_chosen(client: Client) -> None:
    """A search without photos says so; so does one whose form cannot be read."""
    nothing = (
        b'--y\r\nContent-Disposition: form-data; name="photo"; filename=""\r\n\r\n\r\n--y--\r\n'  # as browsers say
    )
    reply = client.request("POST", "/search", nothing, Content_Type="multipart/form-data; boundary=y")
    assert "Choose one or more photos" in reply.text
    assert client.post("/search", {"photo": "x"}).status == 400
    broken = client.request("POST", "/search", b"--x", Content_Type="multipart/form-data; boundary=y")
    assert broken.status == 400


def test_too_large_an_upload(client: Client) -> None:
    """An upload above the limit is refused before it is read."""
    reply = client.request("POST", "/search", None, Content_Length=str(1 << 40))
    assert reply.status == 413


# With real photos


@pytest.fixture
def real(tmp_path: Path, small_photos: Path, serve: Callable[[Path], Client]) -> tuple[Client, Path]:
    """A client of a gallery with the shipped photos, and their folder."""
    folder = tmp_path / "photos"
    shutil.copytree(small_photos, folder)
    with Gallery(tmp_path / "real.faceie", options=QUICK) as gallery:
        gallery.index([folder], workers=1)
        gallery.cluster()
        gallery.name(gallery.people()[0].number, "Barack")
    return serve(tmp_path / "real.faceie"), folder


@needs_weights
def test_dropped_photos(real: tuple[Client, Path]) -> None:
    """Each photo is searched: who is it, and which photos; those that are no photos are named, and stop nothing."""
    client, folder = real
    nothing = io.BytesIO()
    Image.new("RGB", (80, 80)).save(nothing, "PNG")
    content = (folder / "obama.jpg").read_bytes()
    before = sorted(path for path in folder.parent.rglob("*") if path.is_file())
    reply = upload(client, content, b"no photo", nothing.getvalue(), (folder / "astronaut.jpg").read_bytes())
    assert (reply.status, heading(reply)) == (200, "Who is this?")
    assert reply.text.count("This is probably") >= 1
    assert ">Barack</strong>" in reply.text
    assert re.search(r"<strong>Photo 2</strong>: .*not a photo", reply.text)
    assert "<strong>Photo 3</strong>: No face was found in it." in reply.text
    assert "Photo 4" in reply.text
    together = upload(client, content, (folder / "obama-congress.jpg").read_bytes(), together="1")
    assert "2 faces of one person" in together.text
    assert sorted(path for path in folder.parent.rglob("*") if path.is_file()) == before  # nothing is stored


@needs_weights
def test_a_box_is_drawn(real: tuple[Client, Path]) -> None:
    """A drawn face has its name and its box at once, and Undo removes it."""
    client, folder = real
    with Gallery(folder.parent / "real.faceie") as gallery:
        photo = gallery.photo(folder / "astronaut.jpg")
    box = {"x1": "100", "y1": "20.5", "x2": "140", "y2": "64"}
    reply = client.follow(client.post(f"/photo/{photo.id}/add", {**box, "name": "Buzz"}))
    assert heading(reply) == "astronaut.jpg"
    assert 'value="Buzz"' in reply.text
    assert 'class="box chosen"' in reply.text
    notice = reply.text.partition('id="notice"')[2]
    number, shown = re.findall(r'name="(?:number|next)" value="([^"]*)"', notice)[:2]
    undone = client.follow(client.post("/history/undo", {"number": number, "next": html.unescape(shown)}))
    assert heading(undone) == "astronaut.jpg"
    assert "Buzz" not in undone.text


@needs_weights
def test_pictures(real: tuple[Client, Path]) -> None:
    """Photos and faces come upright from the disk, as JPEG that the browser may keep."""
    client, _ = real
    for path, size in (("/photo/1.jpg", 2048), ("/photo/1/small.jpg", 320), ("/face/1/large.jpg", 512)):
        reply = client.get(path)
        assert reply.headers["content-type"] == "image/jpeg"
        with Image.open(io.BytesIO(reply.body)) as image:
            assert max(image.size) <= size
