"""The house is in order: imports, the shipped files, and the examples of the documents."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

import faceie

from .conftest import PHOTOS, ROOT

SOURCE = ROOT / "src" / "faceie"

# Each room, and the rooms that it may know besides `errors`.
ROOMS = {
    "errors": set[str](),
    "checks": set[str](),
    "files": set[str](),
    "forks": set[str](),
    "machine": set[str](),
    "namesake": set[str](),
    "types": set[str](),
    "cluster": set[str](),
    "dataset": {"files"},
    "nn": {"checks", "forks", "machine", "namesake", "types"},
    "boxes": {"nn", "types"},
    "images": {"checks", "files", "types"},
    "weights": {"files", "types"},
    "mtcnn": {"nn", "boxes", "images", "types", "weights"},
    "facenet": {"nn", "images", "types", "weights"},
    "recognition": {"types"},
    "cohort": {"recognition", "types"},
    "metadata": {"boxes", "checks", "files", "images", "types"},
    "gallery": {
        "checks",
        "cohort",
        "dataset",
        "machine",
        "files",
        "nn",
        "boxes",
        "images",
        "mtcnn",
        "facenet",
        "forks",
        "metadata",
        "recognition",
        "types",
    },
    "batch": {"checks", "dataset", "facenet", "files", "gallery", "images", "mtcnn"},
    "web": {"forks", "gallery"},
}


def imports(file: Path) -> Iterator[str]:
    """Yield the imports of a module, at its top and within functions, as absolute names."""
    package = ["faceie", *file.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_run_one_way(room: str) -> None:
    """A room imports the rooms below it, and no other."""
    files = [SOURCE / f"{room}.py"] if (SOURCE / f"{room}.py").exists() else sorted((SOURCE / room).rglob("*.py"))
    assert files
    for file in files:
        known = {name.split(".")[1] for name in imports(file) if name.startswith("faceie.")}
        assert known <= ROOMS[room] | {room, "errors"}, file.name


def test_every_room_has_its_arrows() -> None:
    """Each room is in the table above; the command line may import all."""
    rooms = {path.stem for path in SOURCE.iterdir() if path.name[0] not in "_." and path.name != "py.typed"}
    assert rooms == {*ROOMS, "cli"}


def test_no_pickle_is_loaded() -> None:
    """Nothing in the package imports a module that executes loaded data."""
    names = {name.split(".")[0] for file in SOURCE.rglob("*.py") for name in imports(file)}
    assert "numpy" in names
    assert not names & {"pickle", "_pickle", "cPickle", "shelve", "marshal", "dill", "joblib", "torch", "tensorflow"}


def test_import_is_light() -> None:
    """`import faceie` imports NumPy, Pillow and the standard library, nothing else."""
    program = (
        "import sys; before = set(sys.modules); import faceie\n"
        "new = {name: sys.modules[name] for name in set(sys.modules) - before}\n"
        "print(*(name for name, module in new.items() if getattr(module, '__file__', None)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    others = {name.split(".")[0] for name in run.stdout.split()} - sys.stdlib_module_names
    assert {"faceie", "numpy", "PIL"} <= others
    assert {name for name in others if not name.startswith("_")} <= {"faceie", "numpy", "PIL"}


def test_files_are_short() -> None:
    """A file of more than 400 lines wants splitting."""
    assert not [file for file in SOURCE.rglob("*.py") if len(file.read_text("utf-8").splitlines()) > 400]


def test_public_names_are_documented() -> None:
    """Everything in `faceie.__all__` is there, and has a docstring."""
    for name in faceie.__all__:
        value = getattr(faceie, name)
        assert isinstance(value, str) or (value.__doc__ or "").strip(), name


def examples(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples run, one after the other, in a folder with the photos that they name."""
    monkeypatch.chdir(tmp_path)
    for photo, name in (("obama.jpg", "party.jpg"), ("obama-congress.jpg", "friend.jpg")):
        (tmp_path / name).write_bytes((PHOTOS / photo).read_bytes())
    (tmp_path / "photos").mkdir()
    for photo in PHOTOS.glob("*.jpg"):
        (tmp_path / "photos" / photo.name).write_bytes(photo.read_bytes())
    blocks = examples("README.md", "python")
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert float(names["distances"][0]) < 1  # type: ignore[index]
    assert len(names["photos"]) == 3  # type: ignore[arg-type]


def test_commands_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of the sessions run, and print the output of the README, except times and the user's home."""
    monkeypatch.setenv("FACEIE_GALLERY", str(tmp_path / "gallery.faceie"))
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in PHOTOS.glob("*.jpg"):
        (folder / photo.name).write_bytes(photo.read_bytes())
    sessions = examples("README.md", "console")
    assert len(sessions) == 2
    commands = [command for session in sessions for command in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]]
    assert len(commands) >= 9
    for command in commands:
        line, _, expected = command.partition("\n")
        assert line.startswith("faceie ")
        program = [sys.executable, "-m", "faceie", *line.split()[1:]]
        run = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert run.returncode == 0, run.stderr
        out = run.stdout.replace(str(tmp_path), "/home/anna")
        assert agree(words(out), words(expected)), (line, out)


def words(output: str) -> list[str]:
    """Return the words of an output, without the line that tells how long a run took."""
    return re.sub(r"^.* seconds, .* photos a second$", "", output, flags=re.MULTILINE).split()


def agree(found: list[str], expected: list[str]) -> bool:
    """Tell whether words are equal; probabilities of four digits depend on the processor in the last one."""
    number = re.compile(r"0\.\d{4}")
    return len(found) == len(expected) and all(
        a == b or bool(number.fullmatch(a) and number.fullmatch(b) and abs(float(a) - float(b)) < 0.0003)
        for a, b in zip(found, expected, strict=True)
    )


_BUILD = ["-m", "build", "--sdist", "--outdir"]
_OLD_PIP = "pip==22.0.4"


@pytest.mark.parametrize("form", ["wheel", "sdist"])
def test_installation_in_an_empty_environment(form: str, tmp_path: Path) -> None:
    """The distributions, installed in an empty environment outside the repository, find and encode a face, offline.

    The sdist is installed by an old pip, where that runs on this Python.
    """
    files = tmp_path / "files"
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    for source in (ROOT, ROOT / "weights" / "vggface2"):
        build = [*pip, "wheel", "--no-deps", "--wheel-dir", files] if form == "wheel" else [*_BUILD, files]
        subprocess.run([sys.executable, *build, source], check=True, capture_output=True)
    sizes = {file.name.partition("-")[0]: file.stat().st_size for file in files.iterdir()}
    assert sizes["faceie_numpy"] < 2.5e6
    assert sizes["faceie_vggface2"] < 95e6
    environment = tmp_path / "environment"
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    venv.create(environment, with_pip=form == "sdist")
    if form == "wheel":
        installer = [sys.executable, *pip, "--python", python]
    else:
        installer = [python, *pip]
        if sys.version_info < (3, 12):  # the first that this version of pip does not know
            subprocess.run([*installer, "install", _OLD_PIP], check=True)
    subprocess.run([*installer, "install", *files.iterdir()], check=True)
    program = (
        "import sys, faceie\n"
        "faces = faceie.detect_faces(sys.argv[1])\n"
        "assert len(faces.images) == 1, faces\n"
        "assert faceie.encode_faces(faces.images).shape == (1, 512)\n"
        "print(faceie.__file__)\n"
    )
    photo = PHOTOS / "astronaut.jpg"
    variables = {"FACEIE_OFFLINE": "1", "FACEIE_CACHE": str(tmp_path / "cache"), "PATH": str(python.parent)}
    command = [python, "-I", "-W", "error", "-c", program, photo]
    run = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=tmp_path, check=False)
    assert run.returncode == 0, run.stderr
    assert str(environment) in run.stdout
    script = subprocess.run(
        [python.parent / "faceie", "detect", photo],
        capture_output=True,
        text=True,
        env=variables,
        cwd=tmp_path,
        check=False,
    )
    assert script.returncode == 0, script.stderr
    assert "astronaut.jpg" in script.stdout
    for name in ("faceie-convert-facenet-weights", "faceie-convert-mtcnn-weights"):
        assert (python.parent / name).exists()


def test_no_line_fetches_a_stranger() -> None:
    """No document tells a reader to install a package of our name that belongs, or could belong, to another author."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "weights").rglob("*.md")]
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    commands = [
        command
        for file in [*documents, *sources]
        for command in re.findall(r"pip install [^`\n]*", file.read_text("utf-8"))
    ]
    assert len(commands) > 4
    for command in commands:
        assert not re.search(r"[\s\"']faceie", command), command


def test_what_is_tested_is_installed() -> None:
    """Tests run on the installed wheel, unless FACEIE_SOURCES asks for the sources."""
    import os

    if "FACEIE_SOURCES" in os.environ:
        pytest.skip("a developer tests the sources")
    assert Path(faceie.__file__).is_relative_to(sysconfig.get_path("purelib"))


def test_no_host_of_a_registry() -> None:
    """No file names the host of a package registry, or a path of a developer's machine."""
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "registry.npmjs" + ".org", "deb.debian" + ".org"]
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False)
    if tracked.returncode:
        pytest.skip("not a clone of the repository")
    for name in tracked.stdout.splitlines():
        if not name.endswith((".safetensors", ".npz", ".jpg")) and (ROOT / name).is_file():
            text = (ROOT / name).read_bytes()
            assert not [host for host in [*hosts, "/ro" + "ot/", "/wo" + "rk/"] if host.encode() in text], name


def test_gallery_is_imported_when_asked_for() -> None:
    """`import faceie` imports neither a database nor processes, and offers both names of the gallery."""
    program = """
import sys
before = set(sys.modules)  # coverage.py has sqlite3 loaded
import faceie
assert not {"sqlite3", "faceie.gallery"} & (set(sys.modules) - before)
assert faceie.Gallery is faceie.gallery.Gallery
assert "Gallery" in dir(faceie) and not hasattr(faceie, "Museum")
from faceie import *
assert Gallery is faceie.Gallery
"""
    subprocess.run([sys.executable, "-c", program], check=True)
