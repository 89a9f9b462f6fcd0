r"""Selectors $g_c$: the score that an explanation explains, of logits $y$ and class $c$.

Opti-CAM, section 3.2, lets $g_c$ be any function of the logits; the default everywhere is the
logit. Gradient methods back-propagate from it, optimisation maximises it.

Contrasts subtract from the logit of a class those of the others, $y_t - \sum_{s \ne t} a_s y_s$ with
$\sum_s a_s = 1$ ("Why Not Other Classes?", Wang & Wang 2022). The weights $a$ are constants of the
image: nothing is differentiated by them, so that a contrast is linear in the logits, and the
contrast of explanations is the explanation of the contrast wherever propagation is linear
(proposition 3): whatever carries $\partial y_s$ linearly from the logits, derivatives or the rules of
DeepLIFT and LRP, gives $\phi_t - \sum_{s \ne t} a_s \phi_s$ in one pass.

Layer-CAM and Grad-CAM++ rectify the derivatives themselves, so that theirs are no such
combinations, and behind a ReLU show what speaks for the class alone. Methods that optimise or sample
have no contrasts, for their logits change on the way; nor has TIBAV, which shares out the relevance
of the score: that of a contrast is zero in all.
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
    """The logits with minus infinity at the class itself."""
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


# The weights a (B, C) of the other classes, which sum to one; zero for the class itself.
CONTRASTS: dict[str, Callable[[Tensor, Tensor], Tensor] | None] = {
    "none": None,
    "mean": equally,
    "max": strongest,
    "weighted": by_probability,
}


def contrast_score(name: str) -> Score:
    r"""The logit of the class less a mean of the others': $y_t - \sum_{s \ne t} a_s y_s$.

    Wang & Wang 2022, with $a$ by name: "mean", "max", "weighted"; "none" is the logit alone.

    Raises:
        UnknownName: no such contrast; lists those there are.
        ValueError: on the logits of a single class, which has no other.

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
    """The selector of that name; or, of the logit, the contrast of that name.

    Raises:
        UnknownName: no such selector or contrast; lists those there are.
        ValueError: a contrast of something other than the logit.
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
