"""The passes of methods and metrics in the published setting, counted on three networks and kept in a file.

    python -m book.reference.counting

writes the file anew.
"""

import csv
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch

from lib import nets
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.nets.weights import IMAGENET_MEAN, IMAGENET_STD, TORCHVISION, build
from lib.paths import MANIFESTS
from lib.saliency import explain

from .. import experiments
from .work import passes

FILE = MANIFESTS / "book" / "passes.csv"
COLUMNS = ("network", "of", "name", "passes")
NETWORKS = ("torchvision:resnet50", "torchvision:vgg16", "vit_base_patch16_224")
SIDE = 64  # of the images in pixels; passes are relative, so a small side gives the same number
STEPS = 224  # of insertion and deletion, as published
FEW = (2, 4)  # iterations or samples, from which those of the published setting are extrapolated
COUNTED = ("iterations", "n")  # the options in which the passes of a method are affine


def opened(name: str):
    """A network with random weights on small images."""
    size = {} if name.startswith(TORCHVISION) else {"img_size": SIDE}
    how = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "input_size": SIDE, "name": name}
    return nets.wrap(build(name, **size).eval(), **how)


def of_method(net, name: str, options: Mapping[str, Any]) -> float:
    """The passes of a method with options; affine in its number of iterations or samples.

    Example:
        >>> of_method(opened("torchvision:vgg16"), "lime", {"n": 1000})
    """
    x = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    def counted(**own) -> float:
        run = partial(explain, name, net, x, 0, **options | own)
        try:
            return passes(net, run, computed=False)
        except ValueError:  # its steps are checked by their values
            return passes(net, run)

    given = {**METHODS[name].options, **options}
    grows = next((option for option in COUNTED if given.get(option)), None)
    if grows is None:
        return counted()
    low, high = (counted(**{grows: few}) for few in FEW)
    return low + (high - low) * (given[grows] - FEW[0]) / (FEW[1] - FEW[0])


def of_metric(net, name: str) -> float | None:
    """The passes of a metric on one map; None for metrics of signed maps, parts, or annotations that
    no pass depends on. A metric that computes maps does so with Grad-CAM."""
    metric = METRICS[name]
    if metric.signed or "parts" in metric.given:
        return None
    x = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    S = torch.linspace(0, 1, SIDE**2).view(1, SIDE, SIDE)
    given = {
        "method": "grad_cam",
        "boxes": [torch.tensor([[8.0, 8.0, 40.0, 40.0]])],
        "mask": [S[0] > 0.5],
    }
    options = {key: given[key] for key in metric.given if metric.given[key] and key in given}
    if "step" in metric.options:
        options["step"] = SIDE**2 // STEPS
    run = partial(metric.measurement, net, x, torch.tensor([0]), S, **options)
    return passes(net, run, computed=False)


def rows() -> Iterator[tuple[str, str, str, float]]:
    """The rows of the file."""
    options = experiments.plan(experiments.pages()[0], "paper").options
    for name in NETWORKS:
        net = opened(name)
        for method in METHODS:
            if "reference images" in METHODS[method].needs or not METHODS[method].runs_on(net):
                continue
            try:
                yield name, "method", method, of_method(net, method, options.get(method, {}))
            except ValueError as why:
                print(f"{method} does not run on {name}: {why}")
        for metric in METRICS:
            if (found := of_metric(net, metric)) is not None:
                yield name, "metric", metric, found


def write() -> None:
    """Count anew and write the file."""
    with FILE.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for *row, found in rows():
            table.writerow([*row, f"{found:.4g}"])
            file.flush()


if __name__ == "__main__":
    write()
