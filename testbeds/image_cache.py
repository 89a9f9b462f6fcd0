"""A dataset's images as bytes, made once on all cores; drawn ones are stored in `build/images`."""

import os

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lib.data import DATASETS, Dataset, Sample
from lib.paths import BUILD
from lib.store import keep, key, recall

FOLDER = BUILD / "images"

PROCESSES = min(8, os.cpu_count() or 1)  # that draw or decode at once
PER_TASK = 64  # images that a process makes before it returns them


def images(data: Dataset) -> Tensor:
    """All images (N,3,H,W) as bytes.

    A file is named by a hash of the content of each image, of the code that draws it, and of the
    size. Images that are read from files are not stored again.

    Example:
        >>> images(data.load("scenes", limit=4, size=64)).shape
        torch.Size([4, 3, 64, 64])
    """
    if not is_drawn(data):
        return _made(data)
    shown = [data.fingerprint(i) for i in range(len(data))]
    path = FOLDER / f"{data.name}-{key(shown, data.size)}.pt"
    known = recall(path, lambda p: torch.load(p, weights_only=True))
    if known is not None:
        return known
    found = _made(data)
    keep(path, lambda p: torch.save(found, p))
    return found


def is_drawn(data: Dataset) -> bool:
    return "generator" in DATASETS[data.name]["source"]


def as_bytes(sample: Sample) -> Tensor:
    """The sample's image (3,H,W), in 256 steps."""
    return sample.image.mul(255).round().byte()


def _made(data: Dataset) -> Tensor:
    """The images, drawn or decoded in several processes."""
    few = len(data) <= PER_TASK
    batches = DataLoader(
        _Bytes(data),
        PER_TASK,
        num_workers=0 if few else PROCESSES,
        generator=torch.Generator(),  # leaves the caller's random numbers alone
    )
    return torch.cat(list(batches))


class _Bytes(torch.utils.data.Dataset):
    def __init__(self, data: Dataset):
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Tensor:
        return as_bytes(self.data[index])
