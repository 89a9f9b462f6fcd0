"""Makes torchvision importable beside a CPU-only torch.

torchvision's Linux wheel is a CUDA build. Its compiled extension cannot load beside a CPU-only
torch, and torchvision then fails while it registers fake kernels for two operators that the
extension would have declared. This module declares their schemas instead. If the extension loads,
it does nothing. No kernel is supplied: calling either operator still raises an error.
"""

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries = []  # a torch.library.Library un-registers its schemas when it is collected


def declare_missing() -> bool:
    """Declares the two schemas if torchvision's extension does not load; returns whether it did."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or hasattr(torch.ops.torchvision, "nms"):
        return False
    for extension in Path(spec.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(str(extension))
        except OSError:
            continue
    if hasattr(torch.ops.torchvision, "nms"):
        return False
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _libraries.append(library)
    return True
