"""Images whose class is contested: where the second most probable class has a fair chance too.

The pages on contrastive explanations share them, the maps of both classes, and what is made of these.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from lib.data import Dataset, Sample
from lib.maps import upsample
from lib.metrics.replacement import REPLACEMENTS
from testbeds.birds import differing

from .report import grid, in_colour, overlay


@dataclass(frozen=True, eq=False)
class Contested:
    """A network with those of its images whose two most probable classes, t1 and t2, compete.

    Attributes:
        net: the network.
        images: all that it was shown.
        data: the contested ones, with their own labels.
        p: the probabilities (N, C) of the contested ones.
        top: their two most probable classes (N, 2), t1 before t2.
    """

    net: object
    images: Dataset
    data: Dataset
    p: Tensor
    top: Tensor

    def __len__(self) -> int:
        return len(self.data)

    @cached_property
    def samples(self) -> list[Sample]:
        """The contested images, decoded."""
        return list(self.data)

    @cached_property
    def both(self) -> dict[str, Dataset]:
        """The contested images labelled "t1" and "t2": to explain either class of each."""
        return {f"t{k + 1}": self.data.relabelled(self.top[:, k].tolist()) for k in (0, 1)}

    def names(self, i: int) -> list[str]:
        """What the two classes of image i are called."""
        classes = self.images.classes
        return [classes[c] if classes else f"class {c}" for c in self.top[i].tolist()]

    def titles(self, i: int) -> list[str]:
        """The two classes of image i with their probabilities; the true one is ticked."""
        target = self.data.targets[i]
        return [
            f"$t_{k}$: {name}, {self.p[i, c]:.0%}{' ✓' if c == target else ''}".replace("%", " %")
            for k, name, c in zip((1, 2), self.names(i), self.top[i].tolist())
        ]

    def spoken(self, i: int) -> list[str]:
        """The titles of image i in words: for who does not see a figure."""
        plain = str.maketrans({"$": "", "_": "", "✓": "(true)"})
        return [title.translate(plain) for title in self.titles(i)]


def contested(
    net, images: Dataset, *, threshold: float = 0.1, batch_size: int = 16
) -> Contested:
    """The images whose second most probable class has a probability above a threshold.

    What cannot be read is left out. Equally probable classes come in the order of their indices.

    Example:
        >>> found = contested(net, images)
        >>> maps = page.maps(net, found.both["t2"], "grad_cam", contrast="weighted", signed=True)
    """
    readable = images.readable()
    parts = [readable[i : i + batch_size] for i in range(0, len(readable), batch_size)]
    p = [probabilities(net, torch.stack([sample.image for sample in part])) for part in parts]
    p = torch.cat(p or [torch.empty(0, net.num_classes)])  # (N, C)
    ranked, classes = p.sort(dim=1, descending=True, stable=True)
    kept = (ranked[:, 1] > threshold).nonzero().flatten().tolist()
    return Contested(net, images, readable.subset(kept), p[kept], classes[kept, :2])


@torch.no_grad()
def probabilities(net, x: Tensor, batch_size: int = 16) -> Tensor:
    """The probabilities (N, C) of all classes on images (N, 3, H, W)."""
    parts = x.to(net.dtype).split(batch_size)
    return torch.cat([net(part.to(net.device)).softmax(1).cpu() for part in parts])


def label(method: str, contrast: str) -> str:
    """What tables and claims call a method with a contrast."""
    return method if contrast == "none" else f"{method}_{contrast}"


def contrasted(
    *methods: str, contrasts: Sequence[str] = ("none", "weighted")
) -> dict[str, tuple[str, dict]]:
    """Each of the methods with each of the contrasts, by their labels, as `evaluate` takes them.

    Example:
        >>> list(contrasted("grad_cam"))
        ['grad_cam', 'grad_cam_weighted']
    """
    return {label(m, c): (m, {"contrast": c}) for m in methods for c in contrasts}


def original_and_weighted(net) -> dict[str, tuple[str, dict]]:
    """The maps that tables 1 to 3 compare. Behind an affine head the gradient is the same everywhere,
    and the two methods are one."""
    both = ("linear_approximation", "grad_cam")
    return contrasted(*(both[1:] if net.affine_head else both))


def features_kept(sigma: float = 15.0) -> dict[str, tuple[str, dict]]:
    """The metrics of tables 1 to 3, by sign of the features that are kept and by replacement."""
    return {
        f"{sign}_{r}": ("relative_probability", {"keep": sign, "replacement": r, "sigma": sigma})
        for r in REPLACEMENTS
        for sign in ("positive", "negative")
    }


def maps_of_both(
    page,
    one: Contested,
    variants: Mapping[str, tuple[str, dict]],
    *,
    index: Sequence[int] | None = None,
    net=None,
) -> dict[tuple[str, str], Tensor]:
    """Signed maps (n, H, W) for both classes of contested images, by label and class ("t1", "t2").

    Args:
        page: whose `maps` they are.
        variants: {label: (name, options)}.
        index: which of the contested images; by default all.
        net: another network than theirs, such as one that is cut earlier.
    """
    index = range(len(one)) if index is None else index
    return {
        (name, t): page.maps(net or one.net, images.subset(index), method, signed=True, **options)
        for name, (method, options) in variants.items()
        for t, images in one.both.items()
    }


def evaluate_both(
    page,
    found: Iterable[Contested],
    methods: Callable | Mapping[str, tuple[str, dict]],
    metrics,
) -> pd.DataFrame:
    """The long frame for both classes of contested images: labels end in `_t1` and `_t2`.

    Args:
        page: whose `evaluate` it is.
        methods: {label: (name, options)}, or a function of a network that gives them.
    """
    frames = []
    for one in found:
        chosen = methods(one.net) if callable(methods) else methods
        for t, images in one.both.items():
            named = {f"{name}_{t}": how for name, how in chosen.items()}
            frames.append(page.evaluate(named, metrics, [(one.net, images)]))
    return pd.concat(frames, ignore_index=True)


# ---------------------------------------------------------------------------------------- figures


def overlays(sample: Sample, maps: Iterable[Tensor]) -> list[np.ndarray]:
    """Pictures of an image under signed maps (h, w) of any size."""
    shown = (upsample(M, sample.image.shape[1:]) for M in maps)
    return [overlay(sample.image, M, signed=True) for M in shown]


def both_classes(
    one: Contested,
    index: Sequence[int],
    maps: Mapping[tuple[str, str], Tensor],
    headings: Iterable[str],
    *,
    side: int = 0,
    examples: Callable[[int, int], list[Sample]] = lambda i, k: [],
) -> Figure:
    """Two rows an image, one for each of its classes: the image, then its signed maps.

    On drawn birds what tells the two classes apart is outlined, on the second of the two images.

    Args:
        index: which of the contested images.
        maps: of these, by label and class, as `maps_of_both` gives them: a column a label.
        headings: of the columns behind the image.
        side: the least side of a picture in pixels: drawn images are drawn anew at that size.
        examples: of image i and class k, 0 or 1: other images to stand behind the maps.

    Example:
        >>> maps = maps_of_both(page, one, contrasted("grad_cam"), index=[0])
        >>> show(both_classes(one, [0], maps, ["original", "weighted"]), alt="...")
    """
    headings = ["Image", *headings]
    rows, outlines, labels = [], {}, dict.fromkeys(label for label, _ in maps)
    for n, i in enumerate(index):
        sample = enlarged(one.data, i, side)
        for k, t in enumerate(one.both):
            row = [in_colour(sample.image), *overlays(sample, [maps[label, t][n] for label in labels])]
            for example in examples(i, k):
                outlines[len(rows), len(row)] = _outline(example, one.names(i))
                row.append(in_colour(example.image))
            rows.append(row + [None] * (len(headings) - len(row)))
        if sample.parts is None:
            rows[-1][0] = None
        else:
            outlines[len(rows) - 1, 0] = _outline(sample, one.names(i))
    titles = [title for i in index for title in one.titles(i)]
    return grid(rows, headings, titles, outlines=outlines, signed=True)


def enlarged(images: Dataset, i: int, side: int) -> Sample:
    """An image at least so large; what is drawn is drawn anew."""
    return images.subset([i]).at(max(side, *images.size))[0]


def _outline(sample: Sample, names: Sequence[str]) -> Tensor:
    """What tells two species apart, and two pixels around it, so that a line hides nothing of it."""
    mask = differing(sample, *names)[None, None].float()
    return F.max_pool2d(mask, 5, stride=1, padding=2)[0, 0]
