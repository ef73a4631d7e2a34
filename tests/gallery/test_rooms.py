"""The modules of the gallery: which ones execute SQL, and which ones do without the detector."""

from __future__ import annotations

import ast
import re

import faceie.gallery

from ..test_house import SOURCE, imports

GALLERY = SOURCE / "gallery"

# The file as a whole, and its rows, as the docstring of the package says.
SQL = {
    "database.py",
    "schema.py",
    "log.py",
    "postgres.py",
    "store.py",
    "store_changes.py",
    "store_datasets.py",
    "store_exports.py",
    "store_faces.py",
    "store_history.py",
    "store_imports.py",
    "store_people.py",
    "store_vectors.py",
}


def reachable(start: str) -> set[str]:
    """Return the modules of Faceie that a module imports, directly or not, by the text of the sources.

    The package itself, which imports the detector, is left out.
    """
    seen, waiting = set[str](), [start]
    while waiting:
        name = waiting.pop()
        file = SOURCE.joinpath(*name.split(".")[1:])
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        if name in seen or name == "faceie" or not file.exists():
            continue
        seen.add(name)
        for imported in imports(file):
            if imported.startswith("faceie."):
                waiting += [imported, imported.rpartition(".")[0]]
    return seen


def test_only_the_store_executes_sql() -> None:
    """No other module calls `execute` and its relatives, or opens a database."""
    found = {
        file.name
        for file in GALLERY.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr in ("execute", "executemany", "executescript")
            or (node.func.attr == "connect" and ast.unparse(node.func.value) == "sqlite3")
        )
    }
    assert found == SQL
    assert all(f"`{name.removesuffix('.py')}`" in (faceie.gallery.__doc__ or "") for name in SQL)


def test_both_databases_understand_the_stores() -> None:
    """No store uses SQL that only SQLite knows. A statement that PostgreSQL refuses would show in its own test only."""
    for file in GALLERY.glob("store*.py"):
        assert not re.search(r"\b(INSERT|UPDATE) OR \w+|\bmin\(path\)|\bNOT confirmed\b", file.read_text("utf-8")), file
    assert re.search(r"\b(INSERT|UPDATE) OR \w+", "INSERT OR IGNORE INTO a")  # so the test can fail


def test_rows_are_stored_without_the_detector() -> None:
    """The store and the row types import neither a network nor the numeric kernels."""
    modules = reachable("faceie.gallery.store") - {"faceie.gallery"}
    assert "faceie.gallery.records" in modules
    rooms = {name.split(".")[1] for name in modules}
    assert not rooms & {"mtcnn", "facenet", "nn", "images", "recognition"}
    assert "faceie.mtcnn.detect" in reachable("faceie.gallery.analysis")  # so the test can fail


def test_clusters_know_no_database() -> None:
    """Clustering imports nothing else of the gallery and no SQL."""
    own = ("groups", "scores", "cells")
    names = {name for module in ("clusters", *own) for name in imports(GALLERY / f"{module}.py")}
    assert "sqlite3" not in names
    assert {name.split(".")[2] for name in names if name.startswith("faceie.gallery.")} == {*own}
