"""`ImportMethods`: the method of `Gallery` that imports names from other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ..files import absolute_paths
from .import_names import ImportRun
from .photo_methods import PhotoMethods
from .reports import BadPhoto, ImportReport

__all__ = ["ImportMethods"]


class ImportMethods(PhotoMethods):
    """Names from other programs. A base class of `Gallery`."""

    def import_names(
        self,
        paths: Iterable[str | os.PathLike[str]] | None = None,
        *,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> ImportReport:
        """Import the names of people that other programs have stored in photos or beside them.

        Regions of faces are read from XMP (MWG, Microsoft, IPTC, ACDSee), in the photo or in a sidecar, and from
        Picasa's files. Each region is put on the face that it overlaps most. Without such a face, its surroundings are
        searched again. Names without regions are read from XMP and from the JSON files of Google Takeout. They are put
        on faces where that is nearly certain.

        The user's statements in this gallery are never changed. All is stored in one transaction. A second import of
        the same files changes nothing.

        Parameters
        ----------
        paths : iterable of str or path-like, optional
            Folders, searched at any depth, and single photos, of those in the gallery. By default, all photos.
        dry_run : bool, default False
            Whether to return the report only, and to change nothing.
        progress : callable, optional
            Called after each photo with the number of finished photos and the number of all photos.

        Returns
        -------
        ImportReport
            Counts, conflicts, names without a face, and files that cannot be read.

        Raises
        ------
        GalleryError
            The gallery cannot be written.
        WeightsError
            The weights of the encoder cannot be loaded.

        Examples
        --------
        >>> _ = Path("photos/astronaut.jpg.xmp").write_text('''
        ... <x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        ...   xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:RDF><rdf:Description>
        ...   <ext:PersonInImage><rdf:Bag><rdf:li>Eileen</rdf:li></rdf:Bag></ext:PersonInImage>
        ... </rdf:Description></rdf:RDF></x:xmpmeta>''')
        >>> gallery.import_names(["photos"]).faces
        1
        >>> gallery.face(1).name
        'Eileen'
        """
        with self._reading():
            files, problems = self._files(paths)
            run = ImportRun(self._store, self._settings, self._weights)
            run.plan(files, progress)
        if not (dry_run or run.is_empty()):
            with self._writing("import"):
                run.store()
        report = run.report()
        return report._replace(problems=problems + report.problems)

    def _files(self, paths: Iterable[str | os.PathLike[str]] | None) -> tuple[list[str] | None, list[BadPhoto]]:
        """Return the known files below some paths, and the paths without any."""
        if paths is None:
            return None, []
        files: list[str] = []
        problems = []
        for top in absolute_paths(paths):
            below = self._store.paths_below(top)
            if not below:
                problems.append(BadPhoto(Path(top), "no photo of it is in the gallery: add it with faceie index"))
            files += below
        return files, problems
