"""`load`: names, and files of every format, all giving the same network."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from faceie import facenet
from faceie.errors import WeightsError
from faceie.facenet import loading
from faceie.facenet.names import _convolutions
from faceie.facenet.network import LAYOUT, inception_resnet_v1
from faceie.images import to_input
from faceie.nn import layers
from faceie.nn.tree import build, leaves
from faceie.weights import registry, safetensors

from ..conftest import assert_close, golden
from ..weights import makers

EPSILON = 0.001


def foreign() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[np.ndarray]]:
    """Return the default weights as facenet-pytorch, TensorFlow and faceie 0.0.5 would hold them.

    Batch normalization is put back in, with numbers that change every channel, so that folding changes something.
    """
    ours = dict(leaves(facenet.load()))
    random = np.random.default_rng(0)
    torch: dict[str, np.ndarray] = {}
    tensorflow: dict[str, np.ndarray] = {}
    ordered: list[np.ndarray] = []

    def unfold(name: str) -> tuple[np.ndarray, list[np.ndarray]]:
        """Undo folding: return a kernel, and mean, variance, gamma and beta that fold into ours."""
        kernel, bias = ours[f"{name}.kernel"].astype(float), ours[f"{name}.bias"].astype(float)
        mean, variance = random.normal(0, 0.1, len(bias)), random.uniform(0.5, 2, len(bias))
        scale = 1 / np.sqrt(variance + EPSILON)
        return kernel / scale, [mean, variance, np.ones(len(bias)), bias + mean * scale]

    for name, torch_name, tensorflow_name in _convolutions():
        if name.endswith(".out"):
            kernel, bias = ours[f"{name}.kernel"], ours[f"{name}.bias"]
            torch |= {f"{torch_name}.weight": kernel.transpose(3, 2, 0, 1), f"{torch_name}.bias": bias}
            tensorflow |= {f"{tensorflow_name}/weights": kernel, f"{tensorflow_name}/biases": bias}
            ordered += [kernel.transpose(3, 2, 0, 1), bias, np.array(0.17)]
            continue
        kernel, norm = unfold(name)
        torch[f"{torch_name}.conv.weight"] = kernel.transpose(3, 2, 0, 1)
        torch |= {f"{torch_name}.bn.{k}": v for k, v in zip(TORCH_NORM, norm, strict=True)}
        tensorflow[f"{tensorflow_name}/weights"] = kernel
        tensorflow |= {f"{tensorflow_name}/BatchNorm/{k}": norm[i] for k, i in TENSORFLOW_NORM.items()}
        ordered += [kernel.transpose(3, 2, 0, 1), *norm, np.array(EPSILON)]
    kernel, norm = unfold("embedding")
    torch["last_linear.weight"] = kernel[0, 0].T
    torch |= {f"last_bn.{k}": v for k, v in zip(TORCH_NORM, norm, strict=True)}
    torch["logits.weight"] = np.zeros((3, 512))
    tensorflow["Bottleneck/weights"] = kernel[0, 0]
    tensorflow |= {f"Bottleneck/BatchNorm/{k}": norm[i] for k, i in TENSORFLOW_NORM.items()}
    ordered += [kernel[0, 0], *norm, np.array(EPSILON)]
    return torch, {f"InceptionResnetV1/{k}": v for k, v in tensorflow.items()}, ordered


TORCH_NORM = ("running_mean", "running_var", "weight", "bias")
TENSORFLOW_NORM = {"moving_mean": 0, "moving_variance": 1, "beta": 3}


def weightie(arrays: list[np.ndarray]) -> bytes:
    """A file of faceie 0.0.5, one flat tuple."""
    data, parts = bytearray(), []
    for array in arrays:
        data += bytes(-len(data) % 65536)
        parts.append(makers.weightie_array(len(data), array.shape))
        data += array.astype("<f4").tobytes()
    return makers.weightie(makers.group(*parts), bytes(data))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    torch, tensorflow, ordered = foreign()
    return {
        "torch, zip": makers.write(folder / "zip.pt", makers.torch_zip(*makers.torch_state_dict(torch))),
        "torch, legacy": makers.write(folder / "legacy.pt", makers.torch_legacy(*makers.torch_state_dict(torch))),
        "tensorflow": makers.write(folder / "graph.pb", makers.tensorflow(tensorflow)),
        "weightie": makers.write(folder / "facenet.weights", weightie(ordered)),
    }


@pytest.mark.parametrize("form", ["torch, zip", "torch, legacy", "tensorflow", "weightie"])
def test_every_format_gives_the_same_network(form: str, files: dict[str, Path], tmp_path: Path) -> None:
    """Loaded from any format, and converted to ours, the weights give the same embeddings."""
    x = to_input(golden("detections")["crops"][:1])
    expected = golden("vggface2")["embeddings"][:1]
    weights = facenet.load(files[form])
    assert_close(inception_resnet_v1(x, weights, layers), expected, 1e-5)
    assert loading.identify(weights) == "vggface2"
    loading.convert(files[form], tmp_path / "converted")
    converted = facenet.load(tmp_path / "converted")
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(leaves(weights), leaves(converted), strict=True))


def test_default_is_installed_and_mapped() -> None:
    """The default weights come from the data distribution, in milliseconds, and cannot be changed by accident."""
    path = registry.find("vggface2")
    assert path is not None
    assert path.parent.name == "faceie_vggface2"
    assert 90e6 < path.stat().st_size < 95e6
    start = time.perf_counter()
    loading._read(path)
    assert time.perf_counter() - start < 0.5  # it takes some 5 ms, and reading it all would take some 100
    tensors, metadata = safetensors.read(path)
    assert metadata["name"] == "vggface2"
    assert not any(tensor.flags.writeable or tensor.ctypes.data % 64 for tensor in tensors.values())
    assert facenet.load() is facenet.load("vggface2")


def test_the_library_of_the_format_reads_our_file() -> None:
    """The shipped file is a safetensors file to Hugging Face's library, too: the same names, shapes and numbers."""
    path = registry.find("vggface2")
    assert path is not None
    tensors, metadata = safetensors.read(path)
    with safe_open(path, "numpy") as file:
        assert file.metadata() == metadata
        assert set(file.keys()) == set(tensors)
        for name in ("stem.conv_1.kernel", "inception_resnet_c.5.out.bias", "embedding.kernel"):
            assert np.array_equal(file.get_tensor(name), tensors[name])


def test_name_of_other_weights(files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights in the file of another name are reported, and not cached under that name."""
    monkeypatch.setenv("FACEIE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("FACEIE_OFFLINE", "1")
    theirs = tmp_path / "torch" / "checkpoints" / registry.PUBLISHED["casia-webface"].file
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(files["torch, zip"].read_bytes())
    with pytest.raises(WeightsError, match=r'webface\.pt: this file holds the weights "vggface2", expected "casia-'):
        facenet.load("casia-webface")
    assert not (tmp_path / "cache").exists()
    tensors = dict(leaves(facenet.load()))
    tensors["embedding.bias"] = tensors["embedding.bias"] + np.float32(0.1)
    safetensors.write(theirs, tensors, {"name": "casia-webface"})
    with pytest.raises(WeightsError, match=r"weights that were not published under a name, expected"):
        facenet.load("casia-webface")
    assert not (tmp_path / "cache").exists()
    loading.convert_published(files["torch, zip"], tmp_path / "vggface2", "vggface2")
    assert safetensors.read(tmp_path / "vggface2")[1]["name"] == "vggface2"


def test_identify_tells_others() -> None:
    """Weights that give other answers are not taken for published ones."""
    tensors = dict(leaves(facenet.load()))
    tensors["embedding.bias"] = tensors["embedding.bias"] + np.float32(0.1)
    assert loading.identify(build(LAYOUT, tensors)) is None


def test_wrong_network(tmp_path: Path) -> None:
    """A file of another network is refused: a missing tensor or a wrong shape is named."""
    tensors = dict(leaves(facenet.load()))
    small = {"stem.conv_1.kernel": tensors["stem.conv_1.kernel"]}
    safetensors.write(tmp_path / "small", small, {})
    with pytest.raises(WeightsError, match=r"small: .*\(faceie\).*'stem\.conv_1\.bias' is missing"):
        facenet.load(tmp_path / "small")
    wrong = {name: tensor[..., :1] if name == "stem.conv_2.bias" else tensor for name, tensor in tensors.items()}
    safetensors.write(tmp_path / "wrong", wrong, {})
    with pytest.raises(WeightsError, match=r"'stem\.conv_2\.bias' has the shape \(1,\), expected \(32,\)"):
        facenet.load(tmp_path / "wrong")
    damaged = {
        name: tensor * np.float32("nan") if name == "stem.conv_2.bias" else tensor for name, tensor in tensors.items()
    }
    safetensors.write(tmp_path / "damaged", damaged, {})
    with pytest.raises(WeightsError, match=r"damaged: tensor 'stem\.conv_2\.bias' has numbers that are not finite"):
        loading.convert(tmp_path / "damaged", tmp_path / "converted")
    assert not (tmp_path / "converted").exists()
    pickled = makers.torch_zip(*makers.torch_state_dict({"conv1.weight": np.ones((2, 3), np.float32)}))
    with pytest.raises(WeightsError, match=r"\(torch\).*conv2d_1a\.conv\.weight"):
        facenet.load(makers.write(tmp_path / "other.pt", pickled))
