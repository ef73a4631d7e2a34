"""Files of weights: ours, those of others, and where they come from. Nothing in this room knows a particular network.

===============  =============================================================================================
`safetensors`    our own format: mapped into memory, read in milliseconds
`readers`        any file, told apart by what is in it: ours and the three below
`torch`          PyTorch's ``state_dict``, both formats
`tensorflow`     frozen TensorFlow graphs
`weightie`       ``.weights`` of faceie 0.0.5
`pickles`        pickles (which two of these formats are made of), read without running them
`registry`       weights that have a name, and where they are looked for
`fetch`          downloads
===============  =============================================================================================

Weights are data. No file can make these readers run anything, and whatever it claims of itself is checked before memory
is set aside for it. Each reader raises `faceie.errors.WeightsError`, which names the file and the reason.
"""
