"""The examples of the public functions and classes run, in a folder with the example photos."""

from __future__ import annotations

import doctest
import inspect
import shutil
from pathlib import Path
from typing import Any

import pytest

import faceie

from .conftest import PHOTOS

# The examples of the gallery and its methods need a gallery: tests/gallery runs them.
ELSEWHERE = {"Gallery"}


def documented() -> dict[str, Any]:
    """Return the package, its public functions and classes, and the loaders of weights, by name."""
    public = {name: getattr(faceie, name) for name in faceie.__all__}
    callables = {name: value for name, value in public.items() if inspect.isroutine(value) or inspect.isclass(value)}
    loaders = {"facenet.load": faceie.facenet.load, "mtcnn.load": faceie.mtcnn.load}
    return {"faceie": faceie, **callables, **loaders}


def examples(name: str, value: Any) -> list[doctest.DocTest]:
    """Return the examples in the docstrings of a function, or of a class and its public methods."""
    members = inspect.getmembers(value) if inspect.isclass(value) else []
    docs = {name: value.__doc__} | {f"{name}.{key}": member.__doc__ for key, member in members if key[0] != "_"}
    parser = doctest.DocTestParser()
    tests = [parser.get_doctest(inspect.cleandoc(doc or ""), {}, key, None, 0) for key, doc in docs.items()]
    return [test for test in tests if test.examples]


def is_without_examples(value: Any) -> bool:
    """Tell whether an object needs no examples: errors, and tuples that only functions make."""
    return inspect.isclass(value) and (issubclass(value, Exception) or value is faceie.Thresholds)


@pytest.mark.parametrize("name", sorted(documented().keys() - ELSEWHERE))
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each function and class has examples, which run as shown."""
    value = documented()[name]
    tests = examples(name, value)
    assert tests or is_without_examples(value), f"the docstring of {name} has no examples"
    for photo in PHOTOS.glob("*.jpg"):
        shutil.copy(photo, tmp_path)
    shutil.copy(PHOTOS / "obama.jpg", tmp_path / "party.jpg")
    monkeypatch.chdir(tmp_path)
    for test in tests:
        out: list[str] = []
        result = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(test, out=out.append)
        assert not result.failed, "".join(out)


def test_wrong_examples_are_noticed() -> None:
    """An example with another result fails."""

    def function() -> None:
        """Do nothing.

        >>> 1 + 1
        3
        """

    (test,) = examples("function", function)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1
