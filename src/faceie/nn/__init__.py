"""Numeric kernels of neural networks, in NumPy. No code in this room knows about faces.

Activations are float32 and channels-last, ``(n, height, width, channels)``; kernels are ``(height, width, in, out)``.
So a convolution is one matrix product of patches and the kernel, both in the order in which they lie in memory
(Chellapilla et al. 2006, "High performance convolutional neural networks for document processing"; Goodfellow et al.
2016, chapter 9).

=============  ====================================================================================================
`tree`         weights as nested named tuples, to and from flat names
`fold`         batch normalization absorbed into the kernel before it
`reference`    the specification of every kernel: its arguments, and a slow, obvious twin
`layers`       the same kernels in plain NumPy, step by step
`graph`        a network traced to a list of operations
`methods`      the ways to compute a convolution, and its epilogue
`winograd`     the transforms of one of them
`gemm`         matrix products split into the sizes that BLAS computes fastest
`buffers`      preallocated arrays, packed weights and recorded NumPy calls
`plan`         a network planned for batches of one size: all of the above put together
`planar`       recorded kernels for large images with few channels (P-Net)
`resample`     area resampling, which must be exact for the published weights
`parallel`     worker threads, and the limit on the threads of BLAS
=============  ====================================================================================================

A network is a function of an array, its weights and the kernels to run on. `docs/how-a-plan-works.md` follows one
convolution from its line in the network to the NumPy calls.
"""

from pathlib import Path

from .. import namesake


def __getattr__(name: str) -> object:
    """Explain why names are missing that the other project called faceie imports from here, if it is installed."""
    if namesake.is_installed() and not Path(__file__).with_name(f"{name}.py").exists():
        raise ImportError(namesake.ADVICE)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
