"""``faceie browse``: start, wrong options, and missing packages. Its page: tests/web."""

from __future__ import annotations

import importlib.util
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from faceie import Gallery
from faceie.cli import main

pytest.importorskip("uvicorn")

from faceie.web import server


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """An empty gallery."""
    Gallery(tmp_path / "family.faceie").close()
    return tmp_path / "family.faceie"


def test_browse_opens_the_browser(
    gallery: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address is printed and opened when the server answers. The command ends when it is idle."""
    opened: list[str] = []

    def browser(address: str) -> None:
        opened.append(address)
        with pytest.raises(urllib.error.HTTPError, match="403"):  # this client keeps no cookies
            urllib.request.urlopen(address)

    monkeypatch.setattr("webbrowser.open", browser)
    monkeypatch.setattr(server.serve, "__kwdefaults__", {**(server.serve.__kwdefaults__ or {}), "idle": 0.5})
    assert main(["browse", "--gallery", str(gallery)]) == 0
    out, err = capsys.readouterr()
    assert opened == [out.splitlines()[0]]
    assert opened[0].startswith("http://127.0.0.1:")
    assert err == ""


def test_no_browser_is_opened(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --no-open, the address is printed only."""
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail("a browser was opened"))
    monkeypatch.setattr(server.serve, "__kwdefaults__", {**(server.serve.__kwdefaults__ or {}), "idle": 0.5})
    assert main(["browse", "--no-open", "--gallery", str(gallery)]) == 0


def test_missing_packages(gallery: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the missing package, and the command that installs it."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    assert main(["browse", "--gallery", str(gallery)]) == 1
    message = "faceie: the page needs uvicorn: pip install starlette uvicorn python-multipart\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_wrong_port(gallery: Path, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that cannot be used is a wrong command line."""
    assert main(["browse", "--no-open", "--gallery", str(gallery), "--port", port]) == 2
    assert f"port {port}" in capsys.readouterr().err


def test_no_gallery(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a gallery, the error says how to make one, and no file is made."""
    assert main(["browse", "--gallery", str(tmp_path / "none.faceie")]) == 1
    assert "faceie index makes one" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
