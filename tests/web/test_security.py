"""Attacks on the server of the page: each is tried, and refused."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from faceie import Gallery, OptionError
from faceie.web.security import MAX_FORM
from faceie.web.server import Server
from faceie.web.views import ROUTES
from faceie.web.visit import local_path

from .conftest import Client, heading


def people(album: Path) -> list[str | None]:
    """Return the names of all people and clusters."""
    with Gallery(album) as gallery:
        return [person.name for person in gallery.people()]


# DNS rebinding: the name of a hostile site leads to 127.0.0.1


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",  # another port: 80
        "127.0.0.1:1",
        "127.0.0.1.:{port}",
        "localhost.:{port}",
        "localhost.evil.example:{port}",
        "127.0.0.1.nip.io:{port}",
        "evil.example#@127.0.0.1:{port}",
        "user@127.0.0.1:{port}",
        "[::1]",
        "[::1]:1",
        "::1:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "0.0.0.0:{port}",
        "2130706433:{port}",
        "127.1:{port}",
        "",
        None,
    ],
)
def test_another_host_is_refused(client: Client, host: str | None) -> None:
    """Even with the cookie, and whatever the method: only the addresses of this machine with this port are answered."""
    given = host and host.format(port=client.port)
    for reply in (client.get("/people", Host=given), client.post("/history/undo", {"number": 1}, Host=given)):
        assert reply.status in (400, 421)
        assert "Anna" not in reply.text


def test_two_hosts_are_refused(client: Client) -> None:
    """A request with two Host headers is not answered, whichever comes first."""
    good, bad = f"Host: 127.0.0.1:{client.port}\r\n", "Host: evil.example\r\n"
    for hosts in (good + bad, bad + good):
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
            connection.sendall(f"GET /people HTTP/1.1\r\n{hosts}Cookie: {client.cookie}\r\n\r\n".encode())
            answer = connection.recv(65536)
        assert re.match(rb"HTTP/1.1 (400|421)", answer)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LocalHost:{port}", "[::1]:{port}"])
def test_this_machine_is_answered(client: Client, host: str) -> None:
    """All names of this machine work, in any case."""
    assert client.get("/people", Host=host.format(port=client.port)).status == 200


# Other programs and users of this machine


@pytest.mark.parametrize(
    "cookie", ["", "faceie=x", "faceie-{port}=", "faceie-{port}=guess", "\xff;;=", "a b=c; {port}"]
)
def test_no_page_without_the_cookie(client: Client, cookie: str) -> None:
    """Pages, pictures, scripts and changes need the cookie."""
    given = cookie.format(port=client.port)
    paths = ["/", "/people", "/people/1", "/face/1.jpg", "/names?like=a", "/static/page.js", "/nowhere", "/?token="]
    for reply in [client.get(path, Cookie=given) for path in paths]:
        assert reply.status == 403
        assert "Anna" not in reply.text
    assert client.post("/history/undo", {"number": 1}, Cookie=given).status == 403


def test_the_token_works_once(server: Server) -> None:
    """The token leaves the address at once, and is of no use afterwards. A wrong one does not use it up."""
    address = server.address
    first, second = Client(server.port), Client(server.port)
    assert second.enter(f"{first.origin}/?token=guess").status == 403
    reply = first.enter(address)
    assert (reply.status, reply.headers["location"]) == (303, "/")
    assert re.fullmatch(
        rf"faceie-{server.port}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=strict", reply.headers["set-cookie"]
    )
    assert second.enter(address).status == 403
    assert second.get("/people").status == 403
    assert first.enter(address).status == 303  # the browser that has the cookie may open it again
    assert first.get("/people").status == 200


def test_only_this_machine_is_listened_to(server: Server) -> None:
    """The socket is bound to 127.0.0.1."""
    assert server._socket.getsockname()[0] == "127.0.0.1"


# Other sites in the user's browser


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1", "http://127.0.0.1:1", "*"],
)
def test_changes_of_other_sites_are_refused(client: Client, album: Path, origin: str | None) -> None:
    """A form of another site, of another port, or without an origin changes nothing."""
    before = people(album)
    for route in ROUTES:
        if route.method == "POST":
            path = re.sub(r"\{\w+:int\}", "1", route.path)
            reply = client.post(path, {"name": "Eve", "face": 1}, Origin=origin and origin.format(port=client.port))
            assert reply.status == 403, path
    assert people(album) == before


@pytest.mark.parametrize(("site", "status"), [("same-origin", 303), ("same-site", 403), ("cross-site", 403), ("", 403)])
def test_forms_that_hide_their_origin(client: Client, site: str, status: int) -> None:
    """A browser sends "null" for a plain form, and tells whether the form is ours, of another port, or of a site."""
    fields = {"face": 1, "reason": "stranger"}
    assert client.post("/faces/ignore", fields, Origin="null", Sec_Fetch_Site=site or None).status == status


def test_nothing_is_changed_by_get(client: Client, album: Path) -> None:
    """A link or a picture of another site changes nothing: changes need POST."""
    before = people(album)
    for route in ROUTES:
        if route.method == "POST":
            path = re.sub(r"\{\w+:int\}", "1", route.path)
            reply = client.get(f"{path}?name=Eve&face=1&number=1&answer=yes")
            assert reply.status == 404 or any(path == other.path for other in ROUTES if other.method == "GET"), path
    assert people(album) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    """Only GET, HEAD and POST are answered: no preflight of another site succeeds."""
    reply = client.request(method, "/people", Origin="http://evil.example")
    assert reply.status in (400, 405)
    assert not [name for name in reply.headers if name.lower().startswith("access-control")]


def test_headers_forbid_the_rest(client: Client) -> None:
    """Every answer, refusals and errors included, forbids scripts, frames, copies and referrers to other sites."""
    for path in ("/people", "/static/page.js", "/static/style.css", "/nowhere", "/people/999", "/"):
        for cookie in (client.cookie, ""):
            headers = client.get(path, Cookie=cookie).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; ")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "server" not in headers


def test_pictures_never_change(client: Client) -> None:
    """Only thumbnails may be kept, by the user's own browser: they never change under their address."""
    reply = client.get("/face/1.jpg")
    assert (reply.headers["content-type"], reply.body[:2]) == ("image/jpeg", b"\xff\xd8")
    assert reply.headers["cache-control"] == "private, max-age=31536000, immutable"


# Paths, addresses and text


@pytest.mark.parametrize(
    "path",
    [
        "/face/../../etc/passwd",
        "/face/..%2f..%2fetc%2fpasswd.jpg",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
        "/static/page.js%00.css",
        "/face/1.jpg/../../static",
        "/photo//etc/passwd.jpg",
        "//etc/passwd",
    ],
)
def test_no_file_is_served_by_its_path(client: Client, path: str) -> None:
    """Pictures have ids, and the four files of the page their names: no path leads elsewhere."""
    reply = client.get(path)
    assert reply.status in (400, 404)
    assert b"root:" not in reply.body
    assert b"import" not in reply.body


@pytest.mark.parametrize(
    "path", ["/face/999999.jpg", "/face/99999999999999999999999.jpg", "/people/99999999999999999999"]
)
def test_unknown_numbers(client: Client, path: str) -> None:
    """An unknown number is an error, however large it is."""
    assert client.get(path).status in (400, 404, 409)


@pytest.mark.parametrize(
    "goal",
    [
        "//evil.example",
        "http://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil",
        "///evil.example",
        "people",
        "",
    ],
)
def test_a_form_leads_to_no_other_site(client: Client, goal: str) -> None:
    """After a change, the browser is sent to a page of this site, whatever the form says."""
    assert local_path(goal, "/people") == "/people"
    location = client.post("/people/1/name", {"name": "Anna", "next": goal}).headers["location"]
    assert urlsplit(location).path == "/people"
    assert not urlsplit(location).netloc


def test_a_name_of_markup_is_text(client: Client, album: Path) -> None:
    """A name of markup stays a name on every page, and in the answer for the script."""
    name = "<script>alert(1)</script>\"'&"
    with Gallery(album) as gallery:
        number = gallery.name("Anna", name)
    pages = ["/people", f"/people/{number}", "/history", "/names?like=<script", "/faces/unassigned"]
    shown = [client.follow(client.post(f"/people/{number}/name", {"name": f"{name}!"})), *map(client.get, pages)]
    for reply in shown:
        if reply.headers["content-type"].startswith("text/html"):
            assert "<script>alert" not in reply.text
            assert "<script src" in reply.text
    taken = client.post(f"/people/{number + 1}/name", {"name": f"{name}!"})
    assert "<script>alert" not in taken.text
    assert "&lt;script&gt;" in heading(taken)


# Too much


def test_a_large_body_is_refused(client: Client) -> None:
    """A body above the limit is not read to its end, whether its length is announced, wrong, or not told."""
    assert client.request("POST", "/people/merge", b"", Content_Length=str(MAX_FORM + 1)).status == 413
    assert client.request("POST", "/people/merge", b"x=1", Content_Length="-1").status in (400, 413)
    assert client.request("POST", "/people/merge", b"x=1", Content_Length="1e3").status in (400, 413)
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
    connection.putrequest("POST", "/people/merge")
    for name, value in {"Cookie": client.cookie, "Origin": client.origin, "Transfer-Encoding": "chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    try:
        for _ in range(MAX_FORM // 0x10000 + 64):
            connection.send(part)
    except OSError:
        pass  # the server has answered and closed
    else:
        assert connection.getresponse().status == 413
    connection.close()
    assert client.get("/people").status == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"--b\r\n\r\n"),
        ("multipart/form-data; boundary=a", b"--a\r\nContent-Disposition: form-data\r\n\r\nx\r\n--a--\r\n"),
        ("application/json", b'{"person": [1, 2]}'),
        ("application/x-www-form-urlencoded", b"\xff\xfe=%ff&person=%zz&face"),
        ("", b"person=\x00"),
    ],
)
def test_a_broken_form_is_an_error(client: Client, album: Path, kind: str, body: bytes) -> None:
    """A form that cannot be read is refused with a message, and changes nothing."""
    before = people(album)
    reply = client.request("POST", "/people/merge", body, Content_Type=kind)
    assert (reply.status, heading(reply)) == (400, "That did not work")
    assert people(album) == before


# The end, and the log


def test_an_idle_server_ends(album: Path) -> None:
    """A server without requests ends by itself."""
    server = Server(album, idle=0.2)
    thread = threading.Thread(target=server.run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_wrong_port(album: Path, port: int) -> None:
    """A number that is not a port is a wrong option; so is a port in use."""
    with pytest.raises(OptionError, match="port"):
        Server(album, port)


def test_a_port_in_use(album: Path, server: Server) -> None:
    """The error names the port."""
    with pytest.raises(OptionError, match=str(server.port)):
        Server(album, server.port)


def test_nothing_printed_holds_names(album: Path) -> None:
    """The command prints its address and nothing about requests, names, errors of users and unexpected errors."""
    program = (
        "import sys\n"
        "from faceie.cli import main\n"
        "from faceie.web import app\n"
        "def fail(visit): raise ValueError(visit.text('like'))\n"
        "app.ROUTES = tuple(r._replace(view=fail) if r.path == '/names' else r for r in app.ROUTES)\n"
        f"sys.exit(main(['browse', '--no-open', '--gallery', {str(album)!r}]))\n"
    )
    command = [sys.executable, "-c", program]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    address = process.stdout.readline().strip()
    assert process.stdout.readline() == "Ctrl-C ends it.\n"
    client = Client(urlsplit(address).port or 0)
    client.enter(address)
    assert client.get("/people").status == 200
    assert client.post("/people/1/name", {"name": "Zoë 17"}).status == 303
    assert client.post("/people/1/name", {"name": "\x07Zoë"}).status == 400
    assert client.get("/names?like=Secret").status == 500
    assert client.get("/people/999").status == 409
    time.sleep(0.1)
    process.send_signal(2)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert re.fullmatch(r"faceie: unexpected ValueError at [\w.:, <>]+\n", err), err
