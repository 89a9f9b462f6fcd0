r"""Selectors $g_c$: the score that an explanation explains, of logits $y$ and class $c$.

Opti-CAM, section 3.2, lets $g_c$ be any function of the logits; the default everywhere is the
logit. Gradient methods back-propagate from it, optimisation maximises it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .errors import unknown


def logit(y: Tensor, c: Tensor) -> Tensor:
    """$y_c$."""
    return y.gather(1, c[:, None])[:, 0]


def probability(y: Tensor, c: Tensor) -> Tensor:
    r"""$p_c = \mathrm{softmax}(y)_c$."""
    return logit(y.softmax(1), c)


def log_probability(y: Tensor, c: Tensor) -> Tensor:
    r"""$\log p_c$."""
    return logit(y.log_softmax(1), c)


def margin(y: Tensor, c: Tensor) -> Tensor:
    r"""$y_c - \max_{s \ne c} y_s$."""
    others = y.scatter(1, c[:, None], -torch.inf)
    return logit(y, c) - others.amax(1)


SELECTORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "logit": logit,
    "probability": probability,
    "log_probability": log_probability,
    "margin": margin,
}


def select(selector: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The selector of that name."""
    if selector not in SELECTORS:
        raise unknown("selector", selector, SELECTORS)
    return SELECTORS[selector]
