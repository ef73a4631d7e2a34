"""The other project called faceie, installed in the same folder, is reported in either order, with a remedy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import faceie

from .cli.conftest import ordinary

ADVICE = "pip uninstall faceie faceie-numpy"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a copy of the package, and a file of the other project in it."""
    shutil.copytree(Path(faceie.__file__).parent, tmp_path / "faceie", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "faceie" / "nn_arguments.py").write_text("")
    return tmp_path


def run(site: Path, program: str) -> subprocess.CompletedProcess[str]:
    environment = {**ordinary(), "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, cwd=site, env=environment, check=False)


def test_ours_was_installed_later(site: Path) -> None:
    """Ours works, and warns: the other one has lost files, and uninstalling it removes files of ours."""
    result = run(site, "import faceie; print(faceie.__file__, faceie.nn.layers.__name__)")
    assert result.returncode == 0
    assert str(site) in result.stdout
    assert ADVICE in result.stderr


def test_theirs_was_installed_later(site: Path) -> None:
    """The import and the command fail, and say why."""
    (site / "faceie" / "__init__.py").write_text("from faceie.mtcnn import detect_faces\n")
    (site / "faceie" / "mtcnn" / "__init__.py").write_text("from faceie.nn import linear\n")
    for program in ("import faceie", "from faceie.cli import main"):
        result = run(site, program)
        assert result.returncode != 0
        assert result.stderr.splitlines()[-1].startswith("ImportError: another project called faceie is installed")
        assert ADVICE in result.stderr


def test_without_the_other_project(site: Path) -> None:
    """There is no warning."""
    (site / "faceie" / "nn_arguments.py").unlink()
    result = run(site, "import faceie.nn; print(hasattr(faceie.nn, 'linear'))")
    assert (result.returncode, result.stdout, result.stderr) == (0, "False\n", "")
