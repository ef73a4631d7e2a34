"""`DatasetMethods`: the methods of `Gallery` that read and write datasets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from ..dataset import Origin, arrow, check_dataset, options_text, part_paths
from ..files import absolute_paths
from .export_dataset import export_dataset
from .export_methods import ExportMethods
from .import_dataset import AddRun
from .reports import AddReport

__all__ = ["DatasetMethods"]


class DatasetMethods(ExportMethods):
    """Datasets of Parquet files. A base class of `Gallery`."""

    def add(
        self,
        dataset: str | os.PathLike[str],
        *,
        forgotten: bool = False,
        progress: Callable[[int, int, AddReport], None] | None = None,
    ) -> AddReport:
        """Add the photos, faces and people of a dataset: of a cluster's work, or of another gallery.

        Known photos are not added again. People with the same name become one person. The statements of this gallery
        always win. Statements of the dataset about other faces are taken over. An import may be interrupted or killed
        at any moment, and a second one of the same dataset changes nothing. It cannot be undone.

        Parameters
        ----------
        dataset : str or path-like
            Folder of a dataset, or one file of it.
        forgotten : bool, default False
            Whether to add photos again that were deleted by `forget_photo`.
        progress : callable, optional
            Called after each file with the number of finished files, the number of all files, and the report so far.

        Returns
        -------
        AddReport
            Result of the import.

        Raises
        ------
        FaceieError
            There is no dataset, or it is damaged, has another encoder, other options, or a newer format. Or pyarrow is
            not installed.
        GalleryError
            The gallery cannot be written.

        Examples
        --------
        >>> gallery.export_dataset("dataset")
        5
        >>> report = gallery.add("dataset")  # of its own photos
        >>> report.photos, report.known
        (0, 5)
        """
        folder = Path(absolute_paths([dataset])[0])
        arrow()
        with self._reading():
            parts = part_paths(folder)
            check_dataset(parts, self._origin())
            run = AddRun(self._store, folder, parts, forgotten=forgotten)
            run.work(progress)
            return run.report

    def export_dataset(self, folder: str | os.PathLike[str]) -> int:
        """Write the whole gallery as a dataset: photos, faces, people, and your statements about them.

        The list of your last actions, for `undo`, is left out, and that of the photos that you have deleted.

        Parameters
        ----------
        folder : str or path-like
            New or empty folder. It appears when the dataset is complete, and only its owner can read it.

        Returns
        -------
        int
            Number of faces.

        Raises
        ------
        FaceieError
            pyarrow is not installed, or the dataset cannot be written.
        GalleryError
            Something is in the folder already.

        Examples
        --------
        >>> gallery.export_dataset("backup-dataset")
        5
        """
        arrow()
        with self._reading():
            return export_dataset(self._store, Path(absolute_paths([folder])[0]), self._origin())

    def _origin(self) -> Origin:
        """Return encoder and options of this gallery."""
        self._weights()  # stores the answer of a new gallery
        answer = json.loads(self._store.setting("answer") or "[]")
        weights = {"name": self._store.setting("calibration"), "answer": [round(float(number), 6) for number in answer]}
        return Origin(json.dumps(weights), options_text(self._settings.options))
