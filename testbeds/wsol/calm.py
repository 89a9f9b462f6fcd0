"""CALM on the small backbone, by either loss."""

from torch import Tensor, nn
from torch.nn import functional as F

from lib.nets.calm import CALM

from .backbone import CHANNELS, backbone


def calm(classes: int) -> CALM:
    """The backbone with CALM's head, trained as by the authors."""
    return CALM(backbone(), CHANNELS, classes)


def calm_live(classes: int) -> CALM:
    """The same, with a gradient through the sum that divides h."""
    return CALM(backbone(), CHANNELS, classes, detach_norm=False)


def calm_coarse(classes: int) -> CALM:
    """The same as `calm`, on a grid of 8 x 8."""
    return CALM(backbone(stride=2), CHANNELS, classes)


def calm_ml(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The negative log-likelihood of a batch, CALM supplement eq. (f).

    The cross-entropy has the same value, but another gradient if the sum that divides h is
    detached, since it would divide by that sum once more.
    """
    return F.nll_loss(model(x), y)


def calm_em(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The EM loss of a batch, CALM supplement eq. (i)."""
    return model.bound(model.activation(model.features(x)), y).mean()
