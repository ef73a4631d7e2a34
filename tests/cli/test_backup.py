"""``faceie backup``: a copy of the gallery."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceie import Gallery, cli

from ..conftest import PHOTOS
from .conftest import needs_weights

pytestmark = needs_weights


def test_backup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The copy holds the faces of the gallery; an existing file is replaced with ``--force`` only."""
    file, copy = tmp_path / "album.faceie", tmp_path / "copy.faceie"
    with Gallery(file) as gallery:
        gallery.index([PHOTOS / "astronaut.jpg"], workers=1)
    command = ["backup", str(copy), "--gallery", str(file)]
    assert cli.main(command) == 0
    assert "1 face" in capsys.readouterr().out
    assert cli.main(command) != 0
    assert "--force" in capsys.readouterr().err
    assert cli.main([*command, "--force"]) == 0
    with Gallery(copy, create=False) as gallery:
        assert [face.path for face in gallery.faces()] == [PHOTOS / "astronaut.jpg"]


def test_no_gallery(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A gallery that is not there has no copy."""
    assert cli.main(["backup", str(tmp_path / "copy.faceie"), "--gallery", str(tmp_path / "none.faceie")]) != 0
    assert "none.faceie" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
