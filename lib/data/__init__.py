"""Images with their annotations, from the datasets that the manifests describe.

To add a dataset that is read from files, write its manifest and a module with a function
`records(entry, root, split) -> (records, class names or None)`, where `root` is the folder that was
found and verified, and list the function in `LOADERS`. It is called once for each source of the
manifest. A drawn dataset has a manifest whose `generator` names its function
`records(seed, split, n)`, in any package.
"""

from numbers import Integral
from pathlib import Path

from .. import manifests
from ..errors import unknown
from . import (
    chest_xray,
    coco,
    cub,
    fine_grained,
    folder,
    imagenet,
    imagenet_embedded,
    kvasir,
    mnist,
    rsna_pneumonia,
    siim_pneumothorax,
    voc,
    vqa,
    wsol,
)
from .dataset import ANNOTATIONS, Dataset, Part, Record, Sample, Size, as_size

__all__ = [
    *("ANNOTATIONS", "DATASETS", "Dataset", "Part", "Record", "Sample", "Size"),
    *("load", "spread"),
]

DATASETS = manifests.read("datasets")

LOADERS = {
    "aircraft": fine_grained.records,
    "chest_xray": chest_xray.records,
    "coco": coco.records,
    "cub": cub.records,
    "flowers102": fine_grained.records,
    "folder": folder.records,
    "food101": fine_grained.records,
    "imagenet": imagenet.records,
    "imagenet_embedded": imagenet_embedded.records,
    "kvasir": kvasir.records,
    "mnist": mnist.records,
    "rsna_pneumonia": rsna_pneumonia.records,
    "siim_pneumothorax": siim_pneumothorax.records,
    "stanford_cars": fine_grained.records,
    "voc": voc.records,
    "vqa": vqa.records,
    "wsol_cub": wsol.records,
    "wsol_imagenet": wsol.records,
    "wsol_openimages": wsol.records,
}


def load(
    name: str,
    *,
    root: str | Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    size: int | Size | None = None,
) -> Dataset:
    """A dataset by name, its images resized to `size` without cropping (Opti-CAM, appendix A).

    A user's own images, boxes and masks are turned upright by the orientation in the file.
    Published datasets are read in the frame of the stored pixels, in which they are annotated.

    Args:
        name: one of `DATASETS`.
        root: the folder of the dataset, or one image of your own; by default the manifest's place.
        split: one of the manifest's splits, by default the first.
        limit: the largest number of samples. They are evenly spaced in the dataset's order, which
            spreads the classes, and always the same.
        size: (height, width) or one number for both; by default the manifest's.

    Raises:
        UnknownName: there is no such dataset or split.
        FileNotFoundError: the dataset is missing; the message gives the expected layout and how to
            obtain it.
        ValueError: a checksum is wrong, or `limit` or `size` is not valid. A damaged image raises
            an error only when its sample is read.

    Example:
        >>> data = load("imagenet_embedded", limit=4)
        >>> [data.classes[target] for target in data.targets]
        ['bull mastiff', 'bullet train', 'laptop', 'organ']
    """
    if name not in DATASETS:
        raise unknown("dataset", name, DATASETS)
    entry = DATASETS[name]
    splits = entry.get("splits", [])
    if split is not None and split not in splits:
        raise unknown(f"split of {name}", split, splits)
    records, classes = _records(entry, root, split or next(iter(splits), None))
    data = Dataset(name, tuple(records), as_size(entry["size"] if size is None else size), classes)
    return data if limit is None else data.subset(spread(len(data), limit))


def _records(entry: manifests.Entry, root: str | Path | None, split: str | None):
    """The records of a split, and the names of the classes."""
    located = [(part, manifests.locate(part, root)) for part in manifests.parts(entry)]
    source = entry["source"]
    if "generator" in source:
        return manifests.resolve(source["generator"])(source["seed"], split, entry["splits"][split])
    found = [LOADERS[entry["name"]](part, place, split) for part, place in located]
    return [record for records, _ in found for record in records], found[0][1]


def spread(n: int, limit: int) -> list[int]:
    """At most `limit` of n indices, evenly spaced."""
    if isinstance(limit, bool) or not isinstance(limit, Integral) or limit < 1:
        raise ValueError(f"limit is at least 1, got {limit!r}: give a whole number of images")
    limit = min(limit, n)
    return [i * n // limit for i in range(limit)]
