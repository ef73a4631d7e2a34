"""``faceie browse``: see who is there, and say who they are, in a browser."""

from __future__ import annotations

import argparse
import importlib.util
import webbrowser
from pathlib import Path
from typing import Any

from .. import FaceieError, Gallery
from .parser import add_command
from .terminal import OK, error, write

__all__ = ["add_parser"]

_DESCRIPTION = """\
Open the gallery in a browser: see who is there, name people, and correct mistakes.
The page is served on this machine only (127.0.0.1), to the browser that opens the
printed address first. It ends with Ctrl-C, or after an hour without use.
"""

_PACKAGES = "starlette uvicorn python-multipart"


def add_parser(commands: Any) -> None:
    """Add this command to the parser."""
    parser = add_command(
        commands,
        "browse",
        run,
        help="see and name the people in the gallery, in a browser",
        description=_DESCRIPTION,
        gallery=True,
    )
    parser.add_argument("--port", type=int, default=0, metavar="NUMBER", help="port to use (default: any free one)")
    parser.add_argument("--no-open", action="store_true", help="print the address only, and open no browser")


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    for module in ("starlette", "uvicorn", "python_multipart"):
        if importlib.util.find_spec(module) is None:
            raise FaceieError(f"the page needs {module}: pip install {_PACKAGES}")
    from ..web.server import serve  # only this command needs these packages

    with Gallery(arguments.gallery, create=False) as gallery:
        path = gallery.path if isinstance(gallery.path, Path) else arguments.gallery  # with its password

    def started(address: str) -> None:
        write(f"{address}\nCtrl-C ends it.")
        if not arguments.no_open:
            webbrowser.open(address)

    serve(path, port=arguments.port, started=started, report=error)
    return OK
