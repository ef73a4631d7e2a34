"""Tell whether NumPy's OpenBLAS can use the kernels for another processor on this one.

    python tools/can_emulate.py Haswell

Prints what is tested, or what is skipped and why, and ends with 0 or 1.
"""

import os
import subprocess
import sys

_SAME_KERNELS = {"Zen": "Haswell"}  # builds of OpenBLAS that know no Zen use Haswell's kernels on it, too

_PROGRAM = """
import numpy, threadpoolctl
numpy.ones((64, 64), "f4") @ numpy.ones((64, 64), "f4")
print(*(library.get("architecture") for library in threadpoolctl.threadpool_info()))
"""


def main(kind: str) -> int:
    environment = {**os.environ, "OPENBLAS_CORETYPE": kind}
    run = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=False)
    found = run.stdout.strip() or "a crash"
    if {kind, _SAME_KERNELS.get(kind)} & set(found.split()):
        print(f"== as on {kind} (kernels: {found})", flush=True)
        return 0
    print(f"== SKIPPED: as on {kind}, since this processor or NumPy's BLAS library cannot ({found})", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
