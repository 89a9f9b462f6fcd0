"""A caller's choice of methods and metrics: names with options and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .checks import check_options
from .methods import Method, method_named
from .metrics import Metric, metric_named

Choice = Sequence[str] | Mapping[str, str | tuple[str, dict]]


@dataclass(frozen=True)
class Variant:
    """A method or metric with its options, under the label that the table shows."""

    label: str
    of: Method | Metric
    options: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def resolved(self) -> dict:
        """The value of every option, so that naming a default makes no difference."""
        return self.of.options | self.options


def chosen_methods(choice: Choice) -> list[Variant]:
    """The methods of a choice; an unknown method or option is an error that lists the valid ones."""
    return _chosen("method", choice, method_named)


def chosen_metrics(choice: Choice) -> list[Variant]:
    """The metrics of a choice; errors as in `chosen_methods`."""
    return _chosen("metric", choice, metric_named)


def _chosen(kind: str, choice: Choice, named) -> list[Variant]:
    if isinstance(choice, str):
        raise ValueError(f"give a list of names, not the string {choice!r}")
    pairs = choice.items() if isinstance(choice, Mapping) else zip(choice, choice)
    found = []
    for label, chosen in pairs:
        name, options = (chosen, {}) if isinstance(chosen, str) else chosen
        found.append(Variant(label, named(name), options))
        of = found[-1].of
        check_options(kind, name, options, of.options, of.annotations)
    return found
