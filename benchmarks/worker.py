"""One program under test, in its own environment: does a task each time a line arrives, and answers with the seconds.

    python worker.py SUBJECT TASK [ARGUMENT ...]

With BENCHMARK_ONCE set, it works once and ends.

SUBJECT: faceie, facenet-pytorch or onnxruntime. TASK: ``encode BATCH``, ``detect PHOTO``. The weights of the peers, and
the network in ONNX, are in the folder FACEIE_PEERS (see README.md beside this file). Whoever runs this sets the number
of threads.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

THREADS = int(os.environ.get("BENCHMARK_THREADS", "2"))
PEERS = Path(os.environ.get("FACEIE_PEERS", "~/.cache/faceie-peers")).expanduser()


def pixels(batch: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, 160, 160, 3), np.uint8)


def faceie(task: str, argument: str) -> Callable[[], Any]:
    import faceie

    if task == "encode":
        x = pixels(int(argument))
        return lambda: faceie.encode_faces(x)
    image = np.asarray(Image.open(argument).convert("RGB"))
    return lambda: faceie.detect_faces(image, crops=False, rotations=(0,))  # as the peer does


def facenet_pytorch(task: str, argument: str) -> Callable[[], Any]:
    import torch
    from facenet_pytorch import MTCNN, InceptionResnetV1

    torch.set_num_threads(THREADS)
    if task == "encode":
        model = InceptionResnetV1(pretrained=None).eval()
        model.load_state_dict(torch.load(PEERS / "vggface2.pt", weights_only=True))
        x = torch.from_numpy(((pixels(int(argument)).transpose(0, 3, 1, 2) - np.float32(127.5)) / 128).copy())

        def encode() -> Any:
            with torch.inference_mode():
                return model(x)

        return encode
    detector = MTCNN(keep_all=True)
    image = Image.open(argument).convert("RGB")
    return lambda: detector.detect(image, landmarks=True)


def onnxruntime(task: str, argument: str) -> Callable[[], Any]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(str(PEERS / "encoder.onnx"), options, providers=["CPUExecutionProvider"])
    x = (pixels(int(argument)).transpose(0, 3, 1, 2) - np.float32(127.5)) / 128
    return lambda: session.run(None, {"x": x})


def main(subject: str, task: str, argument: str) -> None:
    run = {"faceie": faceie, "facenet-pytorch": facenet_pytorch, "onnxruntime": onnxruntime}[subject](task, argument)
    run()
    if os.environ.get("BENCHMARK_ONCE"):
        return
    run()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        sys.stdout.write(f"{time.perf_counter() - start}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
