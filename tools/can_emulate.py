"""Tell whether NumPy's OpenBLAS can use the kernels for another processor on this one.

    OPENBLAS_CORETYPE=Haswell OPENBLAS_L2_SIZE=256 python tools/can_emulate.py

Prints the kernels that are tested, or the reason to skip them, and ends with 0 or 1. The second-level cache, in kB,
belongs to the processor: with Haswell's kernels and 1024 kB, OpenBLAS 0.3.34 (NumPy 2.5.5) crashes in large products.
"""

import os
import subprocess
import sys

_SAME_KERNELS = {"Zen": "Haswell"}  # OpenBLAS builds without kernels for Zen use Haswell's on it

_PROGRAM = """
import numpy, threadpoolctl
numpy.ones((300, 1800), "f4") @ numpy.ones((1800, 200), "f4")
print(*(library.get("architecture") for library in threadpoolctl.threadpool_info()))
"""


def main() -> int:
    kind = os.environ["OPENBLAS_CORETYPE"]
    run = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    found = run.stdout.strip() or "a crash"
    if {kind, _SAME_KERNELS.get(kind)} & set(found.split()):
        print(f"== as on {kind} (kernels: {found})", flush=True)
        return 0
    print(f"== SKIPPED: as on {kind}, since this processor or NumPy's BLAS library cannot ({found})", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
