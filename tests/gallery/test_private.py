"""No connection is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .conftest import needs_weights

# Each process, spawned ones included, dies when it asks for anything of the network. (sitecustomize is imported at the
# start of each.)
_GUARD = """
import os, sys
def forbid(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        print("the network:", event, arguments, file=sys.stderr, flush=True)
        os._exit(99)
sys.addaudithook(forbid)
"""

_USE = """
import sys
from faceie import Gallery
if __name__ == "__main__":
    with Gallery(sys.argv[1]) as gallery:
        report = gallery.index([sys.argv[2]], workers=2)
        assert report.analyzed == 5, report
        assert gallery.search(sys.argv[2] + "/biden.jpg")
        assert gallery.people()
"""


def run(tmp_path: Path, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    (tmp_path / "sitecustomize.py").write_text(_GUARD)
    (tmp_path / "program.py").write_text(program)
    import os

    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, tmp_path / "program.py", *arguments]
    return subprocess.run(command, capture_output=True, env=variables, timeout=60, check=False)


@needs_weights
def test_no_connection_is_opened(tmp_path: Path, small_photos: Path) -> None:
    """Neither by index and its processes, nor by search and people."""
    done = run(tmp_path, _USE, tmp_path / "g.faceie", small_photos)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_guard_would_notice(tmp_path: Path) -> None:
    """The test above can fail: a process that connects ends at once."""
    done = run(tmp_path, "import socket; socket.create_connection(('127.0.0.1', 9))")
    assert done.returncode == 99
