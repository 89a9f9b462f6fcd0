"""One method on a few images: their maps and their values, made once, whoever asks."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .checks import check_images, check_options
from .code import code_key
from .data import Dataset, Sample
from .errors import UnknownName
from .methods import method_named
from .metrics import Metric, metric_named
from .metrics.relative_probability import rivals
from .saliency import attribute, explain, finish
from .store import Explained, Held, Maps, ShardStore, key

COLUMNS = [
    "network",
    "dataset",
    "image",
    "group",
    "method",
    "metric",
    "target",
    "value",
    "seconds",
    "error",
]

Choice = Sequence[str] | Mapping[str, str | tuple[str, dict]]


@dataclass(frozen=True)
class Variant:
    """A method or metric with its options, under the label that the table shows."""

    label: str
    name: str
    options: dict = field(default_factory=dict)
    defaults: dict = field(default_factory=dict)

    @property
    def resolved(self) -> dict:
        """The value of every option: a default that is named is no other choice."""
        return self.defaults | self.options


def chosen_methods(choice: Choice) -> list[Variant]:
    """The methods of a choice; an unknown method or option is an error that lists the valid ones."""
    return [_checked("method", v, method_named(v.name)) for v in _variants(choice)]


def chosen_metrics(choice: Choice) -> list[Variant]:
    """The metrics of a choice, likewise."""
    return [_checked("metric", v, metric_named(v.name)) for v in _variants(choice)]


def _variants(choice: Choice) -> list[Variant]:
    if isinstance(choice, str):
        raise ValueError(f"give a list of names, not the string {choice!r}")
    if not isinstance(choice, Mapping):
        return [Variant(name, name) for name in choice]
    return [Variant(label, *((v,) if isinstance(v, str) else v)) for label, v in choice.items()]


def _checked(kind: str, variant: Variant, registered) -> Variant:
    check_options(kind, variant.name, variant.options, registered.options)
    return replace(variant, defaults=registered.options)


class Images:
    """Some images of a dataset, decoded once, and what a network says of them."""

    def __init__(self, net, data: Dataset, batch_size: int):
        self.net, self.data, self.batch_size = net, data, batch_size
        self._samples: dict[int, Sample] = {}
        self._logits: dict[int, Tensor] = {}
        self.unreadable: dict[int, str] = {}

    @cached_property
    def fingerprints(self) -> list[str]:
        return [self.data.fingerprint(i) for i in range(len(self.data))]

    def sample(self, i: int) -> Sample | None:
        """The sample, or None with its error noted."""
        if i not in self._samples and i not in self.unreadable:
            try:
                sample = self.data[i]
                check_images(sample.image[None])
                self._samples[i] = sample
            except ValueError as error:
                self.unreadable[i] = str(error)
        return self._samples.get(i)

    def batch(self, index: list[int]) -> Tensor:
        """x (B, 3, H, W)."""
        return torch.stack([self.sample(i).image for i in index]).to(
            self.net.device, self.net.dtype
        )

    def targets(self, kind: str) -> list[int | None]:
        """The class of each image that maps and metrics follow: its "label", or the "predicted"."""
        labels = [None if kind == "predicted" else target for target in self.data.targets]
        unknown = [i for i, label in enumerate(labels) if label is None]
        known = self.logits([i for i in unknown if self.sample(i) is not None])
        return [
            int(known[i].argmax()) if label is None and i in known else label
            for i, label in enumerate(labels)
        ]

    @torch.no_grad()
    def logits(self, index: list[int]) -> dict[int, Tensor]:
        """What the network says of the images, (C,) each."""
        missing = [i for i in index if i not in self._logits]
        for batch in _batches(missing, self.batch_size):
            self._logits |= dict(zip(batch, self.net(self.batch(batch))))
        return self._logits


class Shard:
    """One method on a few images: its maps, its values."""

    def __init__(self, images: Images, method: Variant, store):
        self.net, self.data, self.images, self.method = images.net, images.data, images, method
        net, code = self.net, _code(method_named(method.name).fn) if store is not None else ""
        folder = key(net.fingerprint, net.device.type, str(net.dtype), method.name, method.resolved,
                     self.data.size, code)  # fmt: skip
        self.files = ShardStore(store, folder, images.fingerprints if store is not None else [])
        self._maps: Maps = {}

    def given(self, metric: Metric, index: list[int], target: Tensor) -> dict:
        """What a metric takes beside images, classes and maps; see `metrics.GIVEN`."""
        found = {}
        for name, needed in metric.given.items():
            if name == "method":
                found[name] = self._explain_anew
                continue
            if name == "rival":
                y = self.images.logits(index)
                found[name] = rivals(torch.stack([y[i] for i in index]), target.to(self.net.device))
                continue
            values = [getattr(self.images.sample(i), name) for i in index]
            if None not in values:
                found[name] = values
            elif needed:
                raise ValueError(
                    f"image {self.data.ids[index[values.index(None)]]!r} has no {name}"
                )
        return found

    def _explain_anew(self, x: Tensor, target: Tensor) -> Tensor:
        """S (B, H, W) of images that are not the dataset's, such as perturbed ones."""
        return explain(self.method.name, self.net, x, target, **self.method.options)

    # ------------------------------------------------------------------------------------- maps

    def maps(
        self, index: Sequence[int], targets: list[int], wait: bool = True
    ) -> tuple[Maps, dict[int, str]]:
        """Raw maps and seconds by (image, class), and the errors of the images that have none.

        Raises:
            Held: without `wait`, once all the others are made.
        """
        self._maps |= self.files.read_maps(
            (i, targets[i]) for i in index if (i, targets[i]) not in self._maps
        )
        missing = [
            i
            for i in index
            if (i, targets[i]) not in self._maps and self.images.sample(i) is not None
        ]
        errors, held = {}, []
        for batch in _batches(missing, self.images.batch_size):
            with ExitStack() as claims:
                mine = [i for i in batch if self._claim(claims, i, targets[i])]
                held += [i for i in batch if i not in mine]
                self._make(mine, targets, errors)
        if held and not wait:
            raise Held
        for i in held:
            with self.files.claim(i, targets[i], wait=True):
                self._make([i], targets, errors)
        return self._maps, errors | self.images.unreadable

    def _claim(self, claims: ExitStack, i: int, target: int) -> bool:
        """Whether the map is this process's to make."""
        try:
            claims.enter_context(self.files.claim(i, target, wait=False))
        except Held:
            return False
        return True

    def _make(self, mine: list[int], targets: list[int], errors: dict[int, str]) -> None:
        """The maps of images, unless another process has made them meanwhile."""
        self._maps |= self.files.read_maps((i, targets[i]) for i in mine)
        left = [i for i in mine if (i, targets[i]) not in self._maps]
        for batch, explained in self._attempt(left, self._explain, targets, errors):
            new = {(i, targets[i]): one for i, one in zip(batch, explained)}
            self.files.write_maps(new)
            self._maps |= new

    def _explain(self, batch: list[int], targets: list[int]) -> list[Explained]:
        x, target = self.images.batch(batch), torch.tensor([targets[i] for i in batch])
        start = _clock(self.net.device)
        raw, alpha = attribute(self.method.name, self.net, x, target, **self.method.options)
        seconds = (_clock(self.net.device) - start) / len(batch)
        alphas = [None] * len(batch) if alpha is None else alpha.float().cpu().numpy()
        return [Explained(m, seconds, a) for m, a in zip(raw.float().cpu().numpy(), alphas)]

    def saliency(
        self, index: list[int], targets: list[int], *, raw: bool = False, signed: bool = False
    ) -> list[Tensor]:
        """S (H, W) of the images, or their raw maps (h, w); raises the first error."""
        maps, errors = self.maps(index, targets)
        for i in index:
            if i in errors:
                raise ValueError(f"image {self.data.ids[i]!r}: {errors[i]}")
        found = [maps[i, targets[i]].map for i in index]
        return [torch.from_numpy(m) if raw else self._finish(m[None], signed)[0] for m in found]

    def coefficients(self) -> list[Tensor]:
        """The coefficients (K,) of each image for its label's class, empty where there are none."""
        targets = self.images.targets("label")
        maps, _ = self.maps(range(len(self.data)), targets)
        found = [maps.get((i, c)) for i, c in enumerate(targets)]
        return [torch.empty(0) if e is None else torch.from_numpy(e.coefficients) for e in found]

    def _finish(self, raw: np.ndarray, signed: bool = False) -> Tensor:
        how = {"signed": signed} | self.method.options
        return finish(self.method.name, torch.from_numpy(raw), self.data.size, **how)

    # ----------------------------------------------------------------------------------- values

    def values(self, metrics: list[Variant], wait: bool = True) -> pd.DataFrame:
        """The rows of every metric; those that share a measurement share its passes."""
        groups: dict[str, list[Variant]] = {}
        frames: dict[str, pd.DataFrame] = {}
        for variant in metrics:
            metric = metric_named(variant.name)
            stored = self.files.read_values(self._file(variant))
            if stored is not None:
                frames[variant.label] = stored
            else:
                shared = key(metric.measure.__name__, variant.resolved, metric.target)
                groups.setdefault(shared, []).append(variant)
        for group in groups.values():
            frames |= self._measure(group, wait)
        rows = [self._rows(variant, frames[variant.label]) for variant in metrics]
        table = pd.concat(rows).sort_values("position", kind="stable")
        return table[COLUMNS].reset_index(drop=True)

    def _file(self, variant: Variant) -> str:
        metric = metric_named(variant.name)
        code = _code(metric.value, metric.measure)
        return f"{variant.name}-{key(variant.resolved, self.data.targets, code)}"

    def _measure(self, group: list[Variant], wait: bool) -> dict[str, pd.DataFrame]:
        """Values of metrics with the same measurement, options and class."""
        first = metric_named(group[0].name)
        targets = self.images.targets(first.target)
        index = range(len(self.data))
        samples = [self.images.sample(i) for i in index]
        maps, errors = self.maps(index, targets, wait)
        ready = [i for i in index if i not in errors]
        # Of a metric that compares images, what is measured of each is kept until all are known.
        kept = object if first.whole else float
        columns = {v.label: np.full(len(self.data), np.nan, kept) for v in group}

        def measure(batch: list[int], targets: list[int]):
            S = self._finish(np.stack([maps[i, targets[i]].map for i in batch]), first.signed)
            target = torch.tensor([targets[i] for i in batch])
            options = group[0].options | self.given(first, batch, target)
            return first.measurement(self.net, self.images.batch(batch), target, S, **options)

        for batch, measurement in self._attempt(ready, measure, targets, errors):
            for variant in group:
                metric = metric_named(variant.name)
                value = measurement if metric.whole else metric.value(measurement)
                for i, one in zip(batch, value.double().cpu().numpy()):
                    columns[variant.label][i] = one
        frames = {}
        for variant in group:
            frame = pd.DataFrame({
                "group": [s.group if s else self.data.ids[i] for i, s in enumerate(samples)],
                "target": pd.array(targets, dtype="Int64"),
                "value": columns[variant.label],
                "seconds": [maps[i, c].seconds if (i, c) in maps else np.nan for i, c in enumerate(targets)],
                "error": pd.array([errors.get(i) for i in index], dtype="string"),
            })  # fmt: skip
            if not errors:  # an image may be mended: its shard is not final
                self.files.write_values(self._file(variant), frame)
            frames[variant.label] = frame
        return frames

    def _rows(self, variant: Variant, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(
            position=range(len(frame)),
            network=self.net.name,
            dataset=self.data.name,
            image=self.data.ids,
            method=self.method.label,
            metric=variant.label,
        )

    # ----------------------------------------------------------------------------------- batches

    def _attempt(self, index: list[int], run, targets: list[int], errors: dict[int, str]):
        """Yield (batch, result) of `run`; halve a batch that exhausts memory, isolate an image that
        raises a ValueError and note it in `errors`."""
        todo = list(_batches(index, self.images.batch_size))
        while todo:
            batch = todo.pop(0)
            try:
                yield batch, run(batch, targets)
            except UnknownName:  # an option's value, wrong for every image
                raise
            except (ValueError, torch.OutOfMemoryError) as error:
                if len(batch) > 1:
                    todo[:0] = list(_batches(batch, (len(batch) + 1) // 2))
                elif isinstance(error, ValueError):
                    errors[batch[0]] = str(error)
                else:
                    raise


class Given(Shard):
    """Maps that were made elsewhere, in place of a method's."""

    def __init__(self, images: Images, label: str, S: Tensor):
        super().__init__(images, Variant(label, label), store=None)
        self.S = S.float().cpu().numpy()

    def maps(
        self, index: Sequence[int], targets: list[int], wait: bool = True
    ) -> tuple[Maps, dict[int, str]]:
        readable = [i for i in index if self.images.sample(i) is not None]
        return {
            (i, targets[i]): Explained(self.S[i], np.nan) for i in readable
        }, self.images.unreadable

    def _finish(self, S: np.ndarray, signed: bool = False) -> Tensor:
        return torch.from_numpy(S)


def _code(*functions) -> str:
    """A hash of the code of a method or metric; the network is known by what it does."""
    modules = {f"{__package__}.maps", *(function.__module__ for function in functions)}
    return code_key(*sorted(modules), outside=("lib.nets", "lib.data", "lib.errors", "lib.checks"))


def _batches(index: list[int], size: int) -> list[list[int]]:
    return [index[i : i + size] for i in range(0, len(index), size)]


def _clock(device: torch.device) -> float:
    """Seconds, once the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
