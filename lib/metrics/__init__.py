"""The metrics, one function each, and the registry that describes them.

Metrics of one family share a module; `METRICS` maps each name to its function.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from ..checks import (
    check_images,
    check_logits,
    check_maps,
    check_net,
    check_options,
    check_targets,
)
from ..errors import unknown
from ..inference import outside_inference_mode
from ..saliency import explain
from . import (
    adcc,
    aopc,
    box_accuracy,
    confidence,
    curves,
    localization,
    max_sensitivity,
    parts,
    pxap,
    relative_probability,
    remove_and_classify,
)
from .accumulator import Accumulator, in_tensors

__all__ = ["METRICS", "Accumulator", "Metric", "metric_named"]


# Arguments that `evaluate` passes to the metrics that take them, and how to pass them by hand.
GIVEN = {
    "logits": "pass logits=net(x)",
    "boxes": "pass boxes=[...], a tensor (n, 4) for each image",
    "mask": "pass mask=[...], a tensor (H, W) for each image",
    "ignore": "pass ignore=[...], a tensor (H, W) for each image",
    "parts": "pass parts=[...], a dict for each image",
    "method": "pass method='grad_cam', or a function of images and classes that gives their maps S",
}


@dataclass(frozen=True)
class Metric:
    """A metric and its description: a measurement, which several metrics may share, and a value.

    Attributes:
        value: `value(measurement)` gives one number per image (B,).
        measure: `measure(net, x, target, S, **options)` runs the network and gives the measurement.
        title, symbol: the name and the symbol that tables print.
        higher_is_better: the direction of the arrow.
        unit: "%" where tables show a fraction as a percentage.
        target: the class whose map is measured: the "label" or the "predicted" class.
        paper: the paper's key in the bibliography.
        range: the smallest and the largest value; for a metric of a data set, of the value of the
            whole data set.
        whole: whether the value compares the images of a data set, so that it takes the
            measurements (N, ...) of all of them; see `accumulator`.
        signed: whether the metric takes signed maps in [-1, 1] instead of maps in [0, 1].
    """

    value: Callable[[Any], Tensor]
    measure: Callable[..., Any]
    title: str
    symbol: str
    higher_is_better: bool
    unit: str = "%"
    target: Literal["label", "predicted"] = "label"
    paper: str = "opticam"
    range: tuple[float, float] = (0.0, 1.0)
    whole: bool = False
    signed: bool = False

    @property
    def name(self) -> str:
        return self.value.__name__

    @property
    def scale(self) -> float:
        """The factor by which values are multiplied for display."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        """The symbol with an arrow in the better direction, and the unit."""
        arrow = " ↑" if self.higher_is_better else " ↓"
        return self.symbol + arrow + (f" ({self.unit})" if self.unit else "")

    @property
    def options(self) -> dict[str, object]:
        """The metric's options with their defaults."""
        return {name: p.default for name, p in self._keywords.items() if name not in GIVEN}

    @property
    def annotations(self) -> dict[str, object]:
        """The type annotation of each option."""
        return {name: p.annotation for name, p in self._keywords.items() if name not in GIVEN}

    @property
    def given(self) -> dict[str, bool]:
        """What the metric takes besides image, class and map (see `GIVEN`), and whether it must."""
        return {n: p.default is p.empty for n, p in self._keywords.items() if n in GIVEN}

    @property
    def _keywords(self) -> dict[str, inspect.Parameter]:
        parameters = inspect.signature(self.measure).parameters
        return {name: p for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}

    @outside_inference_mode
    @torch.no_grad()
    def measurement(self, net, x: Tensor, target: int | Tensor, S: Tensor, **options) -> Any:
        """The argument of `value`, the same for metrics with the same `measure` and options."""
        self.check_given(options)
        known = self.options | dict.fromkeys(self.given)
        check_options("metric", self.name, options, known, self.annotations)
        check_net(net)
        x = check_images(x).to(net.device, net.dtype)
        S = check_maps(S, x, self.signed).to(net.device, net.dtype)
        options = in_tensors(options)
        target = check_targets(target, len(x), net.num_classes, net.device)
        if options.get("logits") is not None:
            known = options["logits"]
            options["logits"] = check_logits(known, len(x), net.num_classes, net.device)
        if isinstance(options.get("method"), str):
            options["method"] = partial(explain, options["method"], net)
        return self.measure(net, x, target, S, **options)

    def check_given(self, options: dict) -> None:
        """Raises an error if something is missing that the metric needs besides image and map."""
        for name, needed in self.given.items():
            if needed and options.get(name) is None:
                raise ValueError(f"{self.name} needs {name}: {GIVEN[name]}")

    def fn(self, net, x: Tensor, target: int | Tensor, S: Tensor, **options) -> Tensor:
        """One value per image (B,), a fraction or score.

        Args:
            net: a `Classifier`.
            x: images (B, 3, H, W) in [0, 1].
            target: classes (B,), or one for all.
            S: saliency maps (B, H, W) in [0, 1]; in [-1, 1] for a metric that is `signed`.

        Example:
            >>> METRICS["average_drop"].fn(net, x, 243, explain("grad_cam", net, x, 243))
        """
        return self.value(self.measurement(net, x, target, S, **options))

    def accumulator(self, **options) -> Accumulator:
        """An accumulator for a metric of a whole data set, to be updated batch by batch.

        `fn`, in contrast, treats its batch as the whole data set.

        Raises:
            ValueError: the metric has a value for each image by itself.
        """
        if not self.whole:
            raise ValueError(f"{self.name} compares no images of a data set: use fn")
        return Accumulator(self, **options)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(confidence.average_drop, confidence.preserved, "average drop", "AD",
               higher_is_better=False),
        Metric(confidence.average_gain, confidence.preserved, "average gain", "AG",
               higher_is_better=True),
        Metric(confidence.average_increase, confidence.preserved, "average increase", "AI",
               higher_is_better=True),
        Metric(confidence.average_drop_in_deletion, confidence.deleted,
               "average drop in deletion", "ADD", higher_is_better=True, paper="liftcam",
               range=(-math.inf, 1)),
        Metric(curves.insertion, curves.insertion_curve, "insertion", "I",
               higher_is_better=True, target="predicted", paper="rise"),
        Metric(curves.deletion, curves.deletion_curve, "deletion", "D",
               higher_is_better=False, target="predicted", paper="rise"),
        Metric(curves.insertion_auc, curves.insertion_auc_curve, "insertion AUC", "Ins. AUC",
               higher_is_better=True, unit="", target="predicted", paper="liftcam"),
        Metric(curves.deletion_auc, curves.deletion_auc_curve, "deletion AUC", "Del. AUC",
               higher_is_better=False, unit="", target="predicted", paper="liftcam"),
        Metric(localization.energy_pointing_game, localization.energy,
               "energy pointing game", "energy", higher_is_better=True, paper="score_cam"),
        Metric(aopc.aopc, aopc.patched, "area over the perturbation curve", "AOPC",
               higher_is_better=True, paper="aopc", range=(-1.0, 1.0)),
        Metric(max_sensitivity.max_sensitivity, max_sensitivity.perturbed, "max-sensitivity", "MS",
               higher_is_better=False, unit="", paper="max_sensitivity", range=(0.0, math.inf)),
        Metric(adcc.adcc, adcc.explained_again, "average drop, coherency, complexity", "ADCC",
               higher_is_better=True, paper="fake_cam"),
        Metric(adcc.coherency, adcc.explained_again, "coherency", "coherency",
               higher_is_better=True, paper="fake_cam"),
        Metric(adcc.complexity, adcc.explained_again, "complexity", "complexity",
               higher_is_better=False, paper="fake_cam"),
        Metric(localization.official_metric, localization.localized, "official metric", "OM",
               higher_is_better=False),
        Metric(localization.localization_error, localization.localized, "localization error", "LE",
               higher_is_better=False),
        Metric(localization.pixel_f1, localization.energy, "pixel-wise F1", "F1",
               higher_is_better=True),
        Metric(box_accuracy.box_accuracy, box_accuracy.overlaps, "box accuracy", "BA",
               higher_is_better=True, paper="wsol", whole=True),
        Metric(box_accuracy.max_box_acc_v2, box_accuracy.overlaps_of_all, "MaxBoxAccV2", "MaxBoxAccV2",
               higher_is_better=True, paper="wsol", whole=True),
        Metric(pxap.pxap, pxap.histograms, "pixel average precision", "PxAP",
               higher_is_better=True, paper="wsol", whole=True),
        Metric(pxap.cue_pxap, pxap.histograms_of_size, "pixel average precision of cues", "cue PxAP",
               higher_is_better=True, paper="calm", whole=True, signed=True),
        Metric(remove_and_classify.remove_and_classify, remove_and_classify.erased,
               "remove and classify", "R&C", higher_is_better=False, unit="", paper="calm",
               range=(0.0, math.inf), whole=True),
        Metric(localization.pointing_game, localization.hit, "standard pointing game", "SP",
               higher_is_better=True, paper="pointing_game"),
        Metric(localization.region_iou, localization.region, "region intersection over union",
               "region IoU", higher_is_better=True, paper="diffcam"),
        Metric(localization.saliency_metric, localization.sized, "saliency metric", "SM",
               higher_is_better=False, unit="", paper="saliency_metric",
               range=(math.log(0.05), math.inf)),
        Metric(adcc.mean_saliency, adcc.saliency_map, "mean saliency", "mean S",
               higher_is_better=False, target="predicted", paper="fake_cam"),
        Metric(relative_probability.relative_probability, relative_probability.kept_logits,
               "relative probability", "p", higher_is_better=True, unit="", paper="contrast",
               signed=True),
        Metric(relative_probability.positive_area, relative_probability.signs,
               "positive area", "positive area", higher_is_better=True, paper="contrast", signed=True),
        Metric(relative_probability.area_imbalance, relative_probability.signs,
               "area imbalance", "imbalance", higher_is_better=False, paper="contrast", signed=True),
        Metric(parts.part_precision, parts.marked_parts, "part precision", "part precision",
               higher_is_better=True, paper="diffcam"),
        Metric(parts.part_recall, parts.marked_parts, "part recall", "part recall",
               higher_is_better=True, paper="diffcam"),
        Metric(parts.part_f1, parts.marked_parts, "part F1", "part F1",
               higher_is_better=True, paper="diffcam"),
        Metric(parts.part_iou, parts.parts_and_classes, "part intersection over union", "PIoU",
               higher_is_better=True, paper="diffcam", whole=True),
    )
}  # fmt: skip


def metric_named(name: str) -> Metric:
    """The metric of that name, or an error that lists them all."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]
