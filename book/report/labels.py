"""What tables and figures call a method, a metric and its values."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from lib.errors import unknown
from lib.statistics import ANY, Interval


class Label(NamedTuple):
    """How a metric is printed; a value of unit "%" is a fraction, shown times 100.

    Attributes:
        range: the least and the largest value.
        identity: whether it measures how far two formulas differ that should be equal. The largest
            value over the images then decides, not their mean.
    """

    symbol: str
    unit: str
    higher_is_better: bool
    range: tuple[float, float] = ANY
    identity: bool = False

    @property
    def scale(self) -> float:
        return 100.0 if self.unit == "%" else 1.0

    @property
    def decimals(self) -> int:
        return 1 if self.unit == "%" else 3

    @property
    def heading(self) -> str:
        """The symbol with an arrow to better values, and the unit."""
        arrow = " ↑" if self.higher_is_better else " ↓"
        return self.symbol + arrow + (f" ({self.unit})" if self.unit else "")


_UNIT, _SIGNED = (0.0, 1.0), (-1.0, 1.0)
_OTHERS = {  # measured on something else than a finished map
    "seconds": Label("T", "s", higher_is_better=False),
    "cosine_similarity": Label(
        "cos", "", higher_is_better=True, range=_SIGNED
    ),  # of channel weights
    # of an image that has moved in the direction of an explanation
    "probability_gain": Label("Δp", "%", higher_is_better=True, range=_SIGNED),
    "logit_gain": Label("Δy", "", higher_is_better=True),
    # between formulas that should be equal, as a share of the largest entry
    "relative_error": Label("error", "", higher_is_better=False, identity=True),
    "probability_error": Label("error of p", "", higher_is_better=False, identity=True),
    "map_error": Label("error of the map", "", higher_is_better=False, identity=True),
    "tightness_error": Label("error of the bound", "", higher_is_better=False, identity=True),
    # by how much an inequality is violated; no image violates it where the largest value is below zero
    "jensen_excess": Label("(g) − (h)", "nats", higher_is_better=False, identity=True),
    "entropy_excess": Label("(h) − (i)", "nats", higher_is_better=False, identity=True),
    "likelihood_fall": Label(
        "fall of the likelihood", "nats", higher_is_better=False, identity=True
    ),
    # of a criterion, as a share of its largest value
    "share_of_best": Label("share of the largest", "", higher_is_better=True, range=_UNIT),
    # to the map of a network with random weights
    "rank_correlation": Label("ρ", "", higher_is_better=False, range=_SIGNED),
    "rank_correlation_absolute": Label("ρ of |S|", "", higher_is_better=False, range=_SIGNED),
    "hog_similarity": Label("HOG", "", higher_is_better=False, range=_SIGNED),
    "ssim": Label("SSIM", "", higher_is_better=False, range=_SIGNED),
    # of the class against its rival, where only pixels marked for it (+) or against it (−) are kept
    "positive_blur": Label("p₊ blur", "", higher_is_better=True, range=_UNIT),
    "negative_blur": Label("p₋ blur", "", higher_is_better=False, range=_UNIT),
    "positive_zeros": Label("p₊ zeros", "", higher_is_better=True, range=_UNIT),
    "negative_zeros": Label("p₋ zeros", "", higher_is_better=False, range=_UNIT),
    "positive_mean": Label("p₊ mean", "", higher_is_better=True, range=_UNIT),
    "negative_mean": Label("p₋ mean", "", higher_is_better=False, range=_UNIT),
    # of signed maps: between two maps; and of one map on the parts that tell two classes apart
    "correlation": Label("r", "", higher_is_better=True, range=_SIGNED),
    "correlation_between_classes": Label(
        "r between classes", "", higher_is_better=False, range=_SIGNED
    ),
    "correlation_to_original": Label("r", "", higher_is_better=True, range=_SIGNED),
    "correlation_to_plain": Label("r", "", higher_is_better=True, range=_SIGNED),
    "correlation_to_max": Label("r", "", higher_is_better=True, range=_SIGNED),
    "probability": Label("p", "", higher_is_better=True, range=_UNIT),
    # of the image, covered by its boxes
    "box_share": Label("share of the boxes", "%", higher_is_better=True, range=_UNIT),
    "shared_coverage": Label("for both", "%", higher_is_better=False, range=_UNIT),
    "difference_share": Label("share", "%", higher_is_better=True, range=_UNIT),
    "difference_sign": Label("sign", "", higher_is_better=True),
    "difference_rank": Label("rank", "", higher_is_better=True, range=_UNIT),
    # of parts, the mean over sizes of the region
    "part_precision_mean": Label("part precision, mean", "%", higher_is_better=True, range=_UNIT),
    "part_recall_mean": Label("part recall, mean", "%", higher_is_better=True, range=_UNIT),
    "part_f1_mean": Label("part F1, mean", "%", higher_is_better=True, range=_UNIT),
    "part_iou_mean": Label("PIoU, mean", "%", higher_is_better=True, range=_UNIT),
    # of a counterfactual map against the parts that differ, by the number of these parts
    **{
        f"cue_pxap_{n}": Label(f"PxAP{'₁₂₃'[n - 1]}", "%", higher_is_better=True, range=_UNIT)
        for n in (1, 2, 3)
    },
    # of DiffCAM's map with maps of other questions
    "correlation_between_rivals": Label(
        "r between rivals", "", higher_is_better=True, range=_SIGNED
    ),
    "correlation_to_why": Label("r with “why is”", "", higher_is_better=True, range=_SIGNED),
    "correlation_to_why_all": Label(
        "r with “why is”, all", "", higher_is_better=True, range=_SIGNED
    ),
    "correlation_to_grad_cam": Label("r with Grad-CAM", "", higher_is_better=True, range=_SIGNED),
    # change by erasing, of the logit of the class minus that of the rival
    "shift_black": Label("shift, black", "", higher_is_better=True),
    # a point of the curve of remove and classify
    **{
        f"remove_and_classify_{k}": Label(
            f"R, {k} %", "", higher_is_better=False, range=(0.0, math.inf)
        )
        for k in (10, 30, 50, 70, 90)
    },
    "agreement": Label(
        "the same", "%", higher_is_better=True, range=_UNIT
    ),  # with the printed value
    "localization": Label("localisation", "%", higher_is_better=True, range=_UNIT),  # of both kinds
    "shift_rival": Label("shift, rival's mean", "", higher_is_better=True),
    # of a map and a region: the lesions, or the half of the object that is asked about
    "share_inside": Label("share", "%", higher_is_better=True, range=_UNIT),
    "hit_inside": Label("hit", "%", higher_is_better=True, range=_UNIT),
    "iou_inside": Label("IoU", "%", higher_is_better=True, range=_UNIT),
    "auc_inside": Label("AUC", "", higher_is_better=True, range=_UNIT),
    "marked_alone": Label("alone", "%", higher_is_better=True, range=_UNIT),
    "half_share": Label("half", "%", higher_is_better=True, range=_UNIT),
    # of a network, and its lead over another one
    "accuracy": Label("top-1", "%", higher_is_better=True, range=_UNIT),
    "accuracy_gain": Label("Δ top-1", "%", higher_is_better=True, range=_SIGNED),
    # the distance between p₊ and p₋, and the change of each by a contrast
    "separation": Label("Δ", "", higher_is_better=True, range=_SIGNED),
    "positive_change": Label("change of p₊", "", higher_is_better=True, range=_SIGNED),
    "negative_change": Label("change of p₋", "", higher_is_better=False, range=_SIGNED),
}
_COMPARED = {  # compared as methods are, without being methods
    "original": "original explanation",
    "mean": "mean contrast",
    "max": "max contrast",
    "weighted": "weighted contrast",
    "probability_against_contrast": "probability against contrast",
    "one_pass_against_many": "one pass against many",
    "fisher_discriminant": "Fisher's discriminant",
    "twice_the_rate": "twice the learning rate",
    "same_rate": "the same learning rate",
    "uniform": "a uniform map",
    # CALM by its loss, CAM by how its network is trained, and both over supersets
    "table_a": "table A",
    "family_depth": "depth of its family",
    "common_depth": "one depth for all",
    "entity_depth": "all classes",
    "cam_superset": "CAM + Y",
    "calm_em": "CALM-EM",
    "calm_em_superset": "CALM-EM + Y",
    "calm_ml": "CALM-ML",
    "calm_ml_superset": "CALM-ML + Y",
    "has": "HaS",
    "acol": "ACoL",
    "spg": "SPG",
    "adl": "ADL",
    "cutmix": "CutMix",
    "inca": "InCA",
}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_CLASSES = {"t1": "t₁", "t2": "t₂"}  # the two most probable


def metric_label(name: str) -> Label:
    """How the metric `name` is printed; an unknown name is an error that lists the valid ones."""
    from lib.metrics import METRICS  # here, so that a report of a stored frame loads no networks

    if name in _OTHERS:
        return _OTHERS[name]
    if name not in METRICS:
        raise unknown("metric", name, [*METRICS, *_OTHERS])
    metric = METRICS[name]
    return Label(metric.symbol, metric.unit, metric.higher_is_better, metric.range)


def symbols(metrics: Sequence[str]) -> str:
    """Metrics by their symbols, in words: "AD, AG and AI"."""
    *several, last = [metric_label(metric).symbol for metric in metrics]
    return f"{', '.join(several)} and {last}" if several else last


class Variant(NamedTuple):
    """The parts of the label of a variant, `<method>_<variant>_<of>`, as tables, claims and manifests have
    it. Labels are taken apart only here.

    Attributes:
        method: a name in `METHODS`; or the label itself, if it is no variant of a method.
        variant: the name of the variant, such as "weighted", "25" or "in_box"; or empty.
        of: which of the two most probable classes it explains, "t1" or "t2"; or empty.

    Example:
        >>> variant_of("grad_cam_weighted_t1")
        Variant(method='grad_cam', variant='weighted', of='t1')
        >>> variant_of("grad_cam_t1")._replace(variant="weighted").label
        'grad_cam_weighted_t1'
    """

    method: str
    variant: str = ""
    of: str = ""

    @property
    def label(self) -> str:
        return "_".join(filter(None, self))


def variant_of(label: str) -> Variant:
    """The parts of a label, see `Variant`."""
    from lib.methods import METHODS

    if label in METHODS:
        return Variant(label)
    method = max((m for m in METHODS if label.startswith(f"{m}_")), key=len, default=None)
    if method is None:
        return Variant(label)
    words = label.removeprefix(f"{method}_").split("_")
    of = words.pop() if words[-1] in _CLASSES else ""
    return Variant(method, "_".join(words), of)


def method_title(name: str, printed: str | None = None) -> str:
    """The title of the method `name`: its own, or the one that a paper printed, or else its name.

    Example:
        >>> method_title("opti_cam_25"), method_title("grad_cam_weighted_t1")
        ('Opti-CAM₂₅', 'Grad-CAM, weighted t₁')
    """
    from lib.methods import METHODS

    if name in METHODS:
        return METHODS[name].title
    if name in _COMPARED:
        return _COMPARED[name]
    method, variant, of = variant_of(name)
    if printed or method not in METHODS:
        return printed or name
    if variant.startswith("of_"):  # on a network of another kind
        return f"{METHODS[method].title} of {method_title(variant.removeprefix('of_'))}"
    if variant.isdecimal() and not of:
        return METHODS[method].title + variant.translate(_SUBSCRIPTS)
    words = " ".join(filter(None, [*variant.split("_"), _CLASSES.get(of)]))
    return f"{METHODS[method].title}, {words}"


def metric_title(metric) -> str:
    """The title of a metric, followed by its symbol in brackets if that is different.

    Example:
        >>> metric_title(METRICS["average_drop"])
        'Average drop (AD)'
    """
    name = metric.title[0].upper() + metric.title[1:]
    return name if metric.symbol.lower() == metric.title.lower() else f"{name} ({metric.symbol})"


def number(value: float, decimals: int = 1) -> str:
    """A rounded number with a true minus sign; a dash for NaN."""
    if value != value:
        return "–"
    rounded = f"{value:.{decimals}f}"
    return rounded.replace("-", "−") if float(rounded) else rounded.lstrip("-")


def meaningful(interval: Interval, label: Label) -> int:
    """How many decimals are meaningful: half of the interval has two significant digits, with at most one
    decimal more than the paper prints.

    Example:
        >>> meaningful(Interval(75.52, 70.8, 80.2, 100), metric_label("average_gain"))
        1
    """
    half = (interval.high - interval.low) / 2
    if not 0 < half < math.inf:
        return label.decimals
    return min(max(0, 1 - math.floor(math.log10(half))), label.decimals + 1)


def bounds(interval: Interval, decimals: int = 1) -> str:
    """The interval in brackets; empty without an interval."""
    if interval.low != interval.low:
        return ""
    return f"[{number(interval.low, decimals)}, {number(interval.high, decimals)}]"
