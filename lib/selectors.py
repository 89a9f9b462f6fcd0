r"""Selectors $g_c$: the score that is explained, as a function of logits $y$ and class $c$.

Opti-CAM, section 3.2, lets $g_c$ be any function of the logits; the default everywhere is the
logit. Gradient methods back-propagate from $g_c$, and optimisation maximises it.

Contrasts subtract the logits of the other classes, $y_t - \sum_{s \ne t} a_s y_s$ with
$\sum_s a_s = 1$ ("Why Not Other Classes?", Wang & Wang 2022). The weights $a$ are constants of the
image and are not differentiated, so a contrast is linear in the logits. Where propagation is linear
too, as in derivatives and in the rules of DeepLIFT and LRP, the explanation of the contrast is the
contrast of the explanations (proposition 3). This does not hold for Layer-CAM and Grad-CAM++, which
rectify the derivatives. Methods that optimise or sample have no contrasts, because the logits
change while they run. TIBAV has none because it distributes the relevance of the score, and the
total relevance of a contrast is zero.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .checks import check_choice

Score = Callable[[Tensor, Tensor], Tensor]  # of logits (B, C) and classes (B,): (B,)


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
    return logit(y, c) - _others(y, c).amax(1)


SELECTORS: dict[str, Score] = {
    "logit": logit,
    "probability": probability,
    "log_probability": log_probability,
    "margin": margin,
}


def _others(y: Tensor, c: Tensor) -> Tensor:
    """The logits, with minus infinity at the class itself."""
    return y.scatter(1, c[:, None], -torch.inf)


# -------------------------------------------------------------------------------------- contrasts


def equally(y: Tensor, c: Tensor) -> Tensor:
    r"""$a_s = 1 / (C - 1)$."""
    return (_others(y, c) > -torch.inf).to(y) / (y.shape[1] - 1)


def strongest(y: Tensor, c: Tensor) -> Tensor:
    r"""$a_{s^*} = 1$, $s^* = \arg\max_{s \ne t} y_s$."""
    return torch.zeros_like(y).scatter(1, _others(y, c).argmax(1, keepdim=True), 1.0)


def by_probability(y: Tensor, c: Tensor) -> Tensor:
    r"""$a_s = e^{y_s} / \sum_{s' \ne t} e^{y_{s'}}$."""
    return _others(y, c).softmax(1)


# The weights a (B, C) of the other classes sum to one; the weight of the class itself is zero.
CONTRASTS: dict[str, Callable[[Tensor, Tensor], Tensor] | None] = {
    "none": None,
    "mean": equally,
    "max": strongest,
    "weighted": by_probability,
}


def contrast_score(name: str) -> Score:
    r"""The logit of the class minus a mean of the others': $y_t - \sum_{s \ne t} a_s y_s$.

    The name chooses the weights $a$ (Wang & Wang 2022): "mean", "max" or "weighted"; "none" is the
    logit alone.

    Raises:
        UnknownName: there is no contrast of that name; the message lists the valid ones.
        ValueError: raised by the score if there is only one class.

    Example:
        >>> contrast_score("max")(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0]))
        tensor([1.])
    """
    check_choice("contrast", name, CONTRASTS)
    weights = CONTRASTS[name]
    if weights is None:
        return logit

    def score(y: Tensor, c: Tensor) -> Tensor:
        if y.shape[1] < 2:
            raise ValueError(
                f"contrast {name!r} needs other classes, and the network has one class"
            )
        return logit(y, c) - (weights(y.detach(), c) * y).sum(1)

    return score


def select(selector: str, contrast: str = "none") -> Score:
    """The score of the given selector, or the given contrast of the logit.

    Raises:
        UnknownName: there is no such selector or contrast; the message lists the valid ones.
        ValueError: a contrast is asked for with a selector other than the logit.
    """
    check_choice("selector", selector, SELECTORS)
    if contrast == "none":
        return SELECTORS[selector]
    score = contrast_score(contrast)
    if selector != "logit":
        raise ValueError(
            f"contrast {contrast!r} is between logits, selector {selector!r} is another score: "
            "leave one of them at its default"
        )
    return score
