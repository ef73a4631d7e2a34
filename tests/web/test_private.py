"""The server opens no connection, listens on this machine only, and stores nothing of an upload."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from faceie import Gallery

from ..gallery.conftest import QUICK, needs_weights
from .conftest import Client, multipart

# The process dies when it asks for anything of the network but to listen on this machine, and when it writes a file
# that does not belong to the gallery. (sitecustomize is imported at the start of each process.)
_GUARD = """
import os, sys
FOLDER = os.environ["GALLERY_FOLDER"]
def forbid(event, arguments):
    bad = event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "os.system")
    bad = bad or (event == "socket.bind" and arguments[1][0] != "127.0.0.1")
    bad = bad or event in ("tempfile.mkstemp", "tempfile.mkdtemp")
    bad = bad or (event == "subprocess.Popen" and arguments[0] != "/sbin/ldconfig")  # by old versions of threadpoolctl
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        bad = not str(arguments[0]).startswith((FOLDER, "/dev/null", "/proc/self/"))
    if bad:
        print("forbidden:", event, arguments, file=sys.stderr, flush=True)
        os._exit(99)
sys.addaudithook(forbid)
"""


@pytest.fixture
def guarded(tmp_path: Path, small_photos: Path) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """``faceie browse`` as a guarded process, and a client that may see its page."""
    folder = tmp_path / "gallery"
    folder.mkdir()
    with Gallery(folder / "family.faceie", options=QUICK) as gallery:
        gallery.index([small_photos], workers=1)
        gallery.cluster()
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(_GUARD)
    paths = [str(tmp_path / "guard"), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GALLERY_FOLDER": str(folder),
    }
    command = [sys.executable, "-m", "faceie", "browse", "--no-open", "--gallery", str(folder / "family.faceie")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)
    assert process.stdout
    address = process.stdout.readline().strip()
    client = Client(urlsplit(address).port or 0)
    assert client.enter(address).status == 303
    yield process, client
    process.kill()
    process.communicate()


@needs_weights
def test_the_server_keeps_to_itself(guarded: tuple[subprocess.Popen[str], Client], small_photos: Path) -> None:
    """All views are seen, a name is given, a box is drawn, and photos are searched for.

    One of them is large: a server might put it into a temporary file.
    """
    process, client = guarded
    photo = (small_photos / "obama.jpg").read_bytes()
    for path in (
        "/people",
        "/people/1",
        "/review",
        "/photo?face=1",
        "/photo/1.jpg",
        "/face/1/large.jpg",
        "/search?face=1",
    ):
        assert client.get(path).status == 200, path
    assert client.post("/people/1/name", {"name": "Anna"}).status == 303
    assert client.post("/photo/1/add", {"x1": 10, "y1": 10, "x2": 80, "y2": 90}).status == 303
    kind, body = multipart({"photo": photo, "photo2": photo + bytes(3 << 20)})
    found = client.request("POST", "/search", body, Content_Type=kind)
    assert found.status == 200
    assert found.text.count("data:image/jpeg") == 2
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.create_server(('0.0.0.0', 0))",
        "import tempfile; tempfile.TemporaryFile()",
        "open('note.txt', 'w')",
    ],
)
def test_the_guard_would_notice(tmp_path: Path, line: str) -> None:
    """The test above can fail: each of these ends a process."""
    (tmp_path / "sitecustomize.py").write_text(_GUARD)
    variables = {**os.environ, "PYTHONPATH": str(tmp_path), "GALLERY_FOLDER": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", line], env=variables, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 99
