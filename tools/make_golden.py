"""Make the golden values of the tests, from the reference implementations.

Run it where PyTorch and facenet-pytorch 2.6.0 are installed, with the weights of the encoder as ``state_dict``s of
facenet-pytorch (``vggface2.pt`` and ``casia-webface.pt``) in a folder:

    python tools/make_golden.py FOLDER

It does not import Faceie, and writes ``tests/golden/*.npz``. The networks run in float64, so that the tests compare the
rounding of Faceie alone. The cascade runs as it is. Inputs are made from the shipped photos; other inputs are stored.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from PIL import Image

ROOT = Path(__file__).parent.parent
PHOTOS = sorted((ROOT / "examples/photos").glob("*.jpg"))
GOLDEN = ROOT / "tests/golden"


def main(folder: Path) -> None:
    torch.manual_seed(0)
    crops = detections()
    networks(crops)
    for name in ("vggface2", "casia-webface"):
        encoder(name, folder, crops)


def detections() -> list[Image.Image]:
    """Store the detections of the cascade in the photos, with its defaults, and return facenet-pytorch's crops."""
    detector = MTCNN(keep_all=True, margin=32)
    answers, crops = {}, []
    for photo in PHOTOS:
        image = Image.open(photo).convert("RGB")
        boxes, probabilities, landmarks = detector.detect(image, landmarks=True)
        answers |= {f"{photo.stem}.boxes": boxes, f"{photo.stem}.probabilities": probabilities}
        answers[f"{photo.stem}.landmarks"] = landmarks
        faces = detector.extract(image, boxes, None)  # [n, 3, 160, 160], (pixel - 127.5) / 128
        pixels = (faces.numpy() * 128 + 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
        crops += [Image.fromarray(face) for face in pixels]
    answers["crops"] = np.stack([np.asarray(crop) for crop in crops])
    np.savez_compressed(
        GOLDEN / "detections.npz",
        **{k: np.asarray(v, np.uint8 if k == "crops" else np.float32) for k, v in answers.items()},
    )
    return crops


def to_tensor(images: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float64)) - 127.5) / 128


def networks(crops: list[Image.Image]) -> None:
    """Store the outputs of P-, R- and O-Net for the faces, and for noise."""
    noise = np.random.default_rng(0)
    answers: dict[str, np.ndarray] = {}
    for name, network, size in (("p_net", PNet(), (41, 50)), ("r_net", RNet(), (24, 24)), ("o_net", ONet(), (48, 48))):
        real = [np.asarray(crop.resize(size[::-1], Image.Resampling.BILINEAR)) for crop in crops]
        random = noise.integers(0, 256, (3, *size, 3), np.uint8)
        x = np.concatenate([np.stack(real), random])
        with torch.inference_mode():
            outputs = network.double().eval()(to_tensor(x))
        answers[f"{name}.x"] = x
        for i, output in enumerate(outputs):
            answers[f"{name}.{i}"] = output.numpy().astype(np.float32)
    np.savez_compressed(GOLDEN / "mtcnn.npz", **answers)


def check_picture() -> np.ndarray:
    """Return the picture of `faceie.facenet.loading.check_picture`."""
    y, x = np.indices((160, 160))
    return np.stack([x, y, x * y % 256], -1).astype(np.uint8)


def encoder(name: str, folder: Path, crops: list[Image.Image]) -> None:
    """Store the embeddings of the faces, of noise, and of the test picture."""
    model = InceptionResnetV1(pretrained=None).eval()
    model.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True), strict=False)
    noise = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), np.uint8)
    x = np.concatenate([np.stack([np.asarray(crop) for crop in crops]), noise, check_picture()[None]])
    with torch.inference_mode():
        embeddings = model.double()(to_tensor(x)).numpy()
    np.savez_compressed(GOLDEN / f"{name}.npz", embeddings=embeddings.astype(np.float32))
    print(name, "answers to the test picture:", embeddings[-1, :8].round(6).tolist())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
