"""The application of the page: its routes, and the way from a request through a view to a response.

Views run in threads, with the gallery for their kind of work (`Desk`).

Nothing is reported except the place of an unexpected error: messages may hold names and paths.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route as HttpRoute

from ..errors import FaceieError, GalleryError
from ..gallery import Action
from .desk import Desk
from .layout import lay_out
from .markup import fill, stylesheet
from .security import MAX_UPLOAD, Guard
from .views import ROUTES, Route
from .visit import Data, Done, Page, Picture, RequestError, Values, Visit

__all__ = ["Report", "build_app"]

Report = Callable[[str], None]

_STATIC = {
    "page.js": "text/javascript",
    "photo.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "nobody.svg": "image/svg+xml",
}


def build_app(path: Path | str, port: int, report: Report) -> Guard:
    """Return the guarded application for a gallery. Its ``token`` opens it, once.

    Parameters
    ----------
    path
        File of the gallery, or address of its database.
    port
        Port of the server.
    report
        Called with a line about each unexpected error, which holds no names.
    """
    desk = Desk(path)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        desk.start()
        yield
        desk.close()

    views = [HttpRoute(one.path, _endpoint(desk, one, report), methods=[one.method]) for one in ROUTES]
    app = Starlette(
        routes=[HttpRoute("/", _first_page), HttpRoute("/static/{name}", _static), *views],
        exception_handlers={404: _not_found, 405: _not_found},
        lifespan=lifespan,
    )
    return Guard(app, port, {one.path for one in ROUTES if one.takes_uploads})


class _MemoryParser(MultiPartParser):
    """A parser of uploads that never writes them to a file."""

    spool_max_size = max_file_size = MAX_UPLOAD + 1  # the name in newer and older versions of Starlette


def _respond(route: Route, visit: Visit) -> Response:
    """Turn the answer of a view into an HTTP response."""
    before = visit.gallery.actions(1) if route.method == "POST" else []
    answer = route.view(visit)
    if isinstance(answer, Done):
        after = visit.gallery.actions(1) if route.method == "POST" else []
        path, _, query = answer.to.partition("?")
        values = [pair for pair in parse_qsl(query) if pair[0] not in ("done", "undone")]
        if answer.undone:
            values.append(("undone", str(answer.undone)))
        elif after != before and after:
            values.append(("done", str(after[0].number)))
        return RedirectResponse(f"{path}?{urlencode(values)}" if values else path, 303)
    if isinstance(answer, Picture):
        return Response(
            answer.jpeg,
            media_type="image/jpeg",
            headers={"Cache-Control": "private, max-age=31536000, immutable"},
        )
    if isinstance(answer, Data):
        return JSONResponse(answer.value)
    return HTMLResponse(lay_out(answer, visit.path, *_just_done(visit)), answer.status)


def _just_done(visit: Visit) -> tuple[Action | None, int]:
    """Return the action that a page was redirected after, if no other has followed, and the number of undone ones."""
    done = visit.number("done", 0)
    last = visit.gallery.actions(1) if done else []
    return next((action for action in last if action.number == done), None), visit.number("undone", 0)


def _endpoint(desk: Desk, route: Route, report: Report) -> Callable[[Request], Awaitable[Response]]:
    def answer(path: str, numbers: dict[str, int], values: Values, files: list[bytes]) -> Response:
        with desk.gallery(route.work) as gallery:
            return _respond(route, Visit(gallery, path, numbers, values, files))

    async def endpoint(request: Request) -> Response:
        values = parse_qsl(request.url.query, keep_blank_values=True)
        files: list[bytes] = []
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        try:
            if route.method == "POST":
                fields, files = await _form(request)
                values += fields
                if not route.takes_uploads:
                    desk.note_change()
            return await run_in_threadpool(answer, path, request.path_params, values, files)
        except FaceieError as error:
            return _failure(_status(error), str(error).removeprefix(f"{desk.path}: "))
        except Exception as error:
            report(f"unexpected {type(error).__name__} at {_place(error)}")
            return _failure(500, "Something unexpected went wrong. Nothing was changed.")

    return endpoint


async def _form(request: Request) -> tuple[list[tuple[str, str]], list[bytes]]:
    """Return the fields and the files of a form."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        text = (await request.body()).decode("utf-8", "replace")
        return parse_qsl(text, keep_blank_values=True), []
    try:
        form = await _MemoryParser(request.headers, request.stream(), max_files=100, max_fields=1000).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise RequestError("This upload cannot be read.") from error
    fields: list[tuple[str, str]] = []
    files: list[bytes] = []
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.append((name, value))
        elif value.filename:  # a field without a chosen file is empty
            files.append(await value.read())
    await form.close()
    return fields, files


def _status(error: FaceieError) -> int:
    if isinstance(error, RequestError):
        return error.status
    return 409 if isinstance(error, GalleryError) else 400


def _failure(status: int, message: str) -> Response:
    title = "Not found" if status == 404 else "That did not work"
    return HTMLResponse(lay_out(Page(title, fill("failure", title=title, text=message))), status)


def _place(error: BaseException) -> str:
    """Return the places in the source that an error has passed: no values, which may be private."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)


async def _first_page(request: Request) -> Response:
    return RedirectResponse("/people", 303)


async def _not_found(request: Request, error: Exception) -> Response:
    return _failure(404, "There is no such page.")


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name == "style.css":
        return Response(stylesheet(), media_type="text/css")
    if name not in _STATIC:
        raise HTTPException(404)
    text = (resources.files(__package__) / "static" / name).read_text("utf-8")
    return Response(text, media_type=_STATIC[name])
