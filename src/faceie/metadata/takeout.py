"""Google Takeout: a JSON file beside each photo, which names the people in it, without regions.

The name of the file is that of the photo, with ``.json`` or, since 2024, ``.supplemental-metadata.json`` after it. It
is cut to 51 characters, so ``photo.jpg.supplemental-me.json``, ``photo.jpg.s.json`` and names without the end of the
photo's own occur. A number moves to the end: ``photo.jpg(1).json`` belongs to ``photo(1).jpg``. The photo's extension
may be missing. An edited photo has no file of its own, so that of the original counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import MetadataError
from .texts import clean_name
from .xmp import read_file

__all__ = ["TakeoutFolder", "read_people"]

_MOST_BYTES = 1_000_000
_SUPPLEMENT = ".supplemental-metadata"
_CUT = 46  # characters of a name without ".json"
_LEAST_CUT = 40  # characters of a name that may have been cut: not all versions count alike

_NUMBERED = re.compile(r"(.*?)(\(\d+\))$")
_EDITED = re.compile(
    r"-(?:edited|effects|smile|mix|bearbeitet|modifi[eé]|modificato|editado|edytowane|bewerkt|redigerad|redigeret|"
    r"upravené|編集済み)$",
    re.IGNORECASE,
)


class TakeoutFolder:
    """The JSON files of a folder.

    Parameters
    ----------
    folder : Path
        Folder of the files.
    names : iterable of str
        Names of all files in the folder.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        self._files: dict[tuple[str, str], list[str]] = {}
        for name in sorted(names):
            if name.lower().endswith(".json"):
                self._files.setdefault(_numbered(name[: -len(".json")].casefold()), []).append(name)

    def find(self, photo: str) -> Path | None:
        """Return the file that belongs to a photo, if there is one."""
        for file, is_sure in self._candidates(photo):
            path = self._folder / file
            if is_sure or _is_title(path, photo):
                return path
        return None

    def _candidates(self, photo: str) -> Iterator[tuple[str, bool]]:
        """Yield the files that may belong to a photo, and whether their names alone prove it."""
        stem, _, extension = photo.casefold().rpartition(".")
        for base in dict.fromkeys([stem, _EDITED.sub("", stem), _unedited(stem)]):
            main, number = _numbered(base)
            for whole, key in ((f"{main}.{extension}", number), (f"{base}.{extension}", "")):
                full = whole + _SUPPLEMENT
                for end in (*range(len(full), len(whole) - 1, -1), *range(min(_CUT, len(whole)), _LEAST_CUT - 1, -1)):
                    is_whole = end >= len(whole)
                    yield from ((file, is_whole) for file in self._files.get((full[:end], key), ()))
            for without, key in ((main, number), (base, "")):  # the photo's extension is missing
                full = without + _SUPPLEMENT
                for end in range(len(full), len(without) - 1, -1):
                    yield from ((file, False) for file in self._files.get((full[:end], key), ()))


def _numbered(name: str) -> tuple[str, str]:
    """Split a number in parentheses from the end of a name."""
    match = _NUMBERED.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def _unedited(stem: str) -> str:
    """Return a name without the word for an edited photo before its number."""
    main, number = _numbered(stem)
    return _EDITED.sub("", main) + number


def read_people(path: Path) -> list[str]:
    """Return the names of people in a file of Google Takeout. Raises MetadataError."""
    people = _read(path).get("people")
    found = [one.get("name") for one in people if isinstance(one, dict)] if isinstance(people, list) else []
    names = (clean_name(name) for name in found if isinstance(name, str))
    return list(dict.fromkeys(filter(None, names)))


def _is_title(path: Path, photo: str) -> bool:
    """Tell whether the title in a file is that of a photo. File names lack some characters, and may be cut."""
    try:
        title = _read(path).get("title")
    except MetadataError:
        return False
    if not isinstance(title, str) or not title:
        return False

    def letters(name: str) -> str:
        return re.sub(r"[^\w]", "_", name.casefold())

    stem, _, extension = photo.rpartition(".")
    main, _ = _numbered(_unedited(stem))
    title_stem, _, title_extension = title.rpartition(".")
    if not title_stem:
        title_stem, title_extension = title, extension
    if title_extension.casefold() != extension.casefold():
        return letters(title) in (letters(stem), letters(main))
    return any(
        letters(title_stem) == letters(name)
        or (len(name) >= _LEAST_CUT and letters(title_stem).startswith(letters(name)))
        for name in (stem, main)
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_file(path, _MOST_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise MetadataError("it is not valid JSON") from error
    return content if isinstance(content, dict) else {}
