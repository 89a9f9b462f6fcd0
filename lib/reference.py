"""Sets of reference images for DiffCAM, represented by their features."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from .checks import NO_CLASS, check_count
from .data import Dataset
from .store import keep, key, load_arrays, recall, save_arrays


@dataclass(frozen=True, eq=False, repr=False)
class ReferenceSet:
    """The features of reference images, pooled over positions: R of DiffCAM.

    Attributes:
        z: (n, K), $z_k = \\mathrm{GAP}(A_k)$ of each image.
        classes: (n,) the class of each image; None if no class is known.
        network: the fingerprint of the network that gave the features; "" if it is not known.
    """

    z: Tensor
    classes: Tensor | None = None
    network: str = ""

    def __post_init__(self) -> None:
        if self.z.ndim != 2 or not self.z.is_floating_point():
            raise ValueError(
                f"reference features are (n, K), floats, got {tuple(self.z.shape)}, {self.z.dtype}: "
                "pool activations (n, K, h, w) by .mean((2, 3))"
            )
        if not len(self.z):
            raise ValueError("the reference is empty: give at least one image")
        if not torch.isfinite(self.z).all():
            raise ValueError("reference features hold NaN or infinity")
        if self.classes is not None and self.classes.shape != self.z.shape[:1]:
            raise ValueError(
                f"reference classes are one an image, ({len(self.z)},), got {tuple(self.classes.shape)}"
            )

    def __len__(self) -> int:
        return len(self.z)

    def __repr__(self) -> str:
        return f"ReferenceSet({len(self)} images, {self.z.shape[1]} channels)"

    def subset(self, indices: Sequence[int] | Tensor) -> "ReferenceSet":
        """The images at these indices.

        Example:
            >>> R.subset(R.classes == 243)
        """
        indices = torch.as_tensor(indices, device=self.z.device)
        classes = None if self.classes is None else self.classes[indices]
        return ReferenceSet(self.z[indices], classes, self.network)

    @cached_property
    def content(self) -> str:
        """A hash of features and classes, on which the maps depend."""
        digest = hashlib.sha256(repr((tuple(self.z.shape), self.z.dtype)).encode())
        for tensor in (self.z, self.classes):
            if tensor is not None:
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def reference_set(
    net, data: Dataset, *, batch_size: int = 16, store: str | Path | None = None
) -> ReferenceSet:
    """The features of a dataset's images, with their classes; the head does not run.

    Args:
        net: a `Classifier`, or a backbone without a classifier.
        data: the reference images, at the size of the images that are explained.
        store: a folder in which features are stored, such as the store of `evaluate`; None stores
            nothing.

    Raises:
        ValueError: there is no image, or an image cannot be read; the message names it.

    Example:
        >>> R = reference_set(net, load("imagenet_embedded", size=net.input_size))
        >>> explain("diff_cam", net, x, target=243, reference=R)
    """
    return reference_sets([net], data, batch_size=batch_size, store=store)[0]


def reference_sets(
    nets: Sequence, data: Dataset, *, batch_size: int = 16, store: str | Path | None = None
) -> list[ReferenceSet]:
    """As `reference_set`, for several networks, or for one network cut at several layers.

    Each image is decoded only once for all networks.

    Args:
        nets: the networks, which take images of the same size.

    Example:
        >>> last, before = reference_sets([net, nets.load(net.name, layer="features.10")], data)
    """
    check_count("batch_size", batch_size, optional=False)
    if not len(data):
        raise ValueError(f"the reference {data.name} is empty: give at least one image")
    names = [key(net.fingerprint, net.device.type, str(net.dtype), data.content) for net in nets]
    folder = None if store is None else Path(store).expanduser() / "references"
    paths = [folder and folder / f"{name}.safetensors" for name in names]
    known = [path and recall(path, load_arrays) for path in paths]
    missing = [net for net, there in zip(nets, known) if there is None]
    made = iter(_pooled(missing, data, batch_size) if missing else ())
    targets = [NO_CLASS if target is None else target for target in data.targets]
    classes = None if set(targets) == {NO_CLASS} else torch.tensor(targets)
    found = []
    for net, path, there in zip(nets, paths, known):
        z = next(made) if there is None else torch.from_numpy(there["z"])
        if path and there is None:
            keep(path, partial(save_arrays, {"z": np.asarray(z)}))
        found.append(ReferenceSet(z, classes, net.fingerprint))
    return found


@torch.no_grad()
def _pooled(nets: Sequence, data: Dataset, batch_size: int) -> list[Tensor]:
    """z (n, K) of a dataset's images, for each network."""
    found: list[list[Tensor]] = [[] for _ in nets]
    for i in range(0, len(data), batch_size):
        x = torch.stack([sample.image for sample in data[i : i + batch_size]])
        for net, of_net in zip(nets, found):
            of_net.append(net.cut(x.to(net.device, net.dtype))[0].mean((2, 3)).cpu())
    return [torch.cat(of_net) for of_net in found]


def as_reference_set(net, reference, size: tuple[int, int]) -> ReferenceSet:
    """The reference as a `ReferenceSet` of this network.

    Args:
        reference: a `ReferenceSet`; a `Dataset`, whose images are taken at `size`; or features (n, K).

    Raises:
        ValueError: the reference is missing, has another type, or belongs to another network.
    """
    if reference is None:
        raise ValueError(
            "diff_cam needs reference images: pass reference=..., a Dataset, features (n, K), or a "
            "ReferenceSet"
        )
    if isinstance(reference, Dataset):
        reference = _remembered(net, reference.at(size))
    elif isinstance(reference, Tensor):
        reference = ReferenceSet(reference)
    elif not isinstance(reference, ReferenceSet):
        raise ValueError(
            f"reference is a Dataset, features (n, K) or a ReferenceSet, got {type(reference).__name__}"
        )
    if reference.network not in ("", net.fingerprint):
        raise ValueError(
            f"the reference's features are of another network or layer than {net.name} after "
            f"{net.layer!r}: make them with reference_set(net, data)"
        )
    return reference


# For each network the features of the last reference dataset, which every batch needs.
_last: WeakKeyDictionary = WeakKeyDictionary()


def _remembered(net, data: Dataset) -> ReferenceSet:
    name = (data.content, net.fingerprint, net.device, net.dtype)
    if name not in _last.get(net, {}):
        _last[net] = {name: reference_set(net, data)}
    return _last[net][name]
