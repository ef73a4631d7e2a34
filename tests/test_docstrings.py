"""The docstrings of the public names follow numpydoc: sections, parameters, results, errors and examples."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from typing import Any

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import faceie
from faceie import FaceieError, errors

# The checks of numpydoc.validate that must pass. The others are about the form of the quotes (GL01, GL02), deprecations
# (GL09), and an extended summary (ES01) and See Also (SA01), which not every function needs.
CHECKS = {
    "GL03": "no double blank lines",
    "GL05": "no tabs",
    "GL06": "known sections",
    "GL07": "sections in order",
    "GL08": "a docstring",
    "GL10": "well-formed directives",
    "SS01": "a summary",
    "SS02": "with a capital letter",
    "SS03": "with a period",
    "SS04": "without leading spaces",
    "SS05": "imperative",
    "SS06": "in one line",
    "PR01": "all parameters",
    "PR02": "no unknown parameters",
    "PR03": "parameters in order",
    "PR04": "with types",
    "PR05": "types without a period",
    "PR06": "types with their names in Python",
    "PR07": "with descriptions",
    "PR08": "with a capital letter",
    "PR09": "with a period",
    "PR10": "with a space before the colon",
    "RT01": "Returns",
    "RT02": "types of results without names",
    "RT03": "with descriptions",
    "RT04": "with a capital letter",
    "RT05": "with a period",
    "YD01": "Yields",
    "SA02": "See Also with a period",
    "SA03": "See Also with a capital letter",
    "SA04": "See Also with descriptions",
    "EX01": "Examples",
}

# Classes need no examples if users do not make their objects.
WITHOUT_EXAMPLES = {name for name, value in vars(errors).items() if inspect.isclass(value)} | {"Thresholds"}


def public() -> dict[str, Any]:
    """Return the public functions and classes, their methods and properties, and the loaders of weights, by name."""
    found: dict[str, Any] = {"facenet.load": faceie.facenet.load, "mtcnn.load": faceie.mtcnn.load}
    for name in faceie.__all__:
        value = getattr(faceie, name)
        if inspect.isroutine(value) or inspect.isclass(value):
            found[name] = value
        for key, member in inspect.getmembers(value) if inspect.isclass(value) else []:
            function = member.fget if isinstance(member, property) else inspect.unwrap(member)
            if key[0] != "_" and getattr(function, "__module__", "").startswith("faceie."):
                found[f"{name}.{key}"] = member
    return found


PUBLIC = public()


def is_function(value: Any) -> bool:
    return not isinstance(value, property) and not inspect.isclass(value)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring(name: str) -> None:
    """Each docstring passes the checks above; properties need no examples."""
    needed = set(CHECKS)
    if name in WITHOUT_EXAMPLES or isinstance(PUBLIC[name], property):
        needed -= {"EX01"}
    if isinstance(PUBLIC[name], property):
        needed -= {"SS05"}  # its summary is a noun
    failed = [f"{code}: {message}" for code, message in validate(f"faceie.{name}")["errors"] if code in needed]
    assert not failed


def raised(function: Any) -> set[str]:
    """Return the names of Faceie's errors that a function raises by itself."""
    function = inspect.unwrap(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [node.exc.func for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    names = {node.id for node in calls if isinstance(node, ast.Name)}
    return {name for name in names if issubclass(getattr(errors, name, Exception), FaceieError)}


def documented(value: Any) -> set[str]:
    """Return the names in the Raises section of a docstring."""
    return {name for item in NumpyDocString(inspect.getdoc(value) or "")["Raises"] for name in item.type.split(", ")}


@pytest.mark.parametrize("name", sorted(name for name, value in PUBLIC.items() if is_function(value)))
def test_errors_are_documented(name: str) -> None:
    """Each error that a function raises by itself is in its Raises section."""
    assert raised(PUBLIC[name]) <= documented(PUBLIC[name])


# The errors of functions that call others, which raise them.
RAISED_BELOW = {
    "detect_faces": {"ImageError", "OptionError", "WeightsError"},
    "encode_faces": {"ImageError", "WeightsError"},
    "open_image": {"ImageError", "OptionError"},
    "same_person_probability": {"OptionError"},
    "set_threads": {"OptionError"},
    "thresholds": {"OptionError"},
    "DetectionOptions": {"OptionError"},
    "facenet.load": {"WeightsError", "WeightsNotFoundError"},
    "mtcnn.load": {"WeightsError"},
}


@pytest.mark.parametrize("name", RAISED_BELOW)
def test_errors_from_below_are_documented(name: str) -> None:
    """So are the errors of the functions that it calls."""
    assert RAISED_BELOW[name] <= documented(PUBLIC[name])


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_documented_errors_exist(name: str) -> None:
    """Each name in a Raises section is one of Faceie's errors or a built-in one."""
    known = set(errors.__all__) | {"TypeError", "ValueError"}
    assert documented(PUBLIC[name]) <= known


@pytest.mark.parametrize("name", ["detect_faces", "encode_faces"])
def test_papers_are_named(name: str) -> None:
    """A method from a paper has its number in References."""
    references = " ".join(NumpyDocString(inspect.getdoc(PUBLIC[name]) or "")["References"])
    assert re.search(r"arXiv \d{4}\.\d{5}", references)


def test_the_checks_notice() -> None:
    """Gallery and functions are among the checked names, and a function without sections fails."""
    assert {"Gallery", "detect_faces", "DetectedFaces.yaws", "Gallery.index"} <= PUBLIC.keys()
    assert "DetectedFaces.count" not in PUBLIC
    codes = {code for code, _ in validate("faceie.images.exif.turn_upright")["errors"]}
    assert {"PR01", "RT01", "EX01"} <= codes
    assert raised(faceie.distance) == {"OptionError"}
