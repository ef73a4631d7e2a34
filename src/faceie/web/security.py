"""Keep everything out except the user's own browser.

The server listens on 127.0.0.1, where other programs of this machine, and pages of other sites in the user's browser,
can reach it. `Guard` is an ASGI application around the server's own. It refuses:

- a ``Host`` that is not this machine with this port. A hostile site can change the address of its name to 127.0.0.1
  (DNS rebinding), and would then be the same site for the browser;
- requests without the cookie. `faceie browse` opens an address with a token, which is exchanged for the cookie once;
- a change that another site asks for: POST requires an ``Origin`` that is this site. Browsers hide it in plain forms of
  pages without referrers ("null"), and then tell in ``Sec-Fetch-Site`` that the form is ours;
- bodies above a limit, whatever their ``Content-Length`` says.

Each answer forbids the browser to keep it, to frame it, to load anything from elsewhere, and to run other scripts.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_FORM", "MAX_UPLOAD", "Guard"]

MAX_FORM = 4 << 20  # bytes: a form with 200,000 selected faces
MAX_UPLOAD = 256 << 20  # bytes: some photos at once, held in memory

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """The guard of a server: an ASGI application around another one.

    Parameters
    ----------
    app
        The application to guard.
    port
        The port of the server.
    uploads
        Paths that take photos, and so larger bodies.

    Attributes
    ----------
    token : str
        The token that is exchanged for the cookie, once.
    """

    def __init__(self, app: ASGIApp, port: int, uploads: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = {f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")}
        self._cookie_name = f"faceie-{port}"  # browsers do not tell ports of a host apart
        self._cookie = secrets.token_urlsafe(32)
        self._uploads = uploads
        self.token = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served")
        headers = Headers(scope=scope)
        refusal = self._refuse(scope, headers)
        if refusal is not None:
            return await refusal(scope, receive, _guarded(send))
        limit = MAX_UPLOAD if scope["path"] in self._uploads else MAX_FORM
        body = await _read(headers, receive, limit)
        if body is None:
            message = f"This is too much at once: expected at most {limit >> 20} MB."
            return await PlainTextResponse(message, 413)(scope, receive, _guarded(send))
        return await self._app(scope, _replay(body, receive), _guarded(send))

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that must not pass, or None for others."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return PlainTextResponse("Faceie answers only under the address that faceie browse has printed.", 421)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Only GET and POST are answered.", 405)
        is_known = self._has_cookie(headers)
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if scope["method"] == "GET" and tokens:
            return self._exchange(tokens[-1], is_known)
        if not is_known:
            return PlainTextResponse(
                "This page is private. Open the address that faceie browse has printed; it works once, in one browser. "
                "For another browser, run faceie browse again.",
                403,
            )
        if scope["method"] == "POST" and not _is_ours(headers, f"http://{hosts[0].lower()}"):
            return PlainTextResponse("Another site has asked for this change. It was not made.", 403)
        return None

    def _exchange(self, token: str, is_known: bool) -> Response | None:
        """Exchange the token for the cookie, and take it out of the address."""
        if is_known:
            return RedirectResponse("/", 303)
        if not self.token or not hmac.compare_digest(token.encode(), self.token.encode()):
            return PlainTextResponse("This address has been used before. Run faceie browse again for another.", 403)
        self.token = ""
        response = RedirectResponse("/", 303)
        response.set_cookie(self._cookie_name, self._cookie, path="/", httponly=True, samesite="strict")
        return response

    def _has_cookie(self, headers: Headers) -> bool:
        for header in headers.getlist("cookie"):
            try:
                morsel = SimpleCookie(header).get(self._cookie_name)
            except CookieError:
                continue
            if morsel is not None and hmac.compare_digest(morsel.value.encode(), self._cookie.encode()):
                return True
        return False


def _is_ours(headers: Headers, site: str) -> bool:
    """Tell whether a page of this site asks for a change."""
    origins = headers.getlist("origin")
    return origins == [site] or (origins == ["null"] and headers.getlist("sec-fetch-site") == ["same-origin"])


def _guarded(send: Send) -> Send:
    """Return a `send` that adds the headers of all answers."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Cache-Control", "no-store")
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return guarded


async def _read(headers: Headers, receive: Receive, limit: int) -> bytes | None:
    """Return the body of a request, or None if it is longer than the limit."""
    announced = headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > limit:
        return None
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > limit:
            return None
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the whole body at once, and then the later messages."""
    is_read = False

    async def replay() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
