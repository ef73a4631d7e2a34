"""The page of a large gallery: the time of each kind of request and action, and the memory of the server.

    python benchmarks/browse.py make FILE FACES      makes a gallery of made-up people, clusters it, and names some
    python benchmarks/browse.py ask FILE ...         serves copies of such galleries, and prints a table of each

The time of an action includes no page that is shown after it, which is a request of its own.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceie import Gallery
from faceie.gallery import Person
from faceie.gallery.records import NewFace, PhotoAnalysis

Floats = NDArray[np.float32]

_SIZE = 10  # faces of each person
_NAMED = 5  # one person in this many has a name
_AGES = 10  # one person in this many has a second cluster, which is in question
_ALONE = 20  # one face in this many is of a person with one photo
_PHOTO = 3  # faces in a photo
_WITHIN = 0.62  # mean distance of two photos of one person in LFW
_DIRECTIONS = 43  # in which people differ: cosines of different people then deviate by 0.153, as in LFW
_PHOTOS = 20  # photos with a file
_FORM = "application/x-www-form-urlencoded"
_AGE = 0.94  # distance of the mean of the second cluster


def make(path: Path, count: int) -> None:
    """Make a gallery of `count` faces, cluster it, and name some of the people."""
    rng = np.random.default_rng(0)
    embeddings = rng.permutation(_people(rng, count))
    with Gallery(path) as gallery:
        gallery._weights()  # so that the gallery knows the calibration
        store, pictures = gallery._store, list(_pictures(rng))
        with store.transaction():
            for number, start in enumerate(range(0, count, _PHOTO)):
                faces = [_face(rng, one, pictures) for one in embeddings[start : start + _PHOTO]]
                taken = f"{2000 + number % 25}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00"
                photo = store.put_photo(number.to_bytes(32, "big"), PhotoAnalysis(4000, 3000, taken, faces))
                store.put_file(f"/photos/{number % 500:03}/{number:06}.jpg", photo, 1, 1)
            for number in range(count // 500):
                store.put_file(f"/photos/damaged/{number:06}.jpg", None, 1, 1, error="the file ends too early")
        gallery.cluster()
        for number, person in enumerate(gallery.people()):
            if number % _NAMED == 0:
                gallery.name(person.number, f"Person {number:05}")
        alone = [face.id for face in gallery.unassigned_faces()]
        for number in range(0, len(alone) // 4, 50):
            gallery.ignore(alone[number : number + 50])
        with store.transaction():
            store.set("clustered", store.revision())  # the ignored faces were in no cluster


def _people(rng: np.random.Generator, count: int) -> Floats:
    """Return the embeddings of people: most with ten photos, some with another ten years later, some with one photo."""
    alone = count // _ALONE
    groups = -(-(count - alone) // _SIZE)
    directions = _unit(rng.standard_normal((_DIRECTIONS, 512), np.float32))
    centers = _unit(rng.standard_normal((groups, _DIRECTIONS), np.float32) @ directions)
    ages = np.arange(0, groups - 1, _AGES)
    cosine = np.float32(1 - _AGE**2 / 2)
    centers[ages + 1] = _unit(cosine * centers[ages] + np.sqrt(1 - cosine**2) * centers[ages + 1])
    noise = _WITHIN**2 / (2 - _WITHIN**2)
    parts = [_unit(rng.standard_normal((alone, _DIRECTIONS), np.float32) @ directions)]
    for center in centers:
        spread = rng.standard_normal((_SIZE, 512), np.float32) * np.float32((noise / 512) ** 0.5)
        parts.append(_unit(center + spread))
    return np.concatenate(parts)[:count]


def _pictures(rng: np.random.Generator) -> Iterator[bytes]:
    """Yield thumbnails of plain colors with some grain: 2 kB each."""
    for color in rng.integers(60, 200, (32, 3)):
        pixels = np.clip(color + rng.normal(0, 6, (128, 100, 3)), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=60)
        yield file.getvalue()


def _face(rng: np.random.Generator, embedding: Floats, pictures: list[bytes]) -> NewFace:
    x, y, size = rng.uniform((0, 0, 100), (3000, 2000, 800)).tolist()
    landmarks = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)], np.float32) * size + (x, y)
    quality, picture = float(rng.uniform(0.5, 1)), pictures[int(rng.integers(len(pictures)))]
    return NewFace((x, y, x + size, y + size), landmarks, 0.0, 0.99, quality, embedding, picture)


def _unit(x: Floats) -> Floats:
    result: Floats = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return result


class Browser:
    """A server in a process of its own, and a connection to it."""

    def __init__(self, gallery: Path) -> None:
        start = time.perf_counter()
        command = [sys.executable, "-m", "faceie", "browse", "--no-open", "--gallery", str(gallery)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        address = urlsplit(self.process.stdout.readline().strip())
        self.origin = f"http://{address.netloc}"
        self._connection = http.client.HTTPConnection(address.netloc, timeout=600)
        self._cookie = ""
        self.ask("GET", f"/?{address.query}")
        self.ask("GET", "/people")
        self.first_view = time.perf_counter() - start

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = _FORM) -> bytes:
        """Send a request and return the body of the answer."""
        headers = {"Cookie": self._cookie, "Origin": self.origin, "Content-Type": kind}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        self._cookie = self._cookie or (response.getheader("set-cookie") or "").partition(";")[0]
        if response.status >= 400:
            raise SystemExit(f"{method} {path}: {response.status} {_text_of(content)}")
        return content

    def get(self, path: str) -> str:
        """Return a page."""
        return self.ask("GET", path).decode("utf-8", "replace")

    def post(self, path: str, *fields: tuple[str, object]) -> None:
        """Send a form."""
        self.ask("POST", path, urlencode(fields).encode())

    def cpu(self) -> float:
        """Return the seconds of CPU time of the server so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> dict[str, int]:
        """Return megabytes of the server: RssAnon, VmHWM and others."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {line.partition(":")[0]: int(line.split()[1]) // 1024 for line in lines if line.endswith(" kB")}

    def close(self) -> None:
        """End the server."""
        self._connection.close()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


class Times:
    """Wall times and CPU times by kind."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._walls: dict[str, list[float]] = {}
        self._cpu: dict[str, float] = {}

    @contextmanager
    def of(self, kind: str) -> Iterator[None]:
        """Time a request."""
        cpu, start = self._browser.cpu(), time.perf_counter()
        yield
        self._walls.setdefault(kind, []).append(time.perf_counter() - start)
        self._cpu[kind] = self._cpu.get(kind, 0) + self._browser.cpu() - cpu

    def rows(self) -> Iterator[str]:
        """Yield rows of a table: milliseconds."""
        for kind, walls in self._walls.items():
            ordered = 1e3 * np.sort(walls)
            tail = ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]
            cpu = 1e3 * self._cpu[kind] / len(walls)
            yield f"| {kind} | {np.median(ordered):.0f} | {tail:.0f} | {ordered[-1]:.0f} | {cpu:.0f} | {len(walls)} |"
        every = 1e3 * np.concatenate([*self._walls.values()])
        share = float((every <= 100).mean())
        yield f"\n{100 * share:.1f} % of all {len(every)} within 100 ms, the slowest after {every.max():.0f} ms."


def ask(gallery: Path, rounds: int) -> None:
    """Print the times of requests and actions, for a copy of a gallery."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "gallery.faceie"
        shutil.copyfile(gallery, copy)
        photo = _add_photos(copy, Path(folder))
        with Gallery(copy) as opened:
            counts, people = opened.counts(), opened.people(cluster=False)
        print(f"\n{counts.faces:,} faces of {counts.people:,} people and in {counts.clusters:,} clusters\n")
        print("| request | median, ms | 95 % | worst | CPU, ms | times |\n|---|---|---|---|---|---|")
        browser = Browser(copy)
        try:
            times = Times(browser)
            with times.of("the first review, after the start"):
                browser.get("/review")
            rng = random.Random(0)
            for number in range(rounds):
                _look(browser, times, rng, people, counts.unassigned, number)
                _act(browser, times, rng, people, number)
            for _ in range(5):
                with times.of("search by a photo of 12 megapixels"):
                    _upload(browser, photo)
            memory = browser.memory()
        finally:
            browser.close()
        print(*times.rows(), sep="\n")
        print(f"First view after {browser.first_view:.2f} s, with the start of the program.")
        print(f"Memory: {memory['VmRSS']} MB at the end, {memory['RssAnon']} of them its own;", end=" ")
        print(f"at most {memory['VmHWM']} MB, with the mapped file of embeddings.")


def _look(
    browser: Browser, times: Times, rng: random.Random, people: list[Person], unassigned: int, number: int
) -> None:
    """Ask for each kind of page once."""
    one, other = rng.choice(people), rng.choice(people)
    letters = f"person {rng.randrange(len(people)):05}"[: rng.randrange(1, 13)]
    pages = {
        "people": f"/people?page={rng.randrange(1, 2 + len(people) // 60)}",
        "clusters to name": f"/people?show=unnamed&page={rng.randrange(1, 2 + len(people) // 100)}",
        "completion of a name": f"/names?{urlencode({'like': letters})}",
        "one person": f"/people/{one.number}",
        "review": "/review",
        "unassigned faces": f"/faces/unassigned?page={rng.randrange(1, 2 + unassigned // 200)}",
        "ignored faces": "/faces/ignored",
        "unreadable photos": "/photos/unreadable",
        "history": "/history",
        "one photo": f"/photo?face={one.example}",
        "photos of two people": f"/search?person={one.number}&person={other.number}",
        "photos of a month": f"/search?since={2000 + rng.randrange(25)}-06&until={2000 + rng.randrange(25)}-06",
        "faces like one": f"/search?face={one.example}",
        "picture of a face": f"/face/{other.example}.jpg",
        "picture of a photo of 12 megapixels": f"/photo/{1 + number % _PHOTOS}.jpg",
    }
    for kind, path in pages.items():
        if "until" in path:
            since, until = sorted(re.findall(r"\d{4}-06", path))
            path = f"/search?since={since}&until={until}"
        with times.of(kind):
            browser.get(path)


def _act(browser: Browser, times: Times, rng: random.Random, people: list[Person], number: int) -> None:
    """Do each kind of action once, and take it back, so that the gallery stays large."""
    one, other = rng.sample([person for person in people if person.faces >= 4], 2)
    faces = [int(face) for face in re.findall(r'name="face" value="(\d+)"', browser.get(f"/people/{one.number}"))]
    some: list[tuple[str, object]] = [("face", face) for face in faces[:3]]
    actions: dict[str, tuple[str, list[tuple[str, object]]]] = {
        "name": (f"/people/{one.number}/name", [("name", f"New name {number}")]),
        "merge": ("/people/merge", [("person", one.number), ("person", other.number)]),
        "split": (f"/people/{one.number}/split", some),
        "move to another": (f"/people/{one.number}/move", [("name", f"Another {number}"), *some]),
        "not this person": (f"/people/{one.number}/deny", some),
        "stranger": ("/faces/ignore", [("reason", "stranger"), *some]),
    }
    for kind, (path, fields) in actions.items():
        with times.of(f"action: {kind}"):
            browser.post(path, *fields)
        _undo(browser, times)
    for said in ("yes", "no", "skip"):
        page = browser.get("/review")
        if 'value="yes"' not in page:
            break
        asked = [(name, re.search(rf'name="{name}" value="(\d+)"', page)) for name in ("face", "person")]
        fields = [(name, found[1]) for name, found in asked if found]
        with times.of(f"action: answer {said}"):
            browser.post("/review", *fields, ("answer", said))
        with times.of("review after an answer"):
            browser.get("/review")
        if said != "skip":
            _undo(browser, times)
    if number % 10 == 9:
        with times.of("status"):
            browser.get("/status")


def _undo(browser: Browser, times: Times) -> None:
    found = re.search(r'name="number" value="(\d+)"', browser.get("/history"))
    assert found
    with times.of("action: undo"):
        browser.post("/history/undo", ("number", found[1]))


def _upload(browser: Browser, photo: bytes) -> None:
    boundary = "faceie-benchmark"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    body = head.encode() + photo + f"\r\n--{boundary}--\r\n".encode()
    browser.ask("POST", "/search", body, f"multipart/form-data; boundary={boundary}")


def _add_photos(gallery: Path, folder: Path) -> bytes:
    """Give some photos of a gallery files of 12 megapixels. Return the content of one."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8))
    path = folder / "photo.jpg"
    coarse.resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
    with Gallery(gallery) as opened, opened._store.transaction():
        for photo in range(1, _PHOTOS + 1):
            link = folder / f"{photo}.jpg"
            link.hardlink_to(path)
            opened._store.db.execute("UPDATE files SET path = ? WHERE photo = ?", (str(link), photo))
    return path.read_bytes()


def _text_of(page: bytes) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.decode("utf-8", "replace")).split())[-300:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    making = commands.add_parser("make")
    making.add_argument("file", type=Path)
    making.add_argument("faces", type=int)
    asking = commands.add_parser("ask")
    asking.add_argument("file", type=Path, nargs="+")
    asking.add_argument("--rounds", type=int, default=20, help="times that each page is asked for (default: 20)")
    arguments = parser.parse_args()
    if arguments.what == "make":
        make(arguments.file, arguments.faces)
    else:
        for file in arguments.file:
            ask(file, arguments.rounds)


if __name__ == "__main__":
    main()
