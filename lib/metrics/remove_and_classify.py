from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import check_choice, check_count
from ..maps import MASKINGS
from ..seeding import generator
from .curves import ranks

FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)


def erased(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    fractions: Sequence[float] = FRACTIONS,
    draws: int = 1,
    masking: str = "normalized",
    seed: int = 0,
) -> Tensor:
    """Whether the class is predicted without the most salient pixels, and how often it is predicted
    without as many random pixels (B, F, 2).

    Args:
        fractions: the F shares of the pixels that are erased.
        draws: the number of random orders of each image's pixels.
        masking: erased pixels have the channel mean, which the network sees as zero ("normalized"),
            or are black ("pixels").
        seed: seeds the random orders together with the image itself.

    Raises:
        ValueError: a fraction is not between 0 and 1.
    """
    check_count("draws", draws)
    top = right_without(net, x, target, ranks(S)[None], fractions, masking)
    random = right_without(net, x, target, random_orders(x, draws, seed), fractions, masking)
    return torch.cat([top, random.mean(2, keepdim=True)], 2)


def random_orders(x: Tensor, draws: int = 1, seed: int = 0) -> Tensor:
    """Random ranks (O, B, H, W) of the pixels in O orders, seeded by the image and `seed`."""
    size = x.shape[2:]
    return torch.stack([
        torch.stack([
            torch.randperm(size.numel(), generator=generator(image, seed + draw)).view(size)
            for image in x.cpu()
        ])
        for draw in range(draws)
    ])  # fmt: skip


def right_without(
    net,
    x: Tensor,
    target: Tensor,
    orders: Tensor,
    fractions: Sequence[float] = FRACTIONS,
    masking: str = "normalized",
) -> Tensor:
    """Whether the class is predicted (B, F, O) without the first pixels of each of O orders.

    `orders` (O, B, H, W) are the ranks of the pixels. Other arguments and errors are as for
    `erased`.
    """
    check_choice("masking", masking, MASKINGS)
    for fraction in fractions:
        if not 0 < fraction < 1:
            raise ValueError(f"fractions lie between 0 and 1, got {fraction}")
    fill = net.mean if masking == "normalized" else torch.zeros_like(net.mean)
    counts = (torch.tensor(fractions) * orders[0, 0].numel()).round().to(x.device)
    orders, shape = orders.to(x.device), (len(x), len(fractions), len(orders))
    places = torch.cartesian_prod(*(torch.arange(n, device=x.device) for n in shape)).view(-1, 3)
    right = []
    with torch.no_grad():
        for batch in places.split(net.batch_hint(x)):
            i, f, o = batch.unbind(1)
            gone = orders[o, i] < counts[f].view(-1, 1, 1)  # (n, H, W)
            predicted = net(torch.where(gone[:, None], fill, x[i])).argmax(1)
            right.append(predicted == target[i])
    return torch.cat(right).cpu().double().view(shape)


def remove_and_classify(right: Tensor) -> Tensor:
    r"""The accuracy without the most salient pixels, relative to the accuracy without as many
    random pixels; lower is better.

    $$R = \frac1{|F|} \sum_{k \in F} \frac{\sum_i 1[\hat{y}(x_i \text{ without the top } k) = y_i]}
    {\sum_i 1[\hat{y}(x_i \text{ without a random } k) = y_i]}$$ (CALM, section 5.3) over
    $F = 10, 30, 50, 70, 90$ % of the pixels, which the network then sees as zero. A value of 1 is
    no better than chance. Option `fractions=(0.1,)` gives one point of the curve.

    This function takes the results (N, F, 2) of a whole data set. The value of an image (N,) is
    that of the data set plus the influence of the image on it, so the mean over images is exactly
    R. A fraction is left out if no image is classified correctly without random pixels; if this
    holds for all fractions, the value is NaN.
    """
    top, random = right.double().mean(0).unbind(1)  # (F,)
    kept = random > 0
    ratio, random = (top / random)[kept], random[kept]
    added = (right[:, kept, 0] - ratio * right[:, kept, 1]) / random  # (N, F)
    return (ratio + added).mean(1)
