"""Arguments that do not go together are refused before any work, with code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceie import cli


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["index"], "--errors"),
        (["index", "--dry-run", "photos"], "--prune"),
        (["search"], "--person"),
        (["forget"], "--all"),
    ],
)
def test_refused(command: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the option that is missing, and no gallery is made."""
    assert cli.main([*command, "--gallery", str(tmp_path / "album.faceie")]) == 2
    assert word in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
