"""``docs/command-line.md`` describes every command, option, exit code and environment variable, and no others."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from faceie.cli.search import face_as_json
from faceie.gallery import Face
from tools.make_command_line_page import PAGE, commands, options, update

from ..conftest import ROOT

_SECTION = re.compile(r"^##+ (faceie.*?)\n(.*?)(?=^##+ |\Z)", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text("utf-8")


def examples() -> list[str]:
    """Return the commands in the examples of the page."""
    return re.findall(r"^\$ (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)


def test_page_is_up_to_date(page: str) -> None:
    """The page describes the commands as they are. If not, run tools/make_command_line_page.py."""
    assert update(page) == page


def test_changes_are_noticed(page: str) -> None:
    """A missing option changes the page; a missing or unknown command is an error."""
    assert update(page.replace("| `--follow-links` |", "| `--follow-lynx` |")) == page
    for old, new in (("<!-- block: faceie forget -->", ""), ("block: faceie forget", "block: faceie remember")):
        with pytest.raises(ValueError, match="faceie forget"):
            update(page.replace(old, new))


@pytest.mark.parametrize("name", commands())
def test_every_option_is_in_its_section(name: str, page: str) -> None:
    """The section of a command names its options and arguments, and the page has the commands as headings."""
    sections = dict(_SECTION.findall(page))
    assert sections.keys() == commands().keys()
    parser = commands()[name]
    flags = {flag for flag in options(parser) if flag not in ("-h", "--help")}
    rows = set(re.findall(r"^\| `(--[a-z-]+)", sections[name], re.MULTILINE))
    assert rows == flags


def test_no_other_option_is_named(page: str) -> None:
    """All options on the page exist, in the hand-written text, too."""
    known = {flag for parser in commands().values() for flag in options(parser)}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page)) <= known


@pytest.mark.parametrize("example", examples())
def test_examples_are_valid(example: str) -> None:
    """The parsers accept the commands of the examples."""
    words = shlex.split(example)
    words = words[: words.index(">")] if ">" in words else words
    parser = commands()[words[0]]
    parsed = parser.parse_args(words[1:])
    assert isinstance(parsed, argparse.Namespace)


def test_every_command_has_an_example() -> None:
    """Commands without commands of their own have at least one example, those of ``faceie people`` share theirs."""
    shown = " ".join(examples())
    for name in ("detect", "compare", "index", "search", "people", "export", "forget", "backup", "weights"):
        assert f"faceie {name}" in shown


def test_environment_variables(page: str) -> None:
    """Variables that the sources read are in the table, and the table holds no others."""
    names = re.compile(r"FACEIE_[A-Z_]+|environ(?:\.get\(|\[)\"(\w+)\"")
    read = {
        match[1] or match[0]
        for file in (ROOT / "src").rglob("*.py")
        for match in names.finditer(file.read_text("utf-8"))
    }
    assert {"FACEIE_GALLERY", "FACEIE_THREADS", "TORCH_HOME"} <= read
    _, _, section = page.partition("## Environment variables\n")
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE)) == read


def test_keys_of_json(page: str) -> None:
    """The page explains each key of a face."""
    face = Face(1, Path("a.jpg"), 1, (0, 0, 9, 9), np.zeros((5, 2), np.float32), 0.0, 1.0, 1.0, None, 1, None, False)
    _, _, section = page.partition("## Faces in JSON and CSV\n")
    assert re.findall(r"^\| `(\w+)` \|", section.partition("\n## ")[0], re.MULTILINE) == list(face_as_json(face))


def test_lines_are_short(page: str) -> None:
    """Only tables and links have lines of more than 120 characters."""
    assert not [line for line in page.splitlines() if len(line) > 120 and not line.startswith(("|", "["))]
