"""Numeric kernels of neural networks, in NumPy. Nothing in this room knows what a face is.

Activations are float32 and channels-last, ``(n, height, width, channels)``, kernels are ``(height, width, in, out)``:
so a convolution is one matrix product between patches of the activations and the kernel, both in the order in which
they lie in memory. The background is in Chellapilla et al. 2006 ("High performance convolutional neural networks for
document processing": patches and a matrix product) and in Goodfellow et al. 2016, chapter 9.

==================  ===============================================================================================
`reference`         slow, obvious twins: the specification of every kernel, and what the tests compare with
`layers`            the same functions, fast: same names, same arguments
`plan`              a network, planned for batches of one size, faster still: arrays that are there, and a list of calls
`graph`             what a plan is made from: the network as a list of operations
`conv`, `winograd`  ways to compute a convolution, which a plan chooses from
`gemm`              matrix products as the library below NumPy likes them
`places`            where activations are while a plan runs
`activations`       how they lie in memory, and what becomes of the sums of a convolution
`record`, `memory`  calls of NumPy, written down to be made later, and what they work on
`rows`              recorded kernels for large images with few channels, in another order
`resample`          area resampling, the one image operation that must be exact for weights to stay compatible
`fold`              batch normalization absorbed into the kernel before it
`tree`              networks' weights as nested named tuples, to and from flat names
`threads`           independent pieces of work side by side, in threads
`daemons`, `blas`   these threads; and the threads of the BLAS library, which are switched off during that
==================  ===============================================================================================

`layers` and `reference` are interchangeable: a network takes the module that it is to run on as its argument ``nn``. A
plan gives it one that writes down what it is asked for (`graph`), and so interprets the same function.
"""

from pathlib import Path

from .. import namesake


def __getattr__(name: str) -> object:
    """Explain why names are missing that the other project called faceie imports from here, if it is installed."""
    if namesake.is_installed() and not Path(__file__).with_name(f"{name}.py").exists():
        raise ImportError(namesake.ADVICE)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
