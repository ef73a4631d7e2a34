"""A gallery of made-up people, and the server of its page: within this process, and as a process of its own."""

from __future__ import annotations

import http.client
import io
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from PIL import Image

from faceie import Gallery

from ..gallery import conftest as made_up
from ..gallery.conftest import QUICK, face_of, put

pytest.importorskip("uvicorn")

from faceie.web.server import Server

no_weights, small_photos = made_up.no_weights, made_up.small_photos  # fixtures

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def picture(number: int) -> bytes:
    """Return a JPEG whose color tells made-up people apart."""
    file = io.BytesIO()
    Image.new("RGB", (100, 128), (67 * number % 256, 101 * number % 256, 160)).save(file, "JPEG")
    return file.getvalue()


def fill_gallery(path: Path, people: int = 8, faces: int = 4, named: int = 2) -> Path:
    """Make a gallery of made-up people with some faces each, of which the first are named Anna, Ben ..."""
    with Gallery(path, options=QUICK) as gallery:
        gallery._weights()
        for number in range(people):
            for variant in range(faces):
                name = f"/photos/{number}-{variant}.jpg"
                put(gallery, name, face_of(number, variant), thumbnail=picture(number), taken=f"20{variant:02}-06-01")
        gallery.cluster()
        for number, name in enumerate(["Anna", "Ben", "Clara", "David"][:named]):
            gallery.name(gallery.face(number * faces + 1).person or 0, name)
    return path


@pytest.fixture
def album(tmp_path: Path, no_weights: None) -> Path:
    """A gallery of eight people, four faces each: Anna, Ben, and six clusters."""
    return fill_gallery(tmp_path / "album.faceie")


class Reply(NamedTuple):
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Client:
    """A browser without a window: keeps the cookie, follows no redirects, and sends any header."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.cookie = ""

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str | None) -> Reply:
        """Ask, with the headers of a browser. A header that is None is left out."""
        given = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie or None}
        if method == "POST":
            given |= {"Origin": self.origin, "Content-Type": "application/x-www-form-urlencoded"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None and "Content-Length" not in given:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return reply

    def get(self, path: str, **headers: str | None) -> Reply:
        """Ask for a page."""
        return self.request("GET", path, **headers)

    def post(self, path: str, fields: Any = (), **headers: str | None) -> Reply:
        """Send a form."""
        return self.request("POST", path, urlencode(fields, doseq=True).encode(), **headers)

    def follow(self, reply: Reply) -> Reply:
        """Follow a redirect."""
        assert reply.status == 303, reply.text
        return self.get(reply.headers["location"])

    def enter(self, address: str) -> Reply:
        """Open the address of the server, and keep its cookie."""
        reply = self.get(address.removeprefix(self.origin))
        self.cookie = reply.headers.get("set-cookie", self.cookie).partition(";")[0]
        return reply


@contextmanager
def running(album: Path) -> Iterator[Server]:
    """Run the server of a gallery in a thread. No view may fail."""
    reports: list[str] = []
    server = Server(album, report=reports.append)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.has_started:
        time.sleep(0.01)
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)
    assert not thread.is_alive()
    assert not reports


@pytest.fixture
def server(album: Path) -> Iterator[Server]:
    """The server of the album."""
    with running(album) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Client:
    """A client that may see the album."""
    client = Client(server.port)
    assert client.enter(server.address).status == 303
    return client


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Client]]:
    """Start the server of another gallery, and return a client that may see it."""
    with ExitStack() as stack:

        def start(album: Path) -> Client:
            server = stack.enter_context(running(album))
            client = Client(server.port)
            assert client.enter(server.address).status == 303
            return client

        yield start


def multipart(files: Mapping[str, bytes], fields: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """Return the type and the body of a form with files, each under its name."""
    parts = [
        f'--limit\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\n\r\n'.encode() + content
        for name, content in files.items()
    ]
    parts += [
        f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in (fields or {}).items()
    ]
    return "multipart/form-data; boundary=limit", b"\r\n".join([*parts, b"--limit--\r\n"])


def heading(reply: Reply) -> str:
    """Return the heading of a page."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", reply.text, re.DOTALL)
    return found[1].strip() if found else ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window. Where FACEIE_BROWSER is set, as in CI, it must be there."""
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None and not os.environ.get("FACEIE_BROWSER"):
        pytest.skip("there is no Chromium on this machine")
    assert path, "FACEIE_BROWSER is set, but there is no Chromium on this machine"
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
