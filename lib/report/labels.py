"""What tables and figures call a method, a metric and its values."""

from typing import NamedTuple

from ..errors import unknown
from .statistics import Interval


class Label(NamedTuple):
    """A metric as printed; a value of unit "%" is a fraction, shown times 100."""

    symbol: str
    unit: str
    higher_is_better: bool

    @property
    def scale(self) -> float:
        return 100.0 if self.unit == "%" else 1.0

    @property
    def decimals(self) -> int:
        return 1 if self.unit == "%" else 3

    @property
    def heading(self) -> str:
        """The symbol with the arrow towards better, and the unit."""
        arrow = " ↑" if self.higher_is_better else " ↓"
        return self.symbol + arrow + (f" ({self.unit})" if self.unit else "")


_SECONDS = Label("T", "s", higher_is_better=False)


def metric_label(name: str) -> Label:
    """How the metric `name` is printed; an unknown one is an error that lists the valid names."""
    from ..metrics import METRICS  # here, so that a report of a stored frame loads no networks

    if name == "seconds":  # of the map, not of a metric
        return _SECONDS
    if name not in METRICS:
        raise unknown("metric", name, [*METRICS, "seconds"])
    metric = METRICS[name]
    return Label(metric.symbol, metric.unit, metric.higher_is_better)


def method_title(name: str, printed: str | None = None) -> str:
    """How the method `name` is called: its title, or as a paper printed it, or its name."""
    from ..methods import METHODS

    return METHODS[name].title if name in METHODS else printed or name


def number(value: float, decimals: int = 1) -> str:
    """A rounded number with a true minus sign; a dash when there is none."""
    if value != value:
        return "–"
    rounded = f"{value:.{decimals}f}"
    return rounded.replace("-", "−") if float(rounded) else rounded.lstrip("-")


def bounds(interval: Interval, decimals: int = 1) -> str:
    """The interval in brackets, empty when there is none."""
    if interval.low != interval.low:
        return ""
    return f"[{number(interval.low, decimals)}, {number(interval.high, decimals)}]"
