"""The command line as a whole: help, exit codes, interruption, closed pipes, streams that cannot encode."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import faceie as package
from faceie import FaceieError, OptionError, WeightsError, cli
from faceie.cli import convert, main, options, terminal

from .conftest import FAST, faceie, ordinary, running

COMMANDS = [
    [],
    ["detect"],
    ["compare"],
    ["weights"],
    ["weights", "list"],
    ["weights", "path"],
    ["weights", "fetch"],
    ["weights", "convert"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command prints its help on standard output."""
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--help"])
    out, err = capsys.readouterr()
    assert out.startswith(" ".join(["usage: faceie", *command]))
    assert err == ""


@pytest.mark.parametrize("name", ["facenet", "mtcnn"])
def test_help_of_converters(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The converters print their help, too."""
    with pytest.raises(SystemExit, match="0"):
        getattr(convert, f"convert_{name}_weights")(["--help"])
    assert capsys.readouterr().out.startswith(f"usage: faceie-convert-{name}-weights")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the package."""
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"faceie {package.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["detekt"], ["detect"], ["detect", "--jso", "x.jpg"], ["compare", "one.jpg"], ["weights"]]
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line ends with exit code 2 and a message. Abbreviations are wrong, too."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: faceie")


def test_exit_codes_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """The help and the package list all exit codes."""
    with pytest.raises(SystemExit):
        main(["--help"])
    codes = [value for name, value in vars(terminal).items() if name.isupper() and isinstance(value, int)]
    for document in (capsys.readouterr().out, str(cli.__doc__)):
        documented = [int(line.split()[0]) for line in document.splitlines() if line.strip()[:1].isdigit()]
        assert documented == sorted(codes)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OptionError("factor is 2"), 2, "faceie: factor is 2\n"),
        (WeightsError("none.\nTried:\n - here"), 3, "faceie: none.\nTried:\n - here\n"),
        (FaceieError("bad\x1bthing"), 1, "faceie: bad\\x1bthing\n"),
        (PermissionError(errno.EACCES, "Permission denied", "out.jpg"), 1, "faceie: out.jpg: Permission denied\n"),
        (OSError("encoder error"), 1, "faceie: encoder error\n"),
        (MemoryError(), 1, "faceie: there is not enough memory for this\n"),
        (KeyboardInterrupt(), 130, "faceie: interrupted\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors(error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An expected error gives a message and its exit code."""

    def command() -> int:
        raise error

    assert terminal.run_command(command) == code
    assert capsys.readouterr() == ("", message)


def test_bugs_are_not_hidden() -> None:
    """An unexpected error still gives a traceback."""
    with pytest.raises(ZeroDivisionError):
        terminal.run_command(lambda: 1 // 0)


def test_warnings() -> None:
    """Pillow's warnings are hidden during a command. Other warnings are shown."""

    def warn(module: str) -> int:
        warnings.warn_explicit("something odd", UserWarning, "file.py", 1, module)
        return 0

    assert terminal.run_command(lambda: warn("PIL.TiffImagePlugin")) == 0
    with pytest.raises(UserWarning):
        terminal.run_command(lambda: warn("elsewhere"))
    with pytest.raises(UserWarning):
        warn("PIL.TiffImagePlugin")


def test_interruption_keeps_what_was_found(
    astronaut: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C at the second photo, the first has been printed."""
    opened = []

    def open_image(path: Path, **keywords: object) -> object:
        opened.append(path)
        if len(opened) == 2:
            raise KeyboardInterrupt
        return package.open_image(path)

    monkeypatch.setattr(options, "open_image", open_image)
    assert main(["detect", str(astronaut), str(astronaut), *FAST]) == 130
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err == "faceie: interrupted\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_interrupted_process(astronaut: Path) -> None:
    """SIGINT ends the process with code 130, without a traceback."""
    with running("detect", *[astronaut] * 1000) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is at work now
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == b"faceie: interrupted\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_closed_pipe(astronaut: Path) -> None:
    """When the reader goes away, the process soon ends, silently."""
    with running("detect", *[astronaut] * 1000, *FAST) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 141


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has this file")


@needs_full
@pytest.mark.parametrize("command", [["weights", "list"], ["--help"], ["--version"]], ids=" ".join)
def test_full_disk(command: list[str]) -> None:
    """Output that cannot be written is a message, once."""
    with Path("/dev/full").open("wb") as full:
        result = faceie(*command, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (1, b"faceie: No space left on device\n")


@needs_full
@pytest.mark.parametrize(("command", "code"), [(["detect", "nowhere.jpg"], 1), (["no-command"], 2)])
def test_messages_that_cannot_be_written(command: list[str], code: int) -> None:
    """The exit code is the same."""
    with Path("/dev/full").open("wb") as full:
        assert faceie(*command, capture_output=False, stdout=subprocess.PIPE, stderr=full).returncode == code


@pytest.mark.skipif(os.name == "nt", reason="Windows has other shells")
def test_closed_streams() -> None:
    """A closed standard output is an error, as for other programs; a closed standard error changes nothing."""
    for redirection, code in ((">&-", 1), ("2>&-", 0)):
        shell = f'"$0" -m faceie weights list {redirection}'
        run = subprocess.run(["sh", "-c", shell, sys.executable], capture_output=True, env=ordinary(), check=False)
        assert run.returncode == code
        assert run.stderr == (b"faceie: Bad file descriptor\n" if code else b"")


def test_closed_pipe_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows says "Invalid argument" where others say "Broken pipe"."""

    class Closed(io.StringIO):
        encoding = "utf-8"

        def write(self, text: str) -> int:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(terminal.sys, "platform", "win32")
    assert terminal.run_command(lambda: terminal.write("text") or 0) == 141
    monkeypatch.setattr(terminal.sys, "platform", "linux")
    assert terminal.run_command(lambda: terminal.write("text") or 0) == 1


def test_module() -> None:
    """``python -m faceie`` is the command, under its name."""
    result = faceie("--help")
    assert result.returncode == 0
    assert result.stdout.startswith(b"usage: faceie [-h]")


def test_quick_start() -> None:
    """The command line imports no package that is slow to import."""
    code = "import sys, faceie.cli; print(sorted({'tqdm', 'pooch', 'requests', 'platformdirs'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_narrow_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that the terminal cannot show are escaped, and a line is written at once."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii", newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.write("Żółw \udcff")
    assert written.getvalue() == b"\\u017b\\xf3\\u0142w \\udcff\n"
