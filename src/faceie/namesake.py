"""The other project called *faceie* on the package index. Installed beside this one, it overwrites files of ours.

Ours is distributed as *faceie-numpy*, but both are imported as `faceie`, from one folder. No code of the other project
is used here.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["ADVICE", "is_installed"]

ADVICE = (
    "another project called faceie is installed in the same folder, and each overwrites files of the other. "
    "Uninstall both, then install this one again: pip uninstall faceie faceie-numpy"
)


def is_installed() -> bool:
    """Tell whether a file of the other project lies in the folder of this one."""
    return Path(__file__).with_name("nn_arguments.py").exists()
