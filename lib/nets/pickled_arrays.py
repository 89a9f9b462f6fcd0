"""Weights from a pickle of NumPy arrays, read without running any other code in the pickle."""

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# Everything that unpickling arrays calls, for any version of NumPy that wrote them.
_ADMITTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted: arrays alone are")
        return _ADMITTED[module, name]


def read_pickled_arrays(path: Path) -> dict[str, Tensor]:
    """The kernels and biases of convolutions, from a dict {layer: [kernel, bias]}.

    A kernel (h, w, in, out), as TensorFlow has it, becomes a weight (out, in, h, w).

    Raises:
        ValueError: the file is damaged, or would call other code when it is read.

    Example:
        >>> read_pickled_arrays(locate(read("weights")["torchvision:squeezenet1_1"])).keys()
        dict_keys(['conv1.weight', 'conv1.bias', ...])
    """
    try:
        with path.open("rb") as file:
            layers = _Unpickler(file, encoding="latin1").load()
        state = {}
        for layer, (kernel, bias) in layers.items():
            kernel = torch.from_numpy(kernel).permute(3, 2, 0, 1)
            state |= {
                f"{layer}.weight": kernel.contiguous(),
                f"{layer}.bias": torch.from_numpy(bias),
            }
        return state
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path}: not a pickle of {{layer: [kernel, bias]}} ({error})") from error
