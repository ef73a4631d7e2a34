"""Downloads, from a server on this machine that fails in the ways servers fail."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from faceie.errors import WeightsError, WeightsNotFoundError
from faceie.weights import fetch, readers, registry, safetensors

from . import makers

NUMBERS = {"a": np.arange(2000, dtype=np.float32)}
FILE = makers.torch_zip(*makers.torch_state_dict(NUMBERS))
NAME = "20180408-102900-casia-webface.pt"
SLEEP = time.sleep


class Server(ThreadingHTTPServer):
    """Answers each request by the next of its `answers`, and the last of them for ever."""

    answers: list[str]
    requests: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{NAME}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        answers = self.server.answers
        answer = answers[min(self.server.requests, len(answers) - 1)]
        self.server.requests += 1
        if answer.isdigit():
            self.send_error(int(answer))
        elif answer == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/elsewhere/{NAME}")
            self.end_headers()
        elif answer == "hang":
            SLEEP(2)
        else:
            body = {"file": FILE, "cut": FILE, "page": b"<!DOCTYPE html><p>Please log in", "noise": bytes(3000)}[answer]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if answer == "cut" else body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No folder of this machine's user is touched, and there is no delay between attempts."""
    for name in ("FACEIE_CACHE", "FACEIE_MIRROR", "FACEIE_OFFLINE", "http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("FACEIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(fetch, "_TIMEOUT", 0.5)


def convert(source: Path, target: Path, name: str) -> None:
    """Stand in for `faceie.facenet.loading.convert_published`: our format of any dictionary of tensors."""
    safetensors.write(target, readers.read(source).tensors, {"name": name})


def mirror(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("FACEIE_MIRROR", f"http://127.0.0.1:{server.server_port}/")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        (["file"], 1),
        (["redirect", "file"], 2),
        (["500", "503", "file"], 3),
        (["cut", "cut", "file"], 3),
        (["hang", "file"], 2),
    ],
    ids=str,
)
def test_download(
    answers: list[str], requests: int, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file is downloaded, converted and kept, also after temporary failures. The second time, there is no request."""
    server.answers = answers
    mirror(monkeypatch, server)
    path = registry.locate("casia-webface", convert)
    assert path == tmp_path / "cache/weights/casia-webface.safetensors"
    assert np.array_equal(safetensors.read(path)[0]["a"], NUMBERS["a"])
    assert left(tmp_path) == ["casia-webface.safetensors"]
    assert registry.locate("casia-webface", convert) == path
    assert server.requests == requests


@pytest.mark.parametrize(
    ("answer", "message", "requests"),
    [
        ("404", "404 Client Error", 1),
        ("403", "403 Client Error", 1),
        ("500", "500 Server Error", 3),
        ("cut", "IncompleteRead|cannot be used", 3),
        ("page", "the downloaded file cannot be used: .*it is a web page", 1),
        ("noise", "the downloaded file cannot be used: .*no format known here", 1),
        ("hang", "timed out", 3),
    ],
)
def test_download_fails(
    answer: str, message: str, requests: int, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error lists all attempts and remedies. No file is left. Permanent failures are not tried again."""
    server.answers = [answer]
    mirror(monkeypatch, server)
    with pytest.raises(WeightsNotFoundError, match=message) as caught:
        registry.locate("casia-webface", convert)
    for part in (server.address, "casia-webface.safetensors: not there", "FACEIE_MIRROR", "pathlib.Path", "github.com"):
        assert part in str(caught.value)
    assert ".download" not in str(caught.value)
    assert left(tmp_path) == []
    assert server.requests == requests


@pytest.mark.parametrize("answers", [["page", "noise", "file"], ["file"], ["noise"]], ids=str)
def test_known_hash(answers: list[str], server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the SHA-256 is known, another file is refused and tried again; the error has both hashes."""
    server.answers = answers
    sha256 = hashlib.sha256(FILE).hexdigest()
    published = registry.PUBLISHED["casia-webface"]._replace(address=server.address, sha256=sha256)
    monkeypatch.setitem(registry.PUBLISHED, "casia-webface", published)
    if "file" in answers:
        assert registry.locate("casia-webface", convert).is_file()
        assert server.requests == len(answers)
    else:
        with pytest.raises(WeightsNotFoundError, match=f"expected sha256:{sha256} but got [0-9a-f]{{64}}"):
            registry.locate("casia-webface", convert)
        assert left(tmp_path) == []


def test_cache_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the cache without the name in its metadata is checked, and then gets it."""
    monkeypatch.setenv("FACEIE_OFFLINE", "1")
    cached = tmp_path / "cache/weights/casia-webface.safetensors"
    for about in ({}, {"name": "vggface2"}):
        safetensors.write(cached, NUMBERS, about)
        assert registry.find("casia-webface") is None
        assert registry.locate("casia-webface", convert) == cached
        assert registry.find("casia-webface") == cached
    cached.write_bytes(b"damaged")
    with pytest.raises(WeightsNotFoundError, match=r"casia-webface.safetensors: this is not a file of weights"):
        registry.locate("casia-webface", convert)


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does not answer is an error like the others."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FACEIE_MIRROR", f"http://127.0.0.1:{unused.getsockname()[1]}")
    with pytest.raises(WeightsNotFoundError, match="Connection refused"):
        registry.locate("casia-webface", convert)


def test_offline_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """With FACEIE_OFFLINE there is no request, and the error has the reason."""

    def forbidden(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    monkeypatch.setenv("FACEIE_OFFLINE", "1")
    with pytest.raises(WeightsNotFoundError, match="not tried, since FACEIE_OFFLINE is set"):
        registry.locate("casia-webface", convert)
    for value, offline in (("", False), ("0", False), ("no", False), ("yes", True)):
        monkeypatch.setenv("FACEIE_OFFLINE", value)
        assert fetch.is_offline() == offline


def test_cache_of_facenet_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that facenet-pytorch has downloaded is converted, and left where it is; a broken one is reported."""
    monkeypatch.setenv("FACEIE_OFFLINE", "1")
    theirs = tmp_path / "torch/checkpoints" / NAME
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(FILE[:100])
    with pytest.raises(WeightsNotFoundError, match=r"casia-webface\.pt: this is not a whole and sound PyTorch file"):
        registry.locate("casia-webface", convert)
    theirs.write_bytes(FILE)
    assert np.array_equal(safetensors.read(registry.locate("casia-webface", convert))[0]["a"], NUMBERS["a"])
    assert theirs.read_bytes() == FILE


def test_cache_that_cannot_be_written(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is not a folder is reported, among all other attempts."""
    server.answers = ["file"]
    mirror(monkeypatch, server)
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(WeightsNotFoundError, match=r"the folder .*cache.* for downloads cannot be made"):
        registry.locate("casia-webface", convert)


def test_two_processes_at_once(tmp_path: Path, server: Server) -> None:
    """Two processes that want the same weights both get them, and leave one file."""
    server.answers = ["file"]
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.weights.test_fetch import convert\n"
        "from faceie.weights import registry\n"
        "print(registry.locate('casia-webface', convert))"
    )
    environment = {
        **os.environ,
        "FACEIE_MIRROR": server.address.removesuffix(NAME),
    }
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(root)]
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert outputs == {str(tmp_path / "cache/weights/casia-webface.safetensors")}
    assert left(tmp_path / "cache") == ["casia-webface.safetensors"]
    assert all(process.returncode == 0 for process in processes)


def test_progress_on_a_terminal_only(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bar is drawn on a terminal; nothing is written when it is piped."""
    server.answers = ["file"]
    fetch.fetch(server.address, tmp_path, lambda file: None)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch.fetch(server.address, tmp_path, lambda file: None)
    assert "100%" in capsys.readouterr().err


def test_real_addresses() -> None:
    """The published weights are where facenet-pytorch 2.6.0 has them."""
    release = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
    assert {name: published.address for name, published in registry.PUBLISHED.items()} == {
        "vggface2": f"{release}20180402-114759-vggface2.pt",
        "casia-webface": f"{release}20180408-102900-casia-webface.pt",
    }
    assert fetch.mirrored(f"{release}{NAME}") == f"{release}{NAME}"


def test_unknown_name() -> None:
    """The error lists the known names, and suggests one."""
    with pytest.raises(WeightsNotFoundError, match=r'"vggface"; did you mean "vggface2"\? There are "vggface2" and'):
        registry.locate("vggface", convert)
    with pytest.raises(
        WeightsNotFoundError, match=r'no weights are called "weights.pt". There are .* is given as a Path'
    ):
        registry.find("weights.pt")


def test_default_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without FACEIE_CACHE, the cache is the platform's."""
    monkeypatch.delenv("FACEIE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert registry.cache_folder().name == "faceie"


def test_errors_are_ours() -> None:
    """WeightsNotFoundError is a WeightsError."""
    assert issubclass(WeightsNotFoundError, WeightsError)
