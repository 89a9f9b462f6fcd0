import torch
from torch import Tensor

from ..nets.calm import CALM
from ..rival import Rival, rivals_of
from ..superset import Superset, members


@torch.no_grad()
def calm(
    net,
    x: Tensor,
    target: Tensor,
    *,
    superset: Superset | None = None,
    counterfactual: Rival | None = None,
) -> Tensor:
    r"""The network's joint probability of the class and of the position of its cue.

    $$s^y_z = p(y, z|x) = g_{yz} h_z$$
    for a network that is trained as a CALM (see `nets.CALM`). The sum over the positions z is
    p(y|x), so the raw map needs no normalisation. For a superset $\mathcal{Y}$ of classes the map
    is $\sum_{y \in \mathcal{Y}} s^y$. A counterfactual map tells class A from class B: $s^A - s^B$
    (CALM supplement, eq. (f) and appendices D and F).

    Args:
        superset: the classes whose maps are added up, the same for all images or one set for each
            class; see `superset.members`.
        counterfactual: class B: one class, or {class A: class B}, or (B,) classes, one per image.

    Returns:
        Raw maps (B, h, w) in [0, 1]. With `counterfactual` they lie in [-1, 1]: use `signed`.

    Raises:
        ValueError: the network is not a CALM, or a superset or counterfactual class is not valid.

    Example:
        >>> S = explain("calm", net, x, 3, counterfactual=1, signed=True)
    """
    if not has_latent_position(net):
        raise ValueError(
            f"calm needs a network with a latent position, and {net.name} has none: train one, such "
            "as birds_calm_em, or make one with nets.calm"
        )
    joint = joint_probability(net, x)
    s = _of(joint, target, superset)
    if counterfactual is None:
        return s
    return s - _of(joint, rivals_of(counterfactual, target, joint.shape[1]), superset)


def has_latent_position(net) -> bool:
    """Whether the network is a CALM."""
    return isinstance(net.model, CALM)


def joint_probability(net, x: Tensor) -> Tensor:
    r"""$p(y, z|x)$ (B, C, h, w) of a CALM, whatever the layer at which it is cut."""
    if net.layer == net.model.target_layer:
        return net.model.joint(net.cut(x)[0])
    return net.model.joint(net.model.features(net.normalise(x)))


def _of(joint: Tensor, target: Tensor, superset: Superset | None) -> Tensor:
    """The maps (B, h, w) of classes, or of their supersets."""
    if superset is None:
        return joint[torch.arange(len(target), device=target.device), target]
    return torch.einsum("bc,bchw->bhw", members(superset, target, joint.shape[1]).to(joint), joint)
