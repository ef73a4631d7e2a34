"""Documents, docstrings, comments and messages avoid constructions that get in a reader's way.

The list is in one place, below. `python -m tests.test_prose [PATH ...]` prints each occurrence and the counts.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import ROOT

_VERBS = (
    "is are was were has have had does do did can could may might must should will would "
    "comes becomes became belongs gives makes follows goes stays remains happens counts matters costs says tells"
)
_SUBJECTS = "a an the this that these those it they he she we you one each every all any no some there"

#: The pattern of each construction, by its name.
CONSTRUCTIONS = {
    "what-clause": rf"\b[Ww]hat (?:{'|'.join(f'{_VERBS} {_SUBJECTS}'.split())})\b(?![^.:;!`]*\?)",
    "whoever, nobody, somebody": r"\b(?:[Ww]hoever|[Nn]obody|[Ss]omebody)\b",
    "that is none": r"\b(?:that|which|it|there|is|are|was|were) (?:is|are|was|were|has|have)? ?none\b",
    "so many, so much": r"\bso (?:many|much)\b(?! (?:that|as|for)\b)",
    "meanwhile": r"\b[Mm]eanwhile\b",
    "but for": r"\bbut for\b",
    "in place of": r"\bin place of\b|\bin (?:its|their) place\b",
    "takes its time": r"\btakes? (?:its|their) time\b",
    "and more": r"\b(?:\d|pixels|photos|faces|megapixels|rows|of them) and more\b",
    "one another": r"\bone another\b",
    "from ... on": r"\bfrom [\w.]+ on\b(?! (?:the|a|an|each|this|that|[A-Z]))",
    "comes upon": r"\b(?:come|comes|came|coming) upon\b",
}

#: Words that depend on the day of reading: not in documents, except where a changelog tells of a day.
DAY_OF_READING = r"\b(?:today|nowadays|before this change|latest)\b"

_DOCUMENTS = ["*.md", "docs/**/*.md", "weights/**/*.md", "benchmarks/*.md", "examples/**/*.md"]
_PROGRAMS = ["src/**/*.py", "tests/**/*.py", "benchmarks/*.py", "tools/*.py", "examples/*.py"]


class Passage(NamedTuple):
    """A run of prose, and where it begins."""

    path: Path
    line: int
    text: str


def passages(path: Path) -> Iterator[Passage]:
    """Yield the prose of a file: of a program its comments, docstrings and messages; of a document all but its code."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        text = re.sub(r"^```.*?^```$|`[^`\n]*`", lambda code: "\n" * code[0].count("\n"), text, flags=re.M | re.S)
        yield Passage(path, 1, text)
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield Passage(path, node.lineno, node.value)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield Passage(path, token.start[0], token.string.lstrip("#: "))


def occurrences(paths: Iterable[Path]) -> Iterator[tuple[str, Path, int, str]]:
    """Yield each occurrence of a construction: its name, file, line and words."""
    for path in paths:
        patterns = dict(CONSTRUCTIONS)
        if path.suffix == ".md" and path.name != "CHANGELOG.md":
            patterns["day of reading"] = DAY_OF_READING
        for passage in passages(path):
            for name, pattern in patterns.items():
                for match in re.finditer(
                    pattern, re.sub(r"[ \t]*\n[ \t]*(?=\S)", "\n", passage.text).replace("\n", " ")
                ):
                    line = passage.line + passage.text[: match.start()].count("\n")
                    around = passage.text[max(0, match.start() - 30) : match.end() + 40]
                    yield name, path, line, " ".join(around.split())


def files() -> list[Path]:
    """Return the documents and programs of the project."""
    found = {path for pattern in [*_DOCUMENTS, *_PROGRAMS] for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path != Path(__file__).resolve() and ".venv" not in path.parts)


@pytest.fixture(scope="module")
def found_anywhere() -> list[tuple[str, Path, int, str]]:
    return list(occurrences(files()))


@pytest.mark.parametrize("name", [*CONSTRUCTIONS, "day of reading"])
def test_plain_language(name: str, found_anywhere: list[tuple[str, Path, int, str]]) -> None:
    """No file contains a construction of the list."""
    found = [f"{path.relative_to(ROOT)}:{line}: {text}" for kind, path, line, text in found_anywhere if kind == name]
    assert not found, "\n".join(found)


def test_constructions_are_recognized() -> None:
    """The patterns find the constructions, and leave questions and ordinary words alone."""
    bad = ["kept is what was found", "a limit that is none", "meanwhile", "whoever asks", "from here on it is fast"]
    good = ["What is it?", "None is returned", "from 3.11 on the list", "some body", "what to do"]
    found = [any(re.search(pattern, text) for pattern in CONSTRUCTIONS.values()) for text in bad + good]
    assert found == [True] * len(bad) + [False] * len(good)


if __name__ == "__main__":
    chosen = [Path(argument).resolve() for argument in sys.argv[1:]]
    paths = [file for path in chosen for file in ([path] if path.is_file() else path.rglob("*.py"))] or files()
    counts: Counter[str] = Counter()
    for name, path, line, text in occurrences(paths):
        counts[name] += 1
        print(f"{path}:{line}: {name}: {text}")
    print(counts.total(), dict(counts))
