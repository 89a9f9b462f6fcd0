"""Weights from an ONNX file, under the names of the modules from which it was exported."""

from pathlib import Path

import torch
from torch import Tensor

REMEDY = "Install it: pip install 'onnx>=1.17'"


def read_onnx_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of an ONNX file that PyTorch wrote, by name.

    The matrix of a linear layer is stored transposed and without a name; the node that multiplies
    with it has the layer's name. Other tensors without names are named after the node that reads
    them.

    Raises:
        FileNotFoundError: the package `onnx` is not installed; the message says how to get it.
        ValueError: the file is not an ONNX file.

    Example:
        >>> read_onnx_weights(path)["backbone.encoder.layer.0.mlp.fc1.weight"].shape
        torch.Size([1536, 384])
    """
    try:
        import onnx
    except ImportError as error:
        raise FileNotFoundError(
            f"{path.name} is read by the package 'onnx', which is not installed. {REMEDY}"
        ) from error

    try:
        graph = onnx.load(path).graph
    except FileNotFoundError:
        raise
    except Exception as error:  # protobuf has errors of its own
        raise ValueError(f"{path}: not an ONNX file ({error})") from error
    readers = {name: node for node in graph.node for name in node.input}
    state = {}
    for one in graph.initializer:
        tensor = torch.from_numpy(onnx.numpy_helper.to_array(one).copy())
        node = readers.get(one.name)
        if "::" in one.name and node is not None:
            place = node.name.strip("/").replace("/", ".")
            if node.op_type == "MatMul":
                place, tensor = place.removesuffix(".MatMul") + ".weight", tensor.T.contiguous()
            state[place] = tensor
        else:
            state[one.name] = tensor
    return state
