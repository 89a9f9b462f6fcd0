"""The raw maps of one method on a block of images, computed once and then read."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checks import NO_CLASS, check_choice, check_images
from .code import code_key
from .data import Dataset, Sample
from .errors import UnknownName
from .nets import clock
from .saliency import attribute, explain, finish
from .shard_store import ShardStore
from .store import key
from .stored_maps import Explained
from .variants import Variant

# Seconds after which the maps of the last batches are written. A slow method's maps are so written
# after each batch; Grad-CAM of a small network computes 16 maps in the time of writing 4 files.
WRITING = 1.0

Targets = list[int | None]  # the class of each image of a block


class Block:
    """A block of images of a dataset, decoded once, and a network's logits for them.

    Args:
        decode: gives the i-th sample of the block, as a `Decoder` does; None decodes it here.

    Attributes:
        unreadable: the errors of the images that could not be read or decoded, by index.
    """

    def __init__(
        self,
        net,
        data: Dataset,
        batch_size: int,
        decode: Callable[[int], Sample] | None = None,
    ):
        self.net, self.data, self.batch_size = net, data, batch_size
        self._decode = decode or data.__getitem__
        self.unreadable: dict[int, str] = {}
        self._samples: dict[int, Sample] = {}
        self._logits: dict[tuple[int, ...], Tensor] = {}

    def __len__(self) -> int:
        return len(self.data)

    @cached_property
    def fingerprints(self) -> list[str]:
        """The fingerprint of each image; for an unreadable image a name that is never stored."""
        return [self._fingerprint(i) for i in range(len(self))]

    def _fingerprint(self, i: int) -> str:
        try:
            return self.data.fingerprint(i)
        except ValueError as error:
            self.unreadable[i] = str(error)
            return f"unreadable {i}"

    def sample(self, i: int) -> Sample | None:
        """The sample, or None if it is unreadable; then its error is recorded."""
        if i not in self._samples and i not in self.unreadable:
            try:
                sample = self._decode(i)
                check_images(sample.image[None])
                self._samples[i] = sample
            except ValueError as error:
                self.unreadable[i] = str(error)
        return self._samples.get(i)

    def batch(self, index: Sequence[int]) -> Tensor:
        """The images x (B, 3, H, W) at these indices."""
        x = torch.stack([self.sample(i).image for i in index])
        return x.to(self.net.device, self.net.dtype)

    def targets(self, kind: str) -> Targets:
        """The class of each image: its "label", or the "predicted" class.

        An image without a label has its predicted class; for a backbone, which predicts none, it
        has `NO_CLASS`.
        """
        check_choice("target", kind, ("label", "predicted"))
        if kind == "label" and not self.net.num_classes:
            return [NO_CLASS if label is None else label for label in self.data.targets]
        labels = [None if kind == "predicted" else target for target in self.data.targets]
        unknown = [i for i, label in enumerate(labels) if label is None]
        readable = [i for i in unknown if self.sample(i) is not None]
        predicted: dict[int, int] = {}
        for batch in _batches(readable, self.batch_size):
            predicted |= zip(batch, self.logits(batch).argmax(1).tolist())
        return [predicted.get(i, label) for i, label in enumerate(labels)]

    @torch.no_grad()
    def logits(self, index: Sequence[int]) -> Tensor:
        """The network's logits (B, C) for a batch of images; those of the same batch are known.

        By batch, because rounding differs between batches: an image that its mask does not change
        keeps its exact probability only beside the same images.
        """
        batch = tuple(index)
        if batch not in self._logits:
            self._logits[batch] = self.net(self.batch(index))
        return self._logits[batch]

    def attempt(self, images: list, run: Callable[[list], Any]) -> Iterator[tuple[list, Any]]:
        """Yields (batch, result) of `run`. A batch that exhausts memory is halved. An image that
        raises a ValueError is isolated, and its result is the error's message."""
        todo = _batches(images, self.batch_size)
        while todo:
            batch = todo.pop(0)
            try:
                yield batch, run(batch)
            except UnknownName:  # an option's value is wrong for every image
                raise
            except (ValueError, torch.OutOfMemoryError) as error:
                if len(batch) > 1:
                    todo[:0] = _batches(batch, (len(batch) + 1) // 2)
                elif isinstance(error, ValueError):
                    yield batch, str(error)
                else:
                    raise


class Shard:
    """One method on a block of images.

    Args:
        store: the folder of all results; None stores nothing.
        advance: called with the number of images whose maps have just been read or computed.
    """

    def __init__(
        self,
        block: Block,
        method: Variant,
        store,
        advance: Callable[[int], None] = lambda images: None,
    ):
        self.block, self.method, self.label = block, method, method.label
        self.advance = advance
        net, code = block.net, "" if store is None else code_of(method.of.fn)
        folder = key(net.fingerprint, net.device.type, str(net.dtype), method.name, method.resolved,
                     method.of.relu, block.data.size, code)  # fmt: skip
        # By fingerprint, so that an image that occurs twice is explained once.
        self.images = range(len(block)) if store is None else block.fingerprints
        self.files = ShardStore(store, folder, self.images)
        self._known: dict[tuple, Explained | str] = {}

    def maps(self, targets: Targets) -> list[Explained | str]:
        """The raw map of each image for its class, or the message of its error."""
        pairs = list(zip(self.images, targets))
        self._recall(pairs)
        self.advance(sum(pair in self._known for pair in pairs))
        # A process that was killed may have left the maps of a shard in several files.
        if any(pair not in self._known for pair in pairs) or not self.files.complete(self._made):
            with self.files.lock:
                self._recall(pairs)  # what another process has computed meanwhile
                try:
                    self._make(pairs)
                finally:  # also after an interruption
                    self.files.gather_maps(self._made)
        return [self.block.unreadable.get(i, self._known.get(pair)) for i, pair in enumerate(pairs)]

    @property
    def _made(self) -> dict[tuple, Explained]:
        return {pair: one for pair, one in self._known.items() if not isinstance(one, str)}

    def _recall(self, pairs: list[tuple]) -> None:
        self._known |= self.files.read_maps(pair for pair in pairs if pair not in self._known)

    def _make(self, pairs: list[tuple]) -> None:
        missing = {
            pair: i
            for i, pair in enumerate(pairs)
            if pair not in self._known and self.block.sample(i) is not None
        }
        waiting, written = {}, time.monotonic()
        for batch, made in self.block.attempt(list(missing.items()), self._explain):
            if isinstance(made, str):
                ((pair, _),) = batch
                self._known[pair] = made
            else:
                self._known |= made
                waiting |= made
                if time.monotonic() - written >= WRITING:
                    self.files.write_maps(waiting)
                    waiting, written = {}, time.monotonic()
            self.advance(len(batch))

    def _explain(self, batch: list[tuple[tuple, int]]) -> dict[tuple, Explained]:
        pairs, index = zip(*batch)
        x, target = self.block.batch(index), torch.tensor([c for _, c in pairs])
        start = clock(x.device)
        raw, alpha = attribute(self.method.name, self.block.net, x, target, **self.method.options)
        seconds = (clock(x.device) - start) / len(batch)
        alphas = [None] * len(batch) if alpha is None else alpha.float().cpu().numpy()
        maps = zip(raw.float().cpu().numpy(), alphas)
        return {pair: Explained(M, seconds, a) for pair, (M, a) in zip(pairs, maps)}

    def finish(self, raw: list[np.ndarray], signed: bool = False) -> Tensor:
        """S (B, H, W) from raw maps."""
        how = {"signed": signed} | self.method.options
        maps = torch.from_numpy(np.stack(raw))
        return finish(self.method.name, maps, self.block.data.size, **how)

    def explain(self, x: Tensor, target: Tensor) -> Tensor:
        """S (B, H, W) for images that are not in the dataset, such as perturbed ones."""
        return explain(self.method.name, self.block.net, x, target, **self.method.options)


class GivenMaps:
    """Maps S (N, H, W) of a block that were made elsewhere, with the interface of a `Shard`."""

    def __init__(self, block: Block, label: str, S: Tensor):
        self.block, self.label, self.S = block, label, S.float().cpu().numpy()
        self.files = ShardStore(None, "", ())

    def maps(self, targets: Targets) -> list[Explained | str]:
        readable = [self.block.sample(i) is not None for i in range(len(self.block))]
        return [
            Explained(S, np.nan) if readable[i] else self.block.unreadable[i]
            for i, S in enumerate(self.S)
        ]

    def finish(self, S: list[np.ndarray], signed: bool = False) -> Tensor:
        return torch.from_numpy(np.stack(S))


# Not followed in the code of methods and metrics: networks and images have their own fingerprints.
_KNOWN = ("lib.nets", "lib.data", "lib.errors", "lib.checks")


def code_of(*functions: Callable) -> str:
    """A hash of the code of a method or metric and of the code that finishes its maps."""
    above = code_key(f"{__package__}.saliency", outside=(*_KNOWN, "lib.methods"))
    return above + code_key(*sorted({f.__module__ for f in functions}), outside=_KNOWN)


def _batches(images: list, size: int) -> list[list]:
    return [images[i : i + size] for i in range(0, len(images), size)]
