"""The numbers that the papers print, and which of their networks ours compares with."""

import re
from decimal import Decimal
from functools import cache

import pandas as pd

from lib.errors import unknown
from lib.paths import MANIFESTS

# As printed: (the label of the same network in our evaluation frames, kind)
NETWORKS: dict[str, tuple[str, str]] = {
    "ResNet50": ("torchvision:resnet50", "CNN"),
    "VGG16": ("torchvision:vgg16_bn", "CNN"),
    "ViT-B": ("vit_base_patch16_224", "transformer"),
    "DeiT-B": ("deit_base_patch16_224", "transformer"),
    "VGG16 ImageNet": ("torchvision:vgg16", "CNN"),
    "VGG16 VOC": ("torchvision:vgg16, voc", "CNN"),
    "VGG16 COCO": ("torchvision:vgg16, coco", "CNN"),
    "VQA": ("VQA", "VQA"),
    "ResNet50 Chest X-ray": ("chest_xray_resnet50", "Chest X-ray"),
    "VGG16 Chest X-ray": ("chest_xray_vgg16_bn", "Chest X-ray"),
    "ResNet50 Kvasir": ("kvasir_resnet50", "Kvasir"),
    "VGG16 Kvasir": ("kvasir_vgg16_bn", "Kvasir"),
    **{
        f"{network} {dataset}": (f"{name}_{network.lower()}", "CNN")
        for network in ("AlexNet", "VGG16")
        for dataset, name in {
            "CUB-200": "cub",
            "FGVC": "aircraft",
            "Food-101": "food101",
            "Flower-102": "flowers102",
            "Stanford Cars": "stanford_cars",
        }.items()
    },
}
_MEDICAL = {
    "Chest X-ray": re.compile(r"(?i)chest.x.?ray|radiographs"),
    "Kvasir": re.compile(r"(?i)kvasir|endoscopy"),
}
_KINDS = {
    "transformer": re.compile(r"vit|deit|swin|beit|cait"),
    "VQA": re.compile(r"(?i)vqa"),
    **_MEDICAL,
}
_TRAINED_ON = {  # data of one sort, the drawn ones among them
    **_MEDICAL,
    "CUB-200": re.compile(r"(?i)cub|birds"),
    "FGVC": re.compile(r"(?i)fgvc|aircraft"),
    "Food-101": re.compile(r"(?i)food"),
    "Flower-102": re.compile(r"(?i)flower"),
    "Stanford Cars": re.compile(r"(?i)cars"),
}
_FAMILIES = re.compile(r"(?i)resnet|vgg|alexnet")  # of architectures


def published(paper: str, table: str | int | None = None) -> pd.DataFrame:
    """The published values of a paper, one row a cell of its tables.

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


def kind(network: str) -> str:
    """What a network of the papers or of this project is, such as "transformer" or "Kvasir"; else
    "CNN"."""
    if network in NETWORKS:
        return NETWORKS[network][1]
    return next((name for name, pattern in _KINDS.items() if pattern.search(network)), "CNN")


def counterparts(network: str, printed: list[str]) -> list[str]:
    """Of the `printed` networks, those that `network` compares with: itself, or all of its kind."""
    same = [name for name in printed if _stands_for(network, name)]
    return same or [name for name in printed if kind(name) == kind(network)]


def concerns(scope: str, network: str) -> bool:
    """Whether a claim about `scope` (a kind, or a printed network) is also one about `network`."""
    return _stands_for(network, scope) or scope == kind(network)


def _stands_for(network: str, printed: str) -> bool:
    """Whether it is the printed network; or one of its architecture, trained on data of its sort."""
    if printed not in NETWORKS:
        return False
    sort = _trained_on(printed)
    alike = sort is not None and sort == _trained_on(network)
    return NETWORKS[printed][0] == network or alike and _family(printed) == _family(network)


def _trained_on(network: str) -> str | None:
    return next((name for name, sort in _TRAINED_ON.items() if sort.search(network)), None)


def _family(network: str) -> str | None:
    found = _FAMILIES.search(network)
    return found and found[0].lower()
