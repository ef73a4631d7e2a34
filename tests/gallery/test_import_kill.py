"""An import that is killed at any moment: all names are stored, or none, and the next import ends the same."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from faceie import Gallery

from ..metadata.packets import photo
from .conftest import QUICK, assert_intact, face_of, put, rows
from .test_import import BOXES, SIZE, people, regions
from .test_kill import run, running, wait_until_ready

pytestmark = [
    pytest.mark.file_only,
    pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX"),
]

_PHOTOS = 150

_IMPORT = """
import sys
import numpy as np
import faceie.gallery.import_names as module
import faceie.gallery.settings as settings
from faceie import Gallery
from tests.gallery.conftest import an_analysis, face_of

settings.load = lambda source: source
settings.identify = lambda weights: "vggface2"
settings.answer = lambda weights: np.zeros(8, np.float32)

def find(path, boxes, settings, weights):
    face = an_analysis(face_of(77, len(path))).faces[0]
    return [face._replace(box=tuple(map(float, box))) for box in boxes]

module.find_named_faces = find
print("ready", flush=True)
with Gallery(sys.argv[1]) as gallery:
    gallery.import_names([sys.argv[2]])
print("done", flush=True)
"""


def test_killed_at_any_moment(path: Path, tmp_path: Path, no_weights: None) -> None:
    """At many moments: the rows are those before the import or those after it, and a last import ends the same."""
    album = tmp_path / "album"
    album.mkdir()
    with Gallery(path, options=QUICK) as gallery:
        gallery._weights()
        picture = photo(album / "0.jpg", size=SIZE).read_bytes()
        for i in range(_PHOTOS):
            target = album / f"{i}.jpg"
            target.write_bytes(picture)
            name, other = f"Person {i % 20}", f"Person {1 + i % 20}"
            xmp = people(name) if i % 3 else regions((name, BOXES[0]), (other, (300, 300, 350, 360)))
            target.with_name(f"{i}.jpg.xmp").write_bytes(xmp)
            put(gallery, str(target), face_of(i % 20, i))
        gallery.confirm("Person 1", [3])
    before, original = rows(path), tmp_path / "original.faceie"
    shutil.copy(path, original)
    (tmp_path / "undisturbed").mkdir()
    undisturbed = Path(shutil.copy(path, tmp_path / "undisturbed" / path.name))
    seconds = run(_IMPORT, undisturbed, album)
    after = rows(undisturbed)
    run(_IMPORT, undisturbed, album)
    assert rows(undisturbed) == after
    assert len(after["faces"]) == _PHOTOS * 4 // 3
    moments = random.Random(0)
    seen = []
    for _ in range(12):
        if seen and seen[-1]:  # the last kill came too late
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()
            shutil.copy(original, path)
        with running(_IMPORT, path, album) as process:
            wait_until_ready(process)
            time.sleep(moments.uniform(0.1, 1.02) * seconds)
            process.kill()
            process.communicate()
        assert_intact(path)
        seen.append(rows(path) == after)
        assert seen[-1] or rows(path) == before
    assert not all(seen), "the kills missed the import"
    run(_IMPORT, path, album)
    assert rows(path) == after
