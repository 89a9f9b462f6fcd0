"""A network with one logit, as a classifier of two classes."""

import torch
from torch import Tensor, nn


class TwoClasses(nn.Module):
    r"""Logits $(-y/2, y/2)$ (B, 2) of one logit y, whose softmax is $(1 - \sigma(y), \sigma(y))$.

    A positive y favours class 1, and a negative y class 0; the derivatives of the logits are
    opposite.

    Example:
        >>> net = nets.wrap(nets.TwoClasses(model), classes=["no", "yes"], mean=..., std=...)
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model, self.split = model, nn.Linear(1, 2, bias=False)
        del self.split.weight  # it is not a weight of the network: not trained and in no file
        parameter = next(model.parameters(), torch.empty(0))
        half = torch.tensor([[-0.5], [0.5]]).to(parameter)
        self.split.register_buffer("weight", half, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.split(self.model(x).reshape(-1, 1))  # of (B, 1) or (B,)
