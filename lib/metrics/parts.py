"""Metrics of the parts of an object that a map marks, and of those that distinguish its class."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_choice
from ..data import Part
from ..rival import Rival, rivals_of, strongest_rival

# The parts of a bird, as CUB-200-2011 names them.
PARTS = (
    *("back", "beak", "belly", "breast", "crown", "forehead", "left_eye", "left_leg", "left_wing"),
    *("nape", "right_eye", "right_leg", "right_wing", "tail", "throat"),
)
ONE_CELL = 1 / 49  # of the area: one cell of a 7 x 7 grid
SEEN_BY = ("points", "masks")


class Marked(NamedTuple):
    """How many visible parts the region holds, in total (B,) and of the distinguishing ones (B,);
    and how many distinguishing parts are visible (B,)."""

    all: Tensor
    distinguishing: Tensor
    seen: Tensor


def marked_parts(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    parts: list[dict[str, Part]],
    distinguishing: Mapping[int, Sequence[str]] | None = None,
    area: float = ONE_CELL,
    by: str = "points",
) -> Marked:
    """The parts in the region of the map's largest values.

    Args:
        parts: for each image its visible parts, by name.
        distinguishing: for each class that is explained, the parts that distinguish it from its
            rival: those whose attributes differ. There is no default.
        area: the region's area as a share of the image.
        by: with "points", a part counts if its point lies in the region; with "masks", it counts by
            the share of its pixels in the region.

    Raises:
        ValueError: no distinguishing parts are given for a class, or an image shows none of them, so
            that recall is not defined.
    """
    if distinguishing is None:
        raise ValueError(
            "part metrics need distinguishing=...: by class, the names of the parts that tell it from "
            "its rival"
        )
    found = []
    for i, (c, region, seen) in enumerate(zip(target.tolist(), regions(S, area).cpu(), parts)):
        wanted = distinguishing.get(c)
        if wanted is None:
            raise ValueError(f"class {c} has no distinguishing parts: add it to the mapping")
        share = {name: _share(region, part, name, by) for name, part in seen.items()}
        telling = [share[name] for name in wanted if name in share]
        if not telling:
            raise ValueError(f"image {i} of the batch shows no part that tells class {c} apart")
        found.append((sum(share.values()), sum(telling), len(telling)))
    return Marked(*torch.tensor(found, dtype=torch.float64).T)


def regions(S: Tensor, area: float) -> Tensor:
    """The pixels (B, H, W) bool of the largest values of maps S, which cover a share of the area.

    Pixels of equal value are in or out together, and zeros are always out.

    Raises:
        ValueError: the share is not above 0 and at most 1.
    """
    if not 0 < area <= 1:
        raise ValueError(f"area is a share of the image, above 0 and at most 1, got {area}")
    count = max(1, round(area * S[0].numel()))
    least = S.flatten(1).topk(count, sorted=False).values.amin(1)
    return (S >= least[:, None, None]) & (S > 0)


def _share(region: Tensor, part: Part, name: str, by: str) -> float:
    """The share of a part that lies in a region (H, W)."""
    check_choice("way of seeing a part", by, SEEN_BY)
    if by == "points":
        x, y = (int(c) for c in part.point)  # the pixel that the point lies in
        height, width = region.shape
        return float(region[min(y, height - 1), min(x, width - 1)])
    if part.mask is None:
        raise ValueError(f'part {name!r} has a point and no mask: take by="points"')
    return float(region[part.mask.to(region.device)].double().mean())


def part_precision(marked: Marked) -> Tensor:
    r"""The share of distinguishing parts among the parts in the region; higher is better.

    $$P = \frac{|\{i \mid p_i \in r, a_i = a, b_i = b\}|}{|\{k \mid p_k \in r\}|}$$ (DiffCAM,
    appendix D.1), for each image (B,), in [0, 1]; zero for a region without parts.
    """
    return marked.distinguishing / marked.all.clamp_min(torch.finfo(marked.all.dtype).tiny)


def part_recall(marked: Marked) -> Tensor:
    r"""The share of the visible distinguishing parts that lie in the region; higher is better.

    $$R = \frac{|\{i \mid p_i \in r, a_i = a, b_i = b\}|}{|\{i \mid (p_i, a_i, b_i) \in \mathcal{G},
    a_i = a, b_i = b\}|}$$ (DiffCAM, appendix D.1), for each image (B,), in [0, 1].
    """
    return marked.distinguishing / marked.seen


def part_f1(marked: Marked) -> Tensor:
    r"""The harmonic mean of the precision and recall of parts; higher is better.

    $$F_1 = \frac{2 P R}{P + R}$$ (DiffCAM, appendix D.1), for each image (B,), in [0, 1]; zero where
    P and R are zero.
    """
    P, R = part_precision(marked), part_recall(marked)
    return 2 * P * R / (P + R).clamp_min(torch.finfo(P.dtype).tiny)


def parts_and_classes(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    parts: list[dict[str, Part]],
    logits: Tensor | None = None,
    rival: Rival | None = None,
    names: Sequence[str] = PARTS,
    area: float = ONE_CELL,
    by: str = "points",
) -> Tensor:
    """The share of each part in the region, followed by the class and its rival (B, P + 2).

    Args:
        logits: those of x (B, C), if they are known.
        rival: the class from which the maps distinguish each image. The counterparts of an image
            are the images of its rival whose own rival is the image's class. None for the strongest
            other class of each image.
        names: the names of the P parts.
        parts, area, by: as for `marked_parts`.
    """
    shares = [
        [_share(region, seen[name], name, by) if name in seen else 0.0 for name in names]
        for region, seen in zip(regions(S, area).cpu(), parts)
    ]
    if rival is None:
        rival = strongest_rival(net(x) if logits is None else logits, target)
    else:
        rival = rivals_of(rival, target)
    classes = torch.stack([target, rival], 1).double().cpu()  # (B, 2)
    return torch.cat([torch.tensor(shares, dtype=torch.float64), classes], 1)


def part_iou(measured: Tensor) -> Tensor:
    r"""The overlap of the parts that "why a and not b" marks on an image with those that "why b and
    not a" marks on images of b; higher is better.

    $$\mathrm{PIoU} = \frac{|\{k \mid p_k \in r_{a,b}(x)\} \cap \{k \mid p_k \in r_{b,a}(x^c)\}|}
    {|\{k \mid p_k \in r_{a,b}(x)\} \cup \{k \mid p_k \in r_{b,a}(x^c)\}|}$$ (DiffCAM, eq. (11)), for
    each image (N,) the mean over all its counterparts $x^c$. It is zero where neither region holds
    a part. With masks, the smaller of the two shares of a part counts for the intersection, and the
    larger for the union.

    Raises:
        ValueError: an image has no counterpart among the images measured.
    """
    shares, a, b = measured[:, :-2], measured[:, -2], measured[:, -1]
    counterparts = (a[:, None] == b) & (b[:, None] == a)  # (N, N)
    alone = ~counterparts.any(1)
    if alone.any():
        i = int(alone.nonzero()[0])
        raise ValueError(
            f"class {int(a[i])} is told from class {int(b[i])}, of which there is no image that is "
            "told from it: part_iou compares images of both classes"
        )
    both = torch.minimum(shares[:, None], shares).sum(2)  # (N, N)
    either = torch.maximum(shares[:, None], shares).sum(2)
    overlap = torch.where(either > 0, both / either, 0.0)
    return (overlap * counterparts).sum(1) / counterparts.sum(1)
