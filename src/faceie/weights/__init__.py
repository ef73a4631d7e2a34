"""Files of weights: our own format, other formats, and downloads. This room knows no particular network.

===============  =============================================================================================
`safetensors`    our own format: mapped into memory, read in milliseconds
`readers`        a file of any known format, recognized by its contents
`torch`          PyTorch's ``state_dict``, both formats
`tensorflow`     frozen TensorFlow graphs
`weightie`       ``.weights`` of faceie 0.0.5
`pickles`        pickles, which two of these formats contain, read without running them
`registry`       published weights, by name
`fetch`          downloads
===============  =============================================================================================

Weights are data. No file can make these readers run code. All sizes in a file are checked before memory is allocated.
Each reader raises `faceie.errors.WeightsError`, which names the file and the reason.
"""
