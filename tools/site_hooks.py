"""Hooks of MkDocs: documents from outside `docs/` become pages of the site, and links between all of them are checked.

Documents link to files of the repository, as they are read there. On the site, a link to a page leads to that page, and
a link to any other file of the repository becomes the name of that file.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

#: Documents of the repository, and the pages that they become.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}

_LINK = re.compile(r"(?<!!)\[([^\]\n]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the documents from outside `docs/`."""
    for document, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(_root(config) / document)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead links to where the site has the document."""
    sources = {page: document for document, page in PAGES.items()}
    here = page.file.src_uri
    folder = posixpath.dirname(sources.get(here, f"docs/{here}"))

    def lead(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if not target or ":" in target:
            return link[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if not (_root(config) / path).exists():
            raise PluginError(f"{here}: no file {path} in the repository")
        uri = PAGES.get(path, path.removeprefix("docs/"))
        if files.get_file_from_path(uri) is None:
            return text
        return f"[{text}]({posixpath.relpath(uri, posixpath.dirname(here) or '.')}{anchor})"

    return _LINK.sub(lead, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Show the references of docstrings, `.. [1] title`, one on a line."""
    html = re.sub(r"<p>\.\. (?=\[\d+\])", "<p>", html)
    return re.sub(r"\n\.\. (?=\[\d+\])", "<br>\n", html)


def _root(config: Any) -> Path:
    return Path(config.config_file_path).parent
