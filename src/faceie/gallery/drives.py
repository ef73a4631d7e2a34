"""Tell network drives from local ones.

Programs that use a SQLite database in WAL mode share memory, so they must run on the same machine
(https://www.sqlite.org/wal.html). Several machines may use a network drive, and some of its file systems cannot map
shared memory at all. A gallery on such a drive has a rollback journal instead: readers wait while another program
writes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path, PureWindowsPath

__all__ = ["is_on_network"]

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|ncpfs|afs|afpfs|webdav|davfs\d?|9p|ceph|lustre|beegfs|gpfs|vboxsf|vmhgfs|prl_fs|acfs|ftp"
    r"|fuse\.(sshfs|rclone|s3fs|gcsfuse|glusterfs|davfs\d?|curlftpfs|vmhgfs-fuse|cephfs|gvfsd-fuse|smbnetfs)"
)
_REMOTE = 4  # of GetDriveTypeW


def is_on_network(path: Path) -> bool:
    """Tell whether a path is on a network drive, as far as the system tells. The file need not exist."""
    if sys.platform == "win32":
        return _is_remote(PureWindowsPath(os.path.abspath(path)))  # noqa: PTH100  # leaves links as they are
    kinds = _macos_mounts() if sys.platform == "darwin" else _linux_mounts()
    folder = os.path.realpath(path.parent)
    while folder not in kinds and folder != os.path.dirname(folder):  # noqa: PTH120
        folder = os.path.dirname(folder)  # noqa: PTH120
    return bool(_NETWORK.fullmatch(kinds.get(folder, "")))


def _linux_mounts() -> dict[str, str]:
    """Return the type of the file system at each mount point. Of several at the same point, the last is on top."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return {}
    kinds = {}
    for line in lines:  # 36 35 98:0 /root /mount/point options ... - type source options
        before, _, after = line.partition(b" - ")
        point = re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), before.split()[4])
        kinds[os.fsdecode(point)] = after.split()[0].decode()
    return kinds


def _macos_mounts() -> dict[str, str]:
    """Return the same from lines of ``mount`` such as "//anna@nas/photos on /Volumes/photos (smbfs, nodev)"."""
    try:
        printed = subprocess.run(["/sbin/mount"], capture_output=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    mounts = re.findall(rb"^.* on (/.*) \((\w+)", printed, re.MULTILINE)
    return {os.fsdecode(point): kind.decode() for point, kind in mounts}


def _is_remote(path: PureWindowsPath) -> bool:
    if path.drive.startswith("\\\\"):  # \\nas\photos, and not \\?\C:
        return not re.match(r"\\\\[?.]\\[A-Za-z]:", path.drive)
    import ctypes

    kernel: object = getattr(ctypes, "windll", None)
    return kernel is not None and kernel.kernel32.GetDriveTypeW(path.anchor) == _REMOTE  # type: ignore[attr-defined]
