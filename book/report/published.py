"""The numbers that the papers print, and the networks of the papers that ours are compared with."""

from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Any

import pandas as pd
import yaml

from lib import manifests
from lib.errors import unknown
from lib.paths import MANIFESTS


def _read_networks() -> dict[str, dict[str, str]]:
    with (MANIFESTS / "published" / "networks.yaml").open(encoding="utf-8") as file:
        return yaml.load(file, manifests.StrictLoader)


NETWORKS = _read_networks()  # as printed


def published(paper: str, table: str | int | None = None) -> pd.DataFrame:
    """The published values of a paper, one row per cell of its tables.

    Returns:
        Columns table, place, network (as printed), method, title (as printed), metric, unit,
        value (in that unit), printed (the literal string), note. Empty cells are left out.

    Raises:
        UnknownName: no such paper, or no such table of it.

    Example:
        >>> cells = published("opticam", 1)
        >>> cells.query("network == 'VGG16' and method == 'opti_cam'").printed.tolist()
        ['1.3', '71.2', '92.7', '3.94']
    """
    cells = _read(paper)
    if table is None:
        return cells.copy()
    if str(table) not in set(cells["table"]):
        raise unknown(f"table of {paper}", str(table), cells["table"].unique())
    return cells[cells["table"] == str(table)].reset_index(drop=True)


@cache
def _read(paper: str) -> pd.DataFrame:
    papers = {path.stem: path for path in sorted((MANIFESTS / "published").glob("*.csv"))}
    if paper not in papers:
        raise unknown("paper", paper, papers)
    cells = pd.read_csv(papers[paper], dtype=str, keep_default_na=False)
    return cells.assign(value=cells["printed"].astype(float))


def printed_range(printed: list[str]) -> tuple[float, float]:
    """The range of the printed numbers, widened by half a unit of their last digit.

    Example:
        >>> printed_range(["12.2", "14.2"])
        (12.15, 14.25)
    """
    numbers = [Decimal(text) for text in printed]
    halves = [Decimal(5).scaleb(number.as_tuple().exponent - 1) for number in numbers]
    low = min(number - half for number, half in zip(numbers, halves))
    high = max(number + half for number, half in zip(numbers, halves))
    return float(low), float(high)


def kind(network: str, architecture: str = "CNN") -> str:
    """The kind of a network of the papers or of this project, such as "transformer" or "Kvasir".

    Args:
        network: as a paper prints it, or as a frame names it: its name, perhaps followed by a comma
            and a qualifier.
        architecture: its kind where no manifest says it; see `Classifier.architecture`.
    """
    for printed, entry in NETWORKS.items():
        if network in (printed, entry["here"]):
            return entry["kind"]
    return _own(network).get("kind", architecture)


def architectures(frame: pd.DataFrame) -> dict[str, str]:
    """By network, the column `architecture` of an evaluation frame; "CNN" where it is missing."""
    said = frame.reindex(columns=["network", "architecture"]).dropna()
    return dict.fromkeys(frame["network"], "CNN") | dict(zip(said["network"], said["architecture"]))


def counterparts(network: str, printed: list[str], architecture: str = "CNN") -> list[str]:
    """The `printed` networks that `network` is compared with: itself, or else all of its kind."""
    same = [name for name in printed if _stands_for(network, name)]
    return same or [name for name in printed if kind(name) == kind(network, architecture)]


def of_the_same_data(printed: Iterable[str], dataset: str) -> list[str]:
    """The `printed` networks whose images are of the same sort as those of a dataset."""
    sort = _dataset(dataset).get("sort")
    return [name for name in printed if sort and NETWORKS[name].get("data") == sort]


def rests_on(network: str, dataset: str) -> str:
    """What a result on a network and a dataset rests on: the "published setting", other "photographs",
    or a "test bed" of drawings or digits.

    Example:
        >>> rests_on("torchvision:resnet50", "imagenet"), rests_on("mnist_vit", "mnist")
        ('published setting', 'test bed')
    """
    if _dataset(dataset).get("depicts", "photographs") != "photographs":
        return "test bed"
    theirs = [e for e in NETWORKS.values() if (e["here"], e.get("dataset")) == (network, dataset)]
    return "published setting" if theirs else "photographs"


def printed_methods(paper: str, place: str, scope: str) -> list[str]:
    """The methods of the printed table that `place` names, for the networks of a scope; none if `place`
    names no table."""
    item = place.partition(",")[0]
    if not item.startswith("Table "):
        return []
    cells = _read(paper)
    cells = cells[cells["table"] == item.removeprefix("Table ")]
    cells = cells[[scope in (name, kind(name)) for name in cells["network"]]]
    return list(cells["method"].unique())


def concerns(scope: str, network: str, architecture: str = "CNN") -> bool:
    """Whether a claim about `scope` (a kind, or a printed network) is also about `network`."""
    return _stands_for(network, scope) or scope == kind(network, architecture)


def _stands_for(network: str, printed: str) -> bool:
    """Whether a network is the printed one, or has its architecture and was trained on data of its sort."""
    theirs, ours = NETWORKS.get(printed, {}), _own(network)
    alike = all(
        theirs.get(key) and theirs[key] == ours.get(key) for key in ("architecture", "data")
    )
    return theirs.get("here") == network or alike


def _dataset(name: str) -> dict[str, Any]:
    return manifests.read("datasets").get(name, {})


@cache
def _own(network: str) -> dict[str, Any]:
    """The manifest entry of a network that is trained here; a qualifier after its name is ignored."""
    return manifests.networks().get(network.partition(", ")[0], {})
