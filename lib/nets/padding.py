"""Convolutions that pad as TensorFlow does, without a padded copy of their input.

TensorFlow's "same" padding puts the odd pixel after the image, whereas PyTorch pads both sides
alike. timm therefore copies the image into a larger one before such a convolution. A kernel with a
leading row of zeros, and one more pixel of padding on both sides, gives the same function:

    sum_k w[k] x[i + k - l]  =  sum_j [0, w][j] x[i + j - (l + 1)]
"""

import copy

from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, fx, nn
from torch.nn import functional as F


class ZeroLedConv2d(nn.Conv2d):
    """A convolution with "same" padding whose kernel leads with zeros where the padding is odd."""

    def forward(self, x: Tensor) -> Tensor:
        padding = [
            max((-(-n // stride) - 1) * stride + k - n, 0)  # before and after
            for n, k, stride in zip(x.shape[2:], self.kernel_size, self.stride)
        ]
        rows, columns = (p % 2 for p in padding)
        kernel = F.pad(self.weight, (columns, 0, rows, 0))
        after = [p - p // 2 for p in padding]
        return F.conv2d(x, kernel, self.bias, self.stride, after, groups=self.groups)


def spare_padded_copies(root: fx.GraphModule) -> None:
    """Replaces a traced network's convolutions with "same" padding in place; results stay equal."""
    for name, module in list(root.named_modules()):
        if type(module) is Conv2dSame and module.dilation == (1, 1):
            conv = copy.copy(module)
            conv.__class__ = ZeroLedConv2d
            root.set_submodule(name, conv)
