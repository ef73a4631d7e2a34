"""Habits: pinned linters, a site with every document, a tutorial that runs, and documents that keep to their form."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import faceie

from .conftest import PHOTOS, ROOT

DOCUMENTS = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_linters_are_pinned() -> None:
    """Each tool of the group `lint` has one exact version."""
    group = re.search(r"^lint = \[(.*)\]", read("pyproject.toml"), re.MULTILINE)
    assert group
    tools = re.findall(r'"([^"]+)"', group[1])
    assert {tool.partition("==")[0] for tool in tools} >= {"ruff", "mypy"}
    assert all(re.fullmatch(r"[a-z-]+==[\d.]+", tool) for tool in tools)


def test_hooks_mirror_make_lint() -> None:
    """Pre-commit runs the commands of `make lint`, in their order."""
    hooks = re.findall(r"^ +entry: (.*)$", read(".pre-commit-config.yaml"), re.MULTILINE)
    rule = re.search(r"^lint:.*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)
    assert rule
    commands = [line.strip().replace("$(VENV)", ".venv") for line in rule[1].splitlines()]
    assert hooks == commands


def test_site_has_every_document() -> None:
    """Each page of `docs/` is in the navigation, and each entry of the navigation is a page."""
    navigation = re.search(r"^nav:\n(.*?)^\w", read("mkdocs.yml"), re.DOTALL | re.MULTILINE)
    assert navigation
    entries = re.findall(r"([\w/-]+\.md)$", navigation[1], re.MULTILINE)
    outside = re.findall(r'": "([\w/-]+\.md)"', read("tools/site_hooks.py"))
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert len(outside) >= 4
    assert sorted(entries) == sorted(pages + outside)


def test_api_reference_has_every_public_name() -> None:
    """Each name of `faceie.__all__` is in the API reference."""
    shown = re.findall(r"^::: faceie\.(\w+)$", read("docs/api.md"), re.MULTILINE)
    assert set(shown) == set(faceie.__all__) - {"__version__"}


def test_citation_has_the_version() -> None:
    """The version to cite is the version of the package."""
    assert f"\nversion: {faceie.__version__}\n" in read("CITATION.cff")


def variables(text: str) -> set[str]:
    """Return the environment variables of Faceie that a text names."""
    return set(re.findall(r"\bFACEIE_[A-Z]+(?:_[A-Z]+)*\b", text))


def test_environment_variables_are_documented() -> None:
    """Each variable that the sources, tests, benchmarks and tools name is on the page, and no other."""
    files = [*(path for room in ("src", "tests", "benchmarks", "tools") for path in (ROOT / room).rglob("*.py"))]
    used = set[str]().union(*(variables(path.read_text("utf-8")) for path in files))
    assert variables(read("docs/environment.md")) == used


def without_times(output: str) -> list[str]:
    """Return the words of an output, without the line that tells how long a run took."""
    return re.sub(r"^[\d.]+ seconds.*$", "", output, flags=re.MULTILINE).split()


def run_document(document: str, folder: Path) -> int:
    """Run the console and Python blocks of a document in their order, and return the number of commands.

    Commands must print the output that the document shows, except times and the user's home.
    """
    commands = 0
    names: dict[str, object] = {}
    for language, block in re.findall(r"^```(console|python)\n(.*?)^```$", read(document), re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(compile(block, document, "exec"), names)
            continue
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            name, *arguments = shlex.split(command)
            assert name == "faceie", command
            program = [sys.executable, "-m", "faceie", *arguments]
            run = subprocess.run(program, capture_output=True, text=True, cwd=folder, check=False)
            printed = run.stdout.replace(str(folder), "/home/anna")
            assert without_times(printed) == without_times(expected), command + run.stderr
            commands += 1
    return commands


def test_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tutorial runs, in a folder with the photos that it names."""
    monkeypatch.setenv("FACEIE_GALLERY", str(tmp_path / "gallery.faceie"))
    monkeypatch.chdir(tmp_path)
    for photo in PHOTOS.rglob("*.jpg"):
        copy = tmp_path / "photos" / photo.relative_to(PHOTOS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(photo.read_bytes())
    assert run_document("docs/tutorial.md", tmp_path) >= 10


def test_recipes_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipes run, in a folder with the photos that they name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEIE_GALLERY", str(tmp_path / "gallery.faceie"))
    (tmp_path / "photos").mkdir()
    for photo in [*PHOTOS.glob("obama*.jpg"), PHOTOS / "more" / "no-photo.jpg"]:
        (tmp_path / "photos" / photo.name).write_bytes(photo.read_bytes())
    for photo, name in (("obama.jpg", "party.jpg"), ("obama-congress.jpg", "friend.jpg")):
        (tmp_path / name).write_bytes((PHOTOS / photo).read_bytes())
    weights = faceie.facenet.loading.registry.find("vggface2")
    assert weights
    (tmp_path / "weights.pt").symlink_to(weights)
    run_document("docs/how-to/python.md", tmp_path)
    assert len(list((tmp_path / "anna").iterdir())) == 3


def prose(text: str) -> str:
    """Return the lines of a document that are neither code, tables, headings nor pictures, without their links."""
    text = re.sub(r"^```.*?^```$|^ {4}.*?$|^\|.*?$|^#.*?$|^!.*?$|^:::.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"\]\([^)]*\)", "]", text)


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, ROOT / "benchmarks" / "README.md"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_one_sentence_a_line(path: Path) -> None:
    """A line of a document holds one sentence at most, and 120 characters at most, except in tables and links."""
    lines = prose(path.read_text("utf-8")).splitlines()
    assert not [line for line in lines if len(line) > 120]
    assert not [line for line in lines if re.search(r"[a-z)`*]{2}[.?!] +(?=[A-Z`*\[])", line)]
