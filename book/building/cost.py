"""What the published setting costs: images, passes, GPU hours, disk and data of each page.

Passes are those that `reference.counting` counted; the speed of a GPU is stated in a file.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import yaml

from lib import manifests, nets
from lib.data import DATASETS, load
from lib.metrics import METRICS
from lib.paths import MANIFESTS

from .. import experiments
from ..experiments import Experiment
from ..reference import counting
from .usage import Page, pages

PROFILE = "paper"
FORWARD_AND_BACKWARD = 3  # passes of a step of training: the backward pass counts as two
SINGLE = 4  # bytes of a number in single precision
COUNTED_WITH = "grad_cam"  # the method whose maps a metric computes in `reference.counting`
THROUGHPUT = MANIFESTS / "book" / "throughput.yaml"


@dataclass
class Cost:
    """The cost of a page.

    Attributes:
        images: of all experiments; an image that two networks see counts twice.
        passes: forward passes of one image, for maps and metrics.
        training: those of training its networks.
        seconds: on the GPU, of both.
        maps: saliency maps, which are stored.
        datasets: what has to be there, as names with their splits.
    """

    images: int = 0
    passes: float = 0.0
    training: float = 0.0
    seconds: float = 0.0
    maps: int = 0
    datasets: dict[tuple[str, str], None] = field(default_factory=dict)

    @property
    def bytes(self) -> tuple[int, list[str]]:
        """The size of the archives whose size is known, and the names of the other datasets."""
        sizes: dict[tuple[str, str], int | None] = {}
        for name, split in self.datasets:
            entry = DATASETS[name]
            if "images" in entry:  # it is read from a folder
                known = entry.get("bytes")
                by_split = isinstance(known, dict)
                sizes[name, split if by_split else ""] = known[split] if by_split else known
        unknown = [name for (name, _), known in sizes.items() if known is None]
        return sum(filter(None, sizes.values())), unknown


@cache
def throughput() -> dict[str, Any]:
    """The stated speed of a GPU, as the file has it."""
    with THROUGHPUT.open(encoding="utf-8") as file:
        return yaml.load(file, manifests.StrictLoader)


@cache
def counted() -> dict[tuple[str, str, str], float]:
    """The passes of methods and metrics, by network, "method" or "metric", and name."""
    with counting.FILE.open(newline="", encoding="utf-8") as file:
        return {
            (row["network"], row["of"], row["name"]): float(row["passes"])
            for row in csv.DictReader(file)
        }


def size(dataset: str, split: str | None = None) -> int:
    """The number of images of a split, by default the first.

    Example:
        >>> size("imagenet")
        50000
    """
    entry = DATASETS[dataset]
    numbers = entry.get("images") or entry.get("splits")
    if numbers is None:  # packages carry it
        return len(load(dataset))
    return numbers[split or first_split(dataset)]


def first_split(dataset: str) -> str:
    return next(iter(DATASETS[dataset].get("splits", [""])))


def bytes_per_map() -> int:
    """The size of a stored map with its coefficients.

    Example:
        >>> bytes_per_map()
        8388
    """
    stored = throughput()["stored"]
    return SINGLE * (stored["side"] ** 2 + stored["channels"])


def rate(network: str) -> tuple[float, str]:
    """The forward passes per second of a network, and the network on which its passes are counted."""
    known = throughput()["rates"]
    if network not in known and network in nets.RECIPES:
        pretrained = nets.recipe(network).pretrained
        network = pretrained[0][1] if pretrained else network
    found = known.get(network, throughput()["small"])
    return found["per_second"], found["like"]


def of_experiment(experiment: Experiment, page: Page) -> Cost:
    """The cost of an experiment, if every method that a page names is measured by every metric that it names.

    A metric that computes further maps, as of noisy copies, computes them with the method that it measures.
    """
    n = size(experiment.dataset)
    n = n if experiment.images is None else min(n, experiment.images)
    per_second, like = rate(experiment.network)
    methods = _known(like, "method", page.methods - {*experiment.without})
    metrics = _known(like, "metric", page.metrics)
    each = sum(methods.values())
    for metric, passes in metrics.items():
        own = {m: cost / counted()[like, "method", COUNTED_WITH] for m, cost in methods.items()}
        each += passes * (sum(own.values()) if "method" in METRICS[metric].given else len(methods))
    trained = training(experiment.network)
    datasets = {(experiment.dataset, first_split(experiment.dataset)): None}
    passes = n * each
    if reference := experiment.reference:
        dataset, split = reference["dataset"], reference["split"]
        datasets[dataset, split] = None
        references = size(dataset, split)
        passes += min(references, reference.get("limit", references))  # the features of each, once
    seconds = (passes + trained) / per_second
    return Cost(n, passes, trained, seconds, n * len(methods), datasets)


def _known(network: str, of: str, names: Iterable[str]) -> dict[str, float]:
    """The passes of those methods or metrics that were counted on a network."""
    known = counted()
    return {
        name: known[network, of, name] for name in sorted(names) if (network, of, name) in known
    }


def training(network: str) -> float:
    """The passes of training a network of this project; 0 for any other."""
    if network not in nets.RECIPES:
        return 0.0
    recipe = nets.recipe(network)
    epochs = sum(phase.epochs for phase in (*recipe.before, recipe))
    images = size(recipe.dataset, recipe.splits[0])
    return FORWARD_AND_BACKWARD * epochs * min(images, recipe.limit or images)


def of_page(page: Page) -> Cost:
    """The cost of a page; a network that several experiments share is trained once."""
    total = Cost()
    for experiment in experiments.plan(short(page), PROFILE).experiments:
        one = of_experiment(experiment, page)
        total.images += one.images
        total.passes += one.passes
        total.training += one.training
        total.seconds += one.seconds
        total.maps += one.maps
        total.datasets |= one.datasets
    return total


def short(page: Page) -> str:
    return page.name.removeprefix("notebooks/")


def planned(root: Path) -> list[tuple[Page, Cost]]:
    """The pages with a plan and their costs, in the order of the plan."""
    found = {short(page): page for page in pages(root)}
    return [(found[name], of_page(found[name])) for name in experiments.pages() if name in found]


def table(root: Path) -> str:
    """One row per page, as HTML."""
    columns = (
        *("Page", "Images", "Passes per image", "Passes", "Passes of training", "GPU hours"),
        *("Stored maps (GB)", "Data (GB)"),
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    body = "".join(_row(page, cost) for page, cost in planned(root))
    return (
        f'<div class="table-scroll"><table class="runs"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def facts(root: Path) -> dict[str, str]:
    """The values that the page inserts into its text, by name."""
    stated = throughput()
    costs = [cost for _, cost in planned(root)]
    measured = "measured" if stated["source"] != "assumed" else "assumed, not measured"
    return {
        "gpu": stated["gpu"],
        "rates_are": measured,
        "hours": f"{sum(cost.seconds for cost in costs) / 3600:,.0f}",
        "data": f"{archives(costs) / 1e9:,.0f}",
        "map_side": f"{stated['stored']['side']}",
        "map_channels": f"{stated['stored']['channels']}",
        "map_bytes": f"{bytes_per_map():,}",
    }


def archives(costs: Iterable[Cost]) -> int:
    """The size of all archives that pages need, each once."""
    union = Cost(datasets={one: None for cost in costs for one in cost.datasets})
    return union.bytes[0]


def _row(page: Page, cost: Cost) -> str:
    known, unknown = cost.bytes
    data = f"{known / 1e9:,.1f}" if known else ("–" if not unknown else "")
    data += f"{' and ' if known else ''}{', '.join(unknown)}" if unknown else ""
    each = cost.passes / cost.images if cost.images else 0
    gigabytes = cost.maps * bytes_per_map() / 1e9
    cells = (f"{cost.images:,}", _rounded(each), _rounded(cost.passes), _rounded(cost.training),
             _rounded(cost.seconds / 3600), _rounded(gigabytes), escape(data))  # fmt: skip
    link = f'<a href="../{page.name}.html">{escape(page.title)}</a>'
    return f'<tr><th scope="row">{link}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


_WORDS = ((1e9, " billion"), (1e6, " million"))


def _rounded(number: float) -> str:
    """Two significant digits, in words from a million on.

    Example:
        >>> _rounded(1234567), _rounded(0.0)
        ('1.2 million', '–')
    """
    if not number:
        return "–"
    if number < 0.1:
        return "< 0.1"
    scale, word = next((pair for pair in _WORDS if number >= pair[0]), (1, ""))
    number /= scale
    digits = float(f"{number:.2g}")
    return (f"{digits:,.0f}" if digits >= 10 else f"{digits:,.1f}") + word
