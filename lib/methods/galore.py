r"""GALORE: the regions that support a class and not its rival, where the network is confident."""

import math

import torch
from torch import Tensor

from ..checks import check_choice
from ..rival import Rival, rivals_of, strongest_rival
from ..selectors import SELECTORS, Score
from .combination import channel_sum


def softmax_confidence(y: Tensor, c: Tensor) -> Tensor:
    r"""$\max_y p_y$ (B,)."""
    return y.softmax(1).amax(1)


def certainty(y: Tensor, c: Tensor) -> Tensor:
    r"""$1 + \frac{1}{\log C} \sum_y p_y \log p_y$ (B,): zero for equal probabilities."""
    log_p = y.log_softmax(1)
    return 1 + (log_p.exp() * log_p).sum(1) / math.log(y.shape[1])


CONFIDENCES: dict[str, Score] = {"softmax": softmax_confidence, "certainty": certainty}


def galore(
    net,
    x: Tensor,
    target: Tensor,
    *,
    rival: Rival | None = None,
    confidence: str = "softmax",
    selector: str = "logit",
) -> Tensor:
    r"""The evidence for a class where there is none for its rival and the network is confident.

    $$d_{ij} = a_{ij}(y_a) \big(\max a(y_c) - a_{ij}(y_c)\big)\, a_{ij}(s), \quad
      a_{ij}(f) = \Big[\sum_k A^k_{ij} \frac{\partial f}{\partial A^k_{ij}}\Big]_+$$
    with $A^k$ the channels of the target layer, $y_a$ and $y_c$ the scores of the class a that is
    explained and of its rival c, and s the confidence: the largest probability, or 1 minus the
    entropy relative to its maximum (Wang & Vasconcelos 2020, section 3; 2023). The papers' third
    confidence score, easiness, is left out: it needs a network that predicts how hard an image is.

    Args:
        rival: one class, or {class: its rival}, or (B,) classes, one per image; None for the most
            probable other class.
        confidence: s: "softmax", the largest probability, or "certainty", from the entropy.
        selector: the score of a class; see `SELECTORS`.

    Returns:
        Raw maps (B, h, w), not negative.

    Raises:
        UnknownName: there is no such confidence or selector.
        ValueError: a class is its own rival, or the network has one class.

    Example:
        >>> S = explain("galore", net, x, target=243)
    """
    check_choice("confidence", confidence, CONFIDENCES)
    check_choice("selector", selector, SELECTORS)
    with torch.no_grad():
        A, context = net.cut(x)
    with torch.enable_grad():
        A = A.detach().requires_grad_()
        y = net.head(A, context)
        if y.shape[1] < 2:
            raise ValueError(f"galore tells two classes apart, and {net.name} has one class")
        if rival is None:
            rival = strongest_rival(y.detach(), target)
        else:
            rival = rivals_of(rival, target, y.shape[1])
        of_class = SELECTORS[selector]
        a, c, s = (
            _attribution(A, score(y, classes))
            for score, classes in (
                (of_class, target),
                (of_class, rival),
                (CONFIDENCES[confidence], target),
            )
        )
    return a * (c.amax((1, 2), keepdim=True) - c) * s


def _attribution(A: Tensor, score: Tensor) -> Tensor:
    r"""$a_{ij}$ (B, h, w) of a score (B,)."""
    (g,) = torch.autograd.grad(score.sum(), A, retain_graph=True)
    return channel_sum(A.detach() * g).relu()
