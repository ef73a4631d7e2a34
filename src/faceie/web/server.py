"""The server of the page: a port of this machine, until Ctrl-C, or until it has been idle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from ..errors import OptionError
from .app import Report, build_app

__all__ = ["IDLE", "Server", "serve"]

IDLE = 3600.0  # seconds without a request until the server ends

_LOGGERS = ("asyncio", "multipart", "python_multipart", "uvicorn")  # their messages may hold names and paths


class Server:
    """A server on a port of 127.0.0.1.

    Parameters
    ----------
    path
        File of the gallery, or address of its database.
    port
        Port, or 0 for any free one.
    idle
        Seconds without a request until the server ends.
    report
        Called with a line about each unexpected error.

    Attributes
    ----------
    address : str
        The address to open, with the token.
    """

    def __init__(self, path: Path | str, port: int = 0, idle: float = IDLE, report: Report = lambda line: None) -> None:
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._guard = build_app(path, self.port, report)
        self._idle = idle
        self._last = time.monotonic()
        config = uvicorn.Config(
            self._application,
            log_config=None,
            log_level="critical",
            access_log=False,
            interface="asgi3",
            proxy_headers=False,
            ws="none",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=3,
        )
        self._server = uvicorn.Server(config)

    @property
    def address(self) -> str:
        """The address to open, with the token."""
        return f"http://127.0.0.1:{self.port}/?token={self._guard.token}"

    @property
    def has_started(self) -> bool:
        """Whether requests are answered."""
        return self._server.started

    def run(self) -> None:
        """Answer requests until `stop` is called, Ctrl-C is pressed, or the server is idle."""
        asyncio.run(self._run())

    def stop(self) -> None:
        """End `run`. May be called in another thread."""
        self._server.should_exit = True

    async def _run(self) -> None:
        watch = asyncio.create_task(self._watch())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            watch.cancel()
            self._socket.close()

    async def _watch(self) -> None:
        while time.monotonic() - self._last < self._idle:
            await asyncio.sleep(min(1.0, self._idle))
        self.stop()

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/status":  # which open pages ask for by themselves
            self._last = time.monotonic()
        await self._guard(scope, receive, send)


def serve(
    path: Path | str, *, port: int = 0, started: Callable[[str], None], report: Report, idle: float = IDLE
) -> None:
    """Serve a gallery until Ctrl-C, or until it is idle. Call `started` with the address once it answers."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    server = Server(path, port, idle, report)
    threading.Thread(target=_call_when_started, args=(server, started), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


def _call_when_started(server: Server, started: Callable[[str], None]) -> None:
    address = server.address
    for _ in range(1000):
        if server.has_started:
            started(address)
            return
        time.sleep(0.01)


def _listen(port: int) -> socket.socket:
    # With the protocol, or else asyncio leaves TCP_NODELAY off, and each answer takes 40 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise OptionError(f"port {port}: cannot be used on this machine. Choose another one, or none") from error
    return listener
