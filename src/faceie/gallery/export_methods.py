"""`ExportMethods`: the methods of `Gallery` that write names of people into files and folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import OptionError
from ..files import absolute_paths
from .export_names import ExportOptions, ExportReport, export_names
from .links import LinkReport, link_people
from .question_methods import QuestionMethods

__all__ = ["ExportMethods"]


class ExportMethods(QuestionMethods):
    """Names of people for other programs. A base class of `Gallery`."""

    def export_names(
        self,
        paths: Iterable[str | os.PathLike[str]] | None = None,
        *,
        to: str | os.PathLike[str] | None = None,
        embed: bool = False,
        recognized: float | None = None,
        remove: bool = False,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> ExportReport:
        """Write the names of people, with the regions of their faces, for other programs.

        Names are written into a sidecar beside each photo, such as ``party.jpg.xmp``: as regions of the Metadata
        Working Group and of Microsoft, as people in the photo, and as keywords. Everything that other programs have
        written into a sidecar stays, to the byte. Names that Faceie has written earlier are replaced. A face that has
        another name in the file already is left out. Files whose names are up to date are not written.

        Parameters
        ----------
        paths : iterable of str or path-like, optional
            Folders, searched at any depth, and single photos, of those in the gallery. By default, all photos.
        to : str or path-like, optional
            Folder for the sidecars, instead of the photos' own folders. It gets the same folders as the photos.
        embed : bool, default False
            Whether to write into the photos themselves, by the program exiftool. The gallery recognizes the changed
            photos. RAW photos are left alone.
        recognized : float, optional
            Least probability, 0 to 1, of faces that Faceie has recognized. By default, only faces whose names you have
            given, confirmed or imported are written.
        remove : bool, default False
            Whether to remove the names that Faceie has written. A sidecar that Faceie has made is deleted, unless it
            has something else.
        dry_run : bool, default False
            Whether to return the report only, and to change nothing.
        progress : callable, optional
            Called after each photo with the number of finished photos and the number of all photos.

        Returns
        -------
        ExportReport
            Changed files, conflicts and problems.

        Raises
        ------
        OptionError
            Options do not fit together, or a probability is out of range.
        FaceieError
            exiftool is needed, but not installed.
        GalleryError
            The gallery cannot be written, which `embed` needs.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> [path.name for path in gallery.export_names().written]
        ['astronaut.jpg.xmp']
        >>> gallery.export_names().unchanged
        1
        >>> [path.name for path in gallery.export_names(remove=True).removed]
        ['astronaut.jpg.xmp']
        """
        if embed and to is not None:
            raise OptionError("embed writes into the photos, to writes into another folder: expected one of them")
        tops = [] if paths is None else absolute_paths(paths)
        folder = None if to is None else Path(absolute_paths([to])[0])
        options = ExportOptions(folder, embed, recognized, remove, dry_run)
        with self._reading():
            files, problems = self._files(None if paths is None else tops)
            report = export_names(self._store, None if files is None else set(files), tops, options, progress)
        return report._replace(problems=problems + report.problems)

    def link_people(self, folder: str | os.PathLike[str], *, copy: bool = False, dry_run: bool = False) -> LinkReport:
        """Keep a folder of links to the photos of each person with a name.

        Another call brings the folders up to date. Links that are no longer right are removed. Files that Faceie has
        not made are never changed.

        Parameters
        ----------
        folder : str or path-like
            Folder in which to make a folder for each person.
        copy : bool, default False
            Whether to copy the photos, instead of linking to them.
        dry_run : bool, default False
            Whether to return the report only, and to change nothing.

        Returns
        -------
        LinkReport
            Number of links that were made and removed, and problems.

        Raises
        ------
        FaceieError
            The list of former links in this folder is damaged.
        GalleryError
            The gallery or the folder cannot be read or written.

        Examples
        --------
        >>> number = gallery.confirm("Anna", [1])
        >>> gallery.link_people("people").made
        1
        >>> sorted(path.name for path in Path("people/Anna").iterdir())
        ['astronaut.jpg']
        """
        with self._reading():
            return link_people(self._store, Path(absolute_paths([folder])[0]), copy=copy, dry_run=dry_run)
