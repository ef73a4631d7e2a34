"""Make the small files in ``samples/`` with the programs whose formats they are: PyTorch, and faceie 0.0.5's
*weightie*.

Run it by hand where these are installed: ``python tests/weights/make_samples.py``. Their contents are listed in
``test_readers.py``.
"""

from pathlib import Path

import numpy as np
import torch
from faceie.nn_arguments import Conv2DWeights, LinearWeights  # of faceie 0.0.5
from weightie import dump

SAMPLES = Path(__file__).parent / "samples"


def main() -> None:
    numbers = torch.arange(24, dtype=torch.float32)
    state_dict = torch.nn.Module().state_dict()  # an OrderedDict with PyTorch's _metadata
    state_dict["whole"] = numbers.reshape(2, 3, 4)
    state_dict["transposed"] = numbers.reshape(2, 3, 4).permute(2, 0, 1)
    state_dict["part"] = numbers[5:20:3]
    state_dict["parameter"] = torch.nn.Parameter(torch.tensor([1.5, -2.0]))
    state_dict["double"] = torch.tensor([[0.1]], dtype=torch.float64)
    state_dict["half"] = torch.tensor([0.5, 65504], dtype=torch.float16)
    state_dict["number"] = torch.tensor(7.25)
    state_dict["empty"] = torch.empty(0, 3)
    state_dict["num_batches_tracked"] = torch.tensor(12)
    torch.save(state_dict, SAMPLES / "zip.pt")
    torch.save(state_dict, SAMPLES / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": state_dict}, SAMPLES / "checkpoint.pt")
    kernel = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    with (SAMPLES / "sample.weights").open("wb") as file:
        dump((Conv2DWeights(kernel, np.float32([1, 2])), [LinearWeights(kernel[0], None)], 0.25), file)


if __name__ == "__main__":
    main()
