"""Images whose class is contested: the second most probable class is probable too.

The pages on contrastive explanations share this module: the maps of both classes, and figures of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
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
from lib.metrics.boxes import covered
from lib.metrics.replacement import REPLACEMENTS
from lib.nets import Classifier
from testbeds.birds import differing

from .page import Metrics, Page, in_one_sentence
from .report import grid, in_colour, overlay

Variants = Mapping[str, tuple[str, dict]]  # {label: (name, options)}


@dataclass(frozen=True, eq=False)
class Contested:
    """A network with its contested images: the two most probable classes, t1 and t2, compete on them.

    Attributes:
        page: the page of the network.
        images: all images that the network was shown.
        data: the contested images, with their own labels; one of several crops of a photograph.
        p: the probabilities (N, C) on the contested images.
        top: their two most probable classes (N, 2), t1 before t2.
    """

    page: Page
    net: Classifier
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
        """The contested images with t1 as their class, and with t2, to explain both classes of each."""
        return {f"t{k + 1}": self.data.relabelled(self.top[:, k].tolist()) for k in (0, 1)}

    @property
    def labelled(self) -> bool:
        """Whether the true class is known, and not only the predicted one."""
        return self.net.name not in self.page.unlabelled

    @property
    def of_birds(self) -> bool:
        """Whether the images are drawn birds, for which the parts that tell two species apart are known."""
        return self.images.name == "birds"

    @property
    def third(self) -> Tensor:
        """The probability (N,) of the third class; zero if the network has two classes."""
        return F.pad(self.p, (0, 1)).topk(3).values[:, 2]

    @cached_property
    def objects(self) -> Tensor | None:
        """The pixels (N, H, W) of the object: its mask, or its boxes; None if any image has neither."""
        of_each = [
            covered(sample.boxes, self.data.size) if sample.mask is None else sample.mask
            for sample in self.samples
            if not (sample.mask is None and sample.boxes is None)
        ]
        return torch.stack(of_each) if len(of_each) == len(self) else None

    @cached_property
    def differing(self) -> Tensor:
        """The visible pixels (N, H, W) of the parts that tell the two species apart, for drawn birds."""
        named = (differing(sample, *self.names(i)) for i, sample in enumerate(self.samples))
        return torch.stack(list(named))

    def names(self, i: int) -> list[str]:
        """The names of the two classes of image i."""
        classes = self.images.classes
        return [classes[c] if classes else f"class {c}" for c in self.top[i].tolist()]

    def titles(self, i: int) -> list[str]:
        """The two classes of image i with their probabilities. The true one is ticked, if it is known, and a
        doubtful one has a question mark."""
        target = self.data.targets[i] if self.labelled else None
        true = " ✓" + " (?)" * self.data.doubtful[i]
        return [
            f"$t_{k}$: {name}, {self.p[i, c]:.0%}{true if c == target else ''}".replace("%", " %")
            for k, name, c in zip((1, 2), self.names(i), self.top[i].tolist())
        ]

    def spoken(self, index: Iterable[int]) -> str:
        """The titles of some images in words, for readers who do not see a figure."""
        plain = str.maketrans({"$": "", "_": "", "✓": "(true)"})
        return "; ".join(" against ".join(self.titles(i)) for i in index).translate(plain)

    def probabilities(self, x: Tensor) -> Tensor:
        """The probabilities (N, C) of all classes on images (N, 3, H, W)."""
        return probabilities(self.net, x, self.page.batch_size)

    def maps(
        self,
        variants: Variants,
        *,
        index: Sequence[int] | None = None,
        net: Classifier | None = None,
    ) -> dict[tuple[str, str], Tensor]:
        """Signed maps (n, H, W) for both classes of the images, by label and class ("t1", "t2").

        Args:
            index: the indices of some images; None for all.
            net: another network in place of its own, such as one cut at an earlier layer.
        """
        net, index = net or self.net, range(len(self)) if index is None else index
        return {
            (label, t): self.page.maps(net, images.subset(index), method, signed=True, **options)
            for label, (method, options) in variants.items()
            for t, images in self.both.items()
        }

    def figure(
        self,
        index: Sequence[int],
        maps: Mapping[tuple[str, str], Tensor],
        headings: Sequence[str],
        *,
        side: int = 0,
        examples: int = 0,
    ) -> Figure:
        """Two rows per image, one for each of its two classes: the image, then its signed maps.

        On drawn birds, the parts that tell the two classes apart are outlined in the second row.

        Args:
            index: the indices of the images.
            maps: their maps, as `maps` returns them; one column per label.
            headings: of the columns of maps.
            side: the least side of a picture in pixels; drawn images are drawn anew at this size.
            examples: how many `examples` of each class follow the maps.

        Example:
            >>> columns = one.maps(contrasted("grad_cam"), index=[0])
            >>> show(one.figure([0], columns, ["original", "weighted"]), alt="...")
        """
        headings = ["Image", *headings, *["Correctly\nclassified"] * examples]
        rows, outlines, labels = [], {}, dict.fromkeys(label for label, _ in maps)
        for n, i in enumerate(index):
            sample = _enlarged(self.data, i, side)
            for k, t in enumerate(self.both):
                row = [in_colour(sample.image), *_overlays(sample, [maps[m, t][n] for m in labels])]
                for j in self.examples(i, k)[:examples] if examples else ():
                    example = _enlarged(self.images, j, side)
                    outlines[len(rows), len(row)] = _outline(example, self.names(i))
                    row.append(in_colour(example.image))
                rows.append(row + [None] * (len(headings) - len(row)))
            if self.of_birds:
                outlines[len(rows) - 1, 0] = _outline(sample, self.names(i))
            else:
                rows[-1][0] = None
        titles = [title for i in index for title in self.titles(i)]
        return grid(rows, headings, titles, outlines=outlines, signed=True)

    def in_rows(
        self,
        index: Sequence[int],
        maps: Mapping[tuple[str, str], Tensor],
        headings: Sequence[str],
    ) -> Figure:
        """One row per image: the maps of its first class, then those of its second; arguments as for `figure`."""
        labels = dict.fromkeys(label for label, _ in maps)
        columns = [maps[label, t] for t in self.both for label in labels]
        rows = []
        for n, i in enumerate(index):
            sample = self.samples[i]
            rows.append([in_colour(sample.image), *_overlays(sample, [M[n] for M in columns])])
        above = [f"$t_{k}$\n{heading}" for k in (1, 2) for heading in headings]
        titles = [",  ".join(self.titles(i)) for i in index]
        return grid(rows, ["Image", *above], titles, signed=True)

    def examples(self, i: int, k: int) -> list[int]:
        """Other drawn birds that are correctly classified as the k-th class of image i. Those on which the
        largest area of the parts that tell the two classes apart is visible come first."""
        c, own = self.top[i, k], self.data.ids[i]
        named = zip(self.images.targets, self.images.ids)
        index = [j for j, (target, name) in enumerate(named) if target == c and name != own]
        samples = [self.images[j] for j in index]
        x = torch.stack([sample.image for sample in [self.samples[i], *samples]])
        right = self.probabilities(x).argmax(1)[1:] == c
        areas = [int(differing(sample, *self.names(i)).sum()) for sample in samples]
        found = sorted((-area, j) for area, j, rightly in zip(areas, index, right) if rightly)
        return [j for _, j in found]


def contested(page: Page, *, threshold: float = 0.1) -> list[Contested]:
    """The networks of a page with the images whose second most probable class has a probability above a
    threshold. Prints their numbers, and leaves out networks without such images.

    Of the crops of a photograph only the first such crop is taken, so that the images are independent.

    Raises:
        ValueError: there is no such image; the message has the largest second probability.

    Example:
        >>> found = contested(page)
        >>> maps = found[0].maps(contrasted("grad_cam"))
        >>> maps["grad_cam_weighted", "t2"]  # (N, H, W)
    """
    found, most = [], 0.0
    for net, images in page.opened:
        one, second = _contested(page, net, images, threshold)
        most, n = max(most, second), len({*images.groups})
        crops = f", in one of {len(images)} crops" if n < len(images) else ""
        print(
            f"{net.name}: two classes compete on {len(one)} of {n} images of {images.name}{crops}"
        )
        found += [one] if len(one) else []
    with in_one_sentence():
        if not found:
            raise ValueError(
                f"{page.name} compares two classes that compete, but on these images the second class is nowhere more "
                f"probable than {threshold:g} (at most {most:.2g}): lower threshold, or give other images"
            )
    return found


def _contested(
    page: Page, net: Classifier, images: Dataset, threshold: float
) -> tuple[Contested, float]:
    """The first contested image of each group, and the largest second probability over all images."""
    waiting: dict[str, list[int]] = {}
    for i, group in enumerate(images.groups):
        waiting.setdefault(group, []).append(i)
    chosen: dict[int, Tensor] = {}  # the probabilities of all classes
    most = 0.0
    while waiting:
        index = [of.pop(0) for of in waiting.values()]
        read, p, top = ranked(net, images.subset(index), page.batch_size)
        second = p.gather(1, top)[:, 1]
        most = max([most, *second.tolist()])
        hits = {index[i]: p[n] for n, i in enumerate(read) if second[n] > threshold}
        waiting = {g: of for i, (g, of) in zip(index, waiting.items()) if of and i not in hits}
        chosen |= hits
    kept = sorted(chosen)
    p = torch.stack([chosen[i] for i in kept]) if kept else torch.zeros(0, net.num_classes)
    return Contested(page, net, images, images.subset(kept), p, _top(p)), most


def ranked(
    net: Classifier, images: Dataset, batch_size: int = 16
) -> tuple[list[int], Tensor, Tensor]:
    """The indices of the images that can be read, their probabilities (N, C), and the two most probable
    classes of each (N, 2). Equally probable classes come in the order of their indices."""
    read, found = [], [torch.zeros(0, net.num_classes, dtype=net.dtype)]
    for start in range(0, len(images), batch_size):
        samples = {}
        for i in range(start, min(start + batch_size, len(images))):
            with suppress(ValueError):  # of an image that cannot be decoded
                samples[i] = images[i].image
        if samples:
            read += samples
            found.append(probabilities(net, torch.stack([*samples.values()])))
    p = torch.cat(found)
    return read, p, _top(p)


def _top(p: Tensor) -> Tensor:
    return p.sort(dim=1, descending=True, stable=True).indices[:, :2]


@torch.no_grad()
def probabilities(net: Classifier, x: Tensor, batch_size: int = 16) -> Tensor:
    """The probabilities (N, C) of all classes on images (N, 3, H, W)."""
    parts = x.to(net.dtype).split(batch_size)
    return torch.cat([net(part.to(net.device)).softmax(1).cpu() for part in parts])


# --------------------------------------------------------------------------------- what is compared


def label(method: str, contrast: str) -> str:
    """The label of a method with a contrast in tables and claims."""
    return method if contrast == "none" else f"{method}_{contrast}"


def contrasted(*methods: str, contrasts: Iterable[str] = ("none", "weighted")) -> Variants:
    """Each of the methods with each of the contrasts, by their labels, as `evaluate` takes them.

    Example:
        >>> list(contrasted("grad_cam"))
        ['grad_cam', 'grad_cam_weighted']
    """
    return {label(m, c): (m, {"contrast": c}) for m in methods for c in contrasts}


def distinct(net: Classifier) -> tuple[str, ...]:
    """The methods of tables 1 to 3 with different maps. With an affine head the gradient is the same at
    every position, and the linear approximation is Grad-CAM."""
    both = ("linear_approximation", "grad_cam")
    return both[1:] if net.affine_head else both


def original_and_weighted(net: Classifier) -> Variants:
    """The maps that tables 1 to 3 compare."""
    return contrasted(*distinct(net))


def features_kept(sigma: float = 15.0) -> dict[str, tuple[str, dict]]:
    """The metrics of tables 1 to 3, by the sign of the kept features and by replacement."""
    return {
        f"{sign}_{r}": ("relative_probability", {"keep": sign, "replacement": r, "sigma": sigma})
        for r in REPLACEMENTS
        for sign in ("positive", "negative")
    }


def evaluate_both(
    found: Iterable[Contested],
    methods: Variants | Callable[[Classifier], Variants],
    metrics: Metrics,
) -> pd.DataFrame:
    """The long frame for both classes of contested images: labels end in `_t1` and `_t2`.

    Args:
        methods: variants of methods, or a function of a network that returns them.
        metrics: as for `Page.evaluate`.
    """
    frames = []
    for one in found:
        chosen = methods(one.net) if callable(methods) else methods
        for t, images in one.both.items():
            named = {f"{name}_{t}": how for name, how in chosen.items()}
            frames.append(one.page.evaluate(named, metrics, [(one.net, images)]))
    return pd.concat(frames, ignore_index=True)


# ---------------------------------------------------------------------------------------- pictures


def _overlays(sample: Sample, maps: Iterable[Tensor]) -> list[np.ndarray]:
    """Pictures of an image under signed maps (h, w) of any size."""
    shown = (upsample(M, sample.image.shape[1:]) for M in maps)
    return [overlay(sample.image, M, signed=True) for M in shown]


def _enlarged(images: Dataset, i: int, side: int) -> Sample:
    """An image of at least this side; a drawn image is drawn anew at this size."""
    return images.subset([i]).at(max(side, *images.size))[0]


def _outline(sample: Sample, names: Sequence[str]) -> Tensor:
    """The parts that tell two species apart, with two pixels around them, so that a line hides nothing."""
    mask = differing(sample, *names)[None, None].float()
    return F.max_pool2d(mask, 5, stride=1, padding=2)[0, 0]
