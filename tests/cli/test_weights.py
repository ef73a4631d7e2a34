"""`faceie weights`, and the converters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceie import facenet, mtcnn
from faceie.cli import convert, main, weights
from faceie.nn.tree import leaves
from faceie.weights import registry, safetensors

from .conftest import needs_weights

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache folder of a machine without network and without the weights of CASIA-WebFace."""
    for variable in ("FACEIE_CACHE", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("FACEIE_OFFLINE", "1")
    return tmp_path / "FACEIE_CACHE"


def test_list(nowhere: Path, capsys: Captured) -> None:
    """All names are listed, with size and path, or with a note that the weights are missing."""
    cached = nowhere / "weights" / "casia-webface.safetensors"
    assert main(["weights", "list"]) == 0
    before = capsys.readouterr().out
    safetensors.write(cached, {"a": np.zeros(375_000, np.float32)}, {"name": "casia-webface"})
    assert main(["weights", "list"]) == 0
    after = capsys.readouterr().out
    assert [line.split()[0] for line in before.splitlines()[::2]] == list(registry.PUBLISHED)
    assert [line.strip() for line in before.splitlines()[1::2]] == [p.title for p in registry.PUBLISHED.values()]
    assert before.splitlines()[2].split(maxsplit=2) == ["casia-webface", "-", "not on this machine"]
    assert after.splitlines()[2].split(maxsplit=3) == ["casia-webface", "1.5", "MB", str(cached)]


def test_path(nowhere: Path, capsys: Captured) -> None:
    """Only the path is printed. Missing weights give a message and exit code 3."""
    assert main(["weights", "path", "casia-webface"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "faceie weights fetch casia-webface" in err
    cached = nowhere / "weights" / "casia-webface.safetensors"
    safetensors.write(cached, {}, {"name": "casia-webface"})
    assert main(["weights", "path", "casia-webface"]) == 0
    assert capsys.readouterr() == (f"{cached}\n", "")


def test_fetch(nowhere: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of fetched weights is printed. A failed download gives a message and exit code 3."""
    assert main(["weights", "fetch", "casia-webface"]) == 3
    assert "Tried:\n" in capsys.readouterr().err
    monkeypatch.setattr(weights.registry, "locate", lambda name, convert: Path("fetched", name))
    assert main(["weights", "fetch", "casia-webface"]) == 0
    assert capsys.readouterr() == (f"{Path('fetched/casia-webface')}\n", "")


@pytest.mark.parametrize("command", ["path", "fetch"])
def test_unknown_name(command: str, nowhere: Path, capsys: Captured) -> None:
    """An unknown name ends with exit code 3 and a proposal."""
    assert main(["weights", command, "vgface2"]) == 3
    assert 'did you mean "vggface2"?' in capsys.readouterr().err


@needs_weights
def test_convert(tmp_path: Path, capsys: Captured) -> None:
    """Published weights are recognized, and give the same embeddings as before. Both commands do the same."""
    source, target = registry.find("vggface2"), tmp_path / "new" / "out.safetensors"
    assert main(["weights", "convert", str(source), str(target)]) == 0
    first = target.read_bytes()
    out, err = capsys.readouterr()
    assert convert.convert_facenet_weights([str(source), str(target), "--force"]) == 0
    assert capsys.readouterr() == (out, err)
    assert target.read_bytes() == first
    assert out.splitlines() == [
        f"{target}: {len(first) / 1e6:.1f} MB of weights were written.",
        'They are the published weights "vggface2".',
        "The embeddings of a test picture, before and after, differ by 0 at most.",
    ]
    assert err == ""


@needs_weights
def test_convert_unknown_and_wrong(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights are not called published. A conversion that changes the embeddings ends with exit code 1."""
    source, target = tmp_path / "own.safetensors", tmp_path / "out.safetensors"
    own = {name: tensor * np.float32(0.9) for name, tensor in leaves(facenet.load())}
    safetensors.write(source, own, {})
    assert main(["weights", "convert", str(source), str(target)]) == 0
    assert "They are not among the published weights." in capsys.readouterr().out

    vggface2 = registry.find("vggface2")
    monkeypatch.setattr(facenet.loading, "convert", lambda source, target: target.write_bytes(vggface2.read_bytes()))
    assert main(["weights", "convert", str(source), str(target), "--force"]) == 1
    assert (
        capsys.readouterr().err
        == f"faceie: {target}: the embeddings are not those of {source}. Do not use this file.\n"
    )


def test_convert_other_file(tmp_path: Path, capsys: Captured) -> None:
    """A file without weights ends with exit code 3, and nothing is written."""
    source, target = tmp_path / "in.pt", tmp_path / "out.safetensors"
    source.write_bytes(b"no weights")
    assert convert.convert_facenet_weights([str(source), str(target)]) == 3
    assert str(source) in capsys.readouterr().err
    assert not target.exists()


def test_convert_does_not_overwrite(tmp_path: Path, capsys: Captured) -> None:
    """An existing file is only replaced with --force, and the source never."""
    source, target = tmp_path / "in.pt", tmp_path / "out.safetensors"
    for path in (source, target):
        path.write_bytes(b"precious")
    assert main(["weights", "convert", str(source), str(target)]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["weights", "convert", str(source), str(tmp_path / "." / "in.pt"), "--force"]) == 2
    assert convert.convert_mtcnn_weights([str(target), str(target), str(source), str(source), "--force"]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert source.read_bytes() == target.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1, "They are the same as the packaged weights"), (0.5, "They are not the packaged weights")],
)
def test_convert_mtcnn(
    factor: float, verdict: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detector's weights are compared with those that come with the package."""
    given = []

    def convert_(p_net: Path, r_net: Path, o_net: Path, target: Path) -> None:
        given.extend([p_net, r_net, o_net])
        tensors = {name: tensor * np.float32(factor) for name, tensor in leaves(mtcnn.load())}
        safetensors.write(target, tensors, {})

    monkeypatch.setattr(mtcnn.loading, "convert", convert_)
    target = tmp_path / "out.safetensors"
    assert convert.convert_mtcnn_weights(["p.pt", "r.pt", "o.pt", str(target)]) == 0
    written, compared = capsys.readouterr().out.splitlines()
    assert given == [Path("p.pt"), Path("r.pt"), Path("o.pt")]
    assert written == f"{target}: 2.0 MB of weights were written."
    assert compared.startswith(verdict)
    assert ("differ by 0 at most" in compared) is (factor == 1)


def test_convert_mtcnn_other_files(tmp_path: Path, capsys: Captured) -> None:
    """Files without weights end with exit code 3."""
    source = tmp_path / "in.pt"
    source.write_bytes(b"no weights")
    assert convert.convert_mtcnn_weights([*[str(source)] * 3, str(tmp_path / "out.safetensors")]) == 3
    assert str(source) in capsys.readouterr().err
