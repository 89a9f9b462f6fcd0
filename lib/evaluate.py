"""Many methods, many metrics, many images: one long table, durable and resumable."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import Timeout
from torch import Tensor
from tqdm import tqdm

from .checks import check_images, check_options
from .data import Dataset, Sample
from .errors import UnknownName
from .methods import method_named
from .metrics import Metric, metric_named
from .metrics.cosine_similarity import cosine_similarity
from .metrics.relative_probability import rivals
from .saliency import attribute, explain, finish
from .store import Explained, Maps, ShardStore, code_key, key

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
SHARD_SIZE = 32

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


def evaluate(
    net,
    data: Dataset,
    methods: Choice,
    metrics: Choice,
    *,
    batch_size: int = 16,
    store: str | Path | None = None,
    executor: Executor | None = None,
    shard_size: int = SHARD_SIZE,
    progress: bool | None = None,
) -> pd.DataFrame:
    """The value of every metric for every method on every image.

    Results do not depend on batch size, shard size, order or executor. With a `store`, each map is
    written with its batch and each shard's values when they are known, and the map of an image is
    never computed again, whichever call or page asked first: an interrupted run resumes. An image
    that cannot be read, or whose map is not finite, becomes a row with its error; the rest goes on.
    Out of memory halves the batch.

    Args:
        net: a `Classifier`; images are taken at the size of `data` (see `data.at(net.input_size)`).
        data: samples with ids; a sample without a target is explained for its predicted class.
        methods, metrics: names; or {label: name} or {label: (name, options)} for variants. A metric
            that compares the images of a data set (`Metric.whole`) compares those of `data`.
        batch_size: images a pass. Methods that multiply images use their own chunks.
        store: a folder; None keeps nothing.
        executor: any `concurrent.futures.Executor` (also Dask's); None runs here.
        shard_size: images whose values are stored together: the most that an interruption loses.
        progress: a bar on the terminal; None shows one if it is a terminal.

    Returns:
        One row an (image, method, metric): network, dataset, image, group, method, metric, target
        (the class), value (a fraction or score; NaN with an error), seconds (for the map), error.

    Raises:
        UnknownName: unknown method, metric or option, before anything runs; lists the valid ones.

    Example:
        >>> frame = evaluate(net, data, ["grad_cam", "opti_cam"], ["average_drop"], store="results")
        >>> evaluate(net, data, {"25 iterations": ("opti_cam", {"iterations": 25})}, ["average_gain"])
    """
    methods = [_checked("method", v, method_named(v.name)) for v in _variants(methods)]
    metrics = [_checked("metric", v, metric_named(v.name)) for v in _variants(metrics)]
    if not (methods and metrics and len(data)):
        return pd.DataFrame(columns=COLUMNS)
    blocks = [data[i : i + shard_size] for i in range(0, len(data), shard_size)]
    places = [(m, b) for m in range(len(methods)) for b in range(len(blocks))]
    work = net, blocks, methods, metrics, batch_size, store
    runs = _run_here(*work) if executor is None else _run_there(executor, *work)
    hidden = None if progress is None else not progress
    frames = dict(tqdm(runs, total=len(places), unit="shard", desc=net.name, disable=hidden))
    return _as_a_whole(pd.concat([frames[place] for place in places], ignore_index=True), metrics)


def _as_a_whole(table: pd.DataFrame, metrics: list[Variant]) -> pd.DataFrame:
    """The values of metrics that compare the images of a data set, from their measurements."""
    for variant in metrics:
        if metric_named(variant.name).whole:
            rows = table[(table["metric"] == variant.label) & table["error"].isna()]
            for _, known in rows.groupby("method"):
                measured = torch.from_numpy(np.stack(known["value"]))  # (N, ...)
                values = metric_named(variant.name).value(measured)
                table.loc[known.index, "value"] = values.numpy()
    return table.astype({"value": float})


def evaluate_maps(
    net, data: Dataset, maps: Mapping[str, Tensor], metrics: Choice, *, batch_size: int = 16
) -> pd.DataFrame:
    """The value of every metric for maps that were made elsewhere, by another library or class.

    Args:
        maps: by label, S (N, H, W) in [0, 1], in the order and at the size of `data`; in [-1, 1] for
            a metric of signed maps (`Metric.signed`).

    Returns:
        Rows as those of `evaluate`, without seconds.

    Raises:
        ValueError: maps of another shape; or a metric that explains further images, which needs
            a method.

    Example:
        >>> evaluate_maps(net, data, {"thirds": torch.stack(my_maps)}, ["average_drop"])
    """
    metrics = [_checked("metric", v, metric_named(v.name)) for v in _variants(metrics)]
    for variant in metrics:
        if metric_named(variant.name).given.get("method"):
            raise ValueError(f"{variant.name} explains further images: use evaluate with a method")
    for label, S in maps.items():
        if S.shape != (len(data), *data.size):
            expected = (len(data), *data.size)
            raise ValueError(f"maps {label!r} are (N, H, W) = {expected}, got {tuple(S.shape)}")
    images = _Images(net, data, batch_size)
    shards = [_Given(images, label, S) for label, S in maps.items()]
    table = pd.concat([shard.values(metrics) for shard in shards], ignore_index=True)
    return _as_a_whole(table, metrics)


def saliency_maps(
    net,
    data: Dataset,
    method: str,
    *,
    target: str = "label",
    batch_size: int = 16,
    store=None,
    raw: bool = False,
    signed: bool = False,
    **options,
):
    """The stored (or computed) saliency maps S (N, H, W) of a dataset, in its order.

    What `evaluate` has stored of an image is read, so a figure costs nothing after its table. With
    `signed`, S in [-1, 1] as of `explain`; with `raw`, the raw signed maps (N, h, w) that S is made
    from.
    """
    variant = _checked("method", Variant(method, method, options), method_named(method))
    maps = []
    for i in range(0, len(data), SHARD_SIZE):
        images = _Images(net, data[i : i + SHARD_SIZE], batch_size)
        index, targets = list(range(len(images.data))), images.targets(target)
        maps += _Shard(images, variant, store).saliency(index, targets, raw=raw, signed=signed)
    return torch.stack(maps)


def coefficients(
    net, data: Dataset, methods: Choice, *, batch_size: int = 16, store=None
) -> dict[str, Tensor]:
    r"""The stored (or computed) coefficients $\alpha$ (N, K) of CAM methods, for the labels' classes.

    Stored with the maps that `evaluate` takes, and computed with them. NaN for an image that
    cannot be read or explained.

    Raises:
        ValueError: a method is no combination of channels.
    """
    found = {}
    for variant in _variants(methods):
        method = method_named(variant.name)
        variant = _checked("method", variant, method)
        if method.coefficients is None:
            raise ValueError(f"{variant.name} has no coefficients: its map is no sum over channels")
        alphas = []
        for i in range(0, len(data), SHARD_SIZE):
            images = _Images(net, data[i : i + SHARD_SIZE], batch_size)
            alphas += _Shard(images, variant, store).coefficients()
        width = max(len(alpha) for alpha in alphas)
        rows = [alpha if len(alpha) else torch.full((width,), torch.nan) for alpha in alphas]
        found[variant.label] = torch.stack(rows)
    return found


def similarity(
    net, data: Dataset, methods: Choice, reference: Choice, *, batch_size: int = 16, store=None
) -> pd.DataFrame:
    """The cosine similarity of each method's coefficients to a reference (LIFT-CAM section 4.2).

    Args:
        reference: a method, or several whose mean is the reference, such as runs with other seeds.

    Returns:
        Rows as those of `evaluate`, with the metric "cosine_similarity".

    Example:
        >>> runs = {seed: ("shap_cam", {"n": 1000, "seed": seed}) for seed in range(10)}
        >>> similarity(net, data, ["grad_cam", "lift_cam"], runs)
    """
    options = {"batch_size": batch_size, "store": store}
    truth = torch.stack([*coefficients(net, data, reference, **options).values()]).mean(0)
    frames = [
        pd.DataFrame({
            "network": net.name, "dataset": data.name, "image": data.ids,
            "group": _groups(data), "method": label,
            "metric": "cosine_similarity", "target": pd.array(data.targets, dtype="Int64"),
            "value": cosine_similarity(alpha, truth).numpy(), "seconds": np.nan, "error": None,
        })
        for label, alpha in coefficients(net, data, methods, **options).items()
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _groups(data: Dataset) -> list[str]:
    """The cluster of each sample; one that cannot be read stands for itself."""
    readable = data.readable()
    known = {sample.id: sample.group for sample in readable}
    return [known.get(name, name) for name in data.ids]


# By method and block, each a shard.
Frames = Iterator[tuple[tuple[int, int], pd.DataFrame]]


def _run_here(net, blocks, methods, metrics, batch_size, store) -> Frames:
    """Each image is decoded once for all methods. What another process is computing comes last: by
    then it is stored."""
    held = []
    for b, block in enumerate(blocks):
        images = _Images(net, block, batch_size)
        for m, method in enumerate(methods):
            try:
                yield (m, b), run_shard(images, method, metrics, store, wait=False)
            except Held:
                held.append((m, b))
    for m, b in held:
        images = _Images(net, blocks[b], batch_size)
        yield (m, b), run_shard(images, methods[m], metrics, store)


def _run_there(executor, net, blocks, methods, metrics, batch_size, store) -> Frames:
    """As the executor's workers finish them."""
    running = {
        executor.submit(run_shard, _Images(net, block, batch_size), method, metrics, store): (m, b)
        for m, method in enumerate(methods)
        for b, block in enumerate(blocks)
    }
    for future in as_completed(running):
        yield running[future], future.result()


def run_shard(
    images: "_Images", method: Variant, metrics: list[Variant], store, wait: bool = True
) -> pd.DataFrame:
    """One method on a few images, every metric: read what is stored, compute and store the rest."""
    return _Shard(images, method, store).values(metrics, wait)


class Held(Exception):
    """Another process is making maps that are asked for."""


class _Images:
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


class _Shard:
    """One method on a few images: its maps, its values."""

    def __init__(self, images: _Images, method: Variant, store):
        self.net, self.data, self.images, self.method = images.net, images.data, images, method
        code = code_key("nets", "methods", "data", "saliency.py", "seeding.py", "selectors.py")
        net = self.net
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
        except Timeout:
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
        code = code_key("metrics", "saliency.py", "seeding.py")
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


class _Given(_Shard):
    """Maps that were made elsewhere, in place of a method's."""

    def __init__(self, images: _Images, label: str, S: Tensor):
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


def _batches(index: list[int], size: int) -> list[list[int]]:
    return [index[i : i + size] for i in range(0, len(index), size)]


def _clock(device: torch.device) -> float:
    """Seconds, once the device has finished what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _variants(choice: Choice) -> list[Variant]:
    if isinstance(choice, str):
        raise ValueError(f"give a list of names, not the string {choice!r}")
    if not isinstance(choice, Mapping):
        return [Variant(name, name) for name in choice]
    return [Variant(label, *((v,) if isinstance(v, str) else v)) for label, v in choice.items()]


def _checked(kind: str, variant: Variant, registered) -> Variant:
    check_options(kind, variant.name, variant.options, registered.options)
    return replace(variant, defaults=registered.options)
