"""Contrasts for every method that back-propagates from a score, whatever its rules."""

import inspect
from collections.abc import Callable
from functools import wraps

from torch import Tensor

from ..selectors import select


def contrastive(fn: Callable) -> Callable:
    r"""A method with the options `selector` and `contrast`, from `fn(net, x, target, score)`.

    The method starts where the score is differentiated by the logits. A contrast is linear in them
    with constant weights, so that whatever carries $\partial y_s$ linearly from there, derivatives or
    the rules of DeepLIFT and LRP, gives $\phi_t - \sum_{s \ne t} a_s \phi_s$ in one pass (Wang & Wang
    2022, proposition 3).

    Layer-CAM and Grad-CAM++ rectify the derivatives themselves, so that theirs are no such
    combinations, and behind a ReLU show what speaks for the class alone.

    Not for methods that optimise or sample, whose logits change on the way, nor for TIBAV, which
    shares out the relevance of the score: that of a contrast is zero in all.
    """

    @wraps(fn)
    def method(net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"):
        return fn(net, x, target, select(selector, contrast))

    method.__signature__ = inspect.signature(method, follow_wrapped=False)
    return method
