"""Run a task of Faceie or of a peer, in its own environment, for each line of the input; answer with the seconds.

    python worker.py SUBJECT TASK [ARGUMENT ...]

The peak of the memory in MB follows. With BENCHMARK_ONCE set, the program runs the task once and ends.

    python worker.py SUBJECT collection FOLDER [SMALLEST SHARE]

prints a line for each photo: the CPU seconds of opening it and of finding faces at all angles (the peer: upright), and
the number of the faces. The smallest face has the larger one of SMALLEST pixels (default 20) and a SHARE of the longer
side (default 0.01). The last line has the peak of the memory in MB.

SUBJECT: faceie, facenet-pytorch or onnxruntime. TASK: ``encode BATCH``; ``detect PHOTO`` (upright faces);
``detect-all PHOTO`` (at all angles; the peer: upright); ``folder FOLDER`` (open, find upright faces of at least 60
pixels, encode them) and ``folder-all FOLDER`` (at all angles). The weights of the peers, and the network in ONNX, are
in the folder FACEIE_PEERS (see README.md beside this file). The caller sets the number of threads.
"""

from __future__ import annotations

import os
import resource  # not on Windows
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

THREADS = int(os.environ.get("BENCHMARK_THREADS", "2"))
SMALLEST = 60  # pixels of faces in folders
PEERS = Path(os.environ.get("FACEIE_PEERS", "~/.cache/faceie-peers")).expanduser()


def pixels(batch: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, 160, 160, 3), np.uint8)


def faceie(task: str, argument: str) -> Callable[[], Any]:
    import faceie

    if task == "encode":
        x = pixels(int(argument))
        return lambda: faceie.encode_faces(x)
    rotations: Any = "auto" if task.endswith("-all") else (0,)
    if task.startswith("detect"):
        image = np.asarray(Image.open(argument).convert("RGB"))
        return lambda: faceie.detect_faces(image, crops=False, rotations=rotations)

    def work() -> None:
        for photo in sorted(Path(argument).iterdir()):
            faces = faceie.detect_faces(photo, min_face_size=SMALLEST, rotations=rotations)
            faceie.encode_faces(faces.images or [])

    return work


def facenet_pytorch(task: str, argument: str) -> Callable[[], Any]:
    import torch
    from facenet_pytorch import MTCNN, InceptionResnetV1

    torch.set_num_threads(THREADS)
    if task.startswith("detect"):
        image = Image.open(argument).convert("RGB")
        detector = MTCNN(keep_all=True)
        return lambda: detector.detect(image, landmarks=True)

    model = InceptionResnetV1(pretrained=None).eval()
    model.load_state_dict(torch.load(PEERS / "vggface2.pt", weights_only=True))
    if task == "encode":
        x = torch.from_numpy(((pixels(int(argument)).transpose(0, 3, 1, 2) - np.float32(127.5)) / 128).copy())

        def encode() -> Any:
            with torch.inference_mode():
                return model(x)

        return encode
    detector = MTCNN(keep_all=True, min_face_size=SMALLEST, margin=14)

    def work() -> None:
        for photo in sorted(Path(argument).iterdir()):
            crops = detector(Image.open(photo).convert("RGB"))
            if crops is not None:
                with torch.inference_mode():
                    model(crops)

    return work


def onnxruntime(task: str, argument: str) -> Callable[[], Any]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(str(PEERS / "encoder.onnx"), options, providers=["CPUExecutionProvider"])
    x = (pixels(int(argument)).transpose(0, 3, 1, 2) - np.float32(127.5)) / 128
    return lambda: session.run(None, {"x": x})


def collection(subject: str, folder: str, smallest: str = "20", share: str = "0.01") -> None:
    if subject == "faceie":
        import faceie

        options = faceie.DetectionOptions(min_face_size=float(smallest), min_face_share=float(share))

        def find(photo: Path) -> int:
            return len(faceie.detect_faces(photo, options).probabilities)
    else:
        import torch
        from facenet_pytorch import MTCNN

        torch.set_num_threads(THREADS)
        detector = MTCNN(keep_all=True, margin=14)

        def find(photo: Path) -> int:
            image = Image.open(photo).convert("RGB")
            detector.min_face_size = max(float(smallest), float(share) * max(image.size))
            crops = detector(image)
            return 0 if crops is None else len(crops)

    photos = sorted(Path(folder).iterdir())
    find(photos[0])
    for photo in photos:
        start = time.process_time()
        faces = find(photo)
        sys.stdout.write(f"{time.process_time() - start} {faces}\n")
    sys.stdout.write(f"{peak()}\n")


def peak() -> float:
    """Return the peak of this process's memory in MB."""
    status = Path("/proc/self/status")  # on Linux, getrusage counts the process that has started this one, too
    if status.exists():
        return next(float(line.split()[1]) / 1024 for line in status.read_text().splitlines() if "VmHWM" in line)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
        seconds = time.perf_counter() - start
        sys.stdout.write(f"{seconds} {peak()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[2] == "collection":
        collection(sys.argv[1], *sys.argv[3:])
    else:
        main(*sys.argv[1:])
