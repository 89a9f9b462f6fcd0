"""Many methods, many metrics, many images: one long table, durable and resumable."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from .data import Dataset
from .methods import method_named
from .metrics import metric_named
from .metrics.similarity import cosine_similarity, similarities
from .saliency import finish
from .shard import COLUMNS, Choice, Given, Images, Shard, Variant, chosen_methods, chosen_metrics
from .store import Held

SHARD_SIZE = 32


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
    methods, metrics = chosen_methods(methods), chosen_metrics(metrics)
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
    metrics = chosen_metrics(metrics)
    for variant in metrics:
        if metric_named(variant.name).given.get("method"):
            raise ValueError(f"{variant.name} explains further images: use evaluate with a method")
    for label, S in maps.items():
        if S.shape != (len(data), *data.size):
            expected = (len(data), *data.size)
            raise ValueError(f"maps {label!r} are (N, H, W) = {expected}, got {tuple(S.shape)}")
    images = Images(net, data, batch_size)
    shards = [Given(images, label, S) for label, S in maps.items()]
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
    (variant,) = chosen_methods({method: (method, options)})
    maps = []
    for i in range(0, len(data), SHARD_SIZE):
        images = Images(net, data[i : i + SHARD_SIZE], batch_size)
        index, targets = list(range(len(images.data))), images.targets(target)
        maps += Shard(images, variant, store).saliency(index, targets, raw=raw, signed=signed)
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
    for variant in chosen_methods(methods):
        if method_named(variant.name).coefficients is None:
            raise ValueError(f"{variant.name} has no coefficients: its map is no sum over channels")
        alphas = []
        for i in range(0, len(data), SHARD_SIZE):
            images = Images(net, data[i : i + SHARD_SIZE], batch_size)
            alphas += Shard(images, variant, store).coefficients()
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


def compare(
    net,
    others: Iterable[tuple[object, Any]],
    data: Dataset,
    methods: Mapping[str, tuple[str, dict]],
    *,
    batch_size: int = 16,
    store=None,
) -> pd.DataFrame:
    """How like a network's maps the maps of other networks are, image by image.

    Args:
        net: the network that the maps are compared with.
        others: networks with a key each, such as `nets.cascade(net)`.
        data: images with labels, for whose classes all maps are.
        methods: {label: (name, options)}.
        batch_size, store: as for `evaluate`, whose maps are shared.

    Returns:
        Rows as those of `evaluate`, with the four measures as metrics, and the column `other`, the
        key of the network that `net` is compared with.

    Example:
        >>> frame = compare(net, nets.cascade(net), images, {"grad_cam": ("grad_cam", {})})
        >>> frame[frame["other"] == frame["other"].max()].groupby("metric")["value"].mean()
    """
    options = {"batch_size": batch_size, "store": store}
    own = {label: _maps(net, data, *method, **options) for label, method in methods.items()}
    images = pd.DataFrame({
        "network": net.name, "dataset": data.name, "image": data.ids,
        "group": [sample.group for sample in data], "target": pd.array(data.targets, dtype="Int64"),
        "seconds": np.nan, "error": None,
    })  # fmt: skip
    frames = []
    for key, other in others:
        for label, method in methods.items():
            theirs = own[label] if other is net else _maps(other, data, *method, **options)
            for metric, value in similarities(own[label], theirs).items():
                rows = images.assign(method=label, metric=metric, value=value.numpy(), other=key)
                frames.append(rows[[*COLUMNS, "other"]])
    return pd.concat(frames, ignore_index=True)


def _maps(net, data: Dataset, name: str, options: dict, **how) -> tuple[Tensor, Tensor]:
    """Raw maps (N, h, w) and finished ones (N, H, W)."""
    raw = saliency_maps(net, data, name, raw=True, **how, **options)
    return raw, finish(name, raw, data.size, **options)


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
        images = Images(net, block, batch_size)
        for m, method in enumerate(methods):
            try:
                yield (m, b), run_shard(images, method, metrics, store, wait=False)
            except Held:
                held.append((m, b))
    for m, b in held:
        images = Images(net, blocks[b], batch_size)
        yield (m, b), run_shard(images, methods[m], metrics, store)


def _run_there(executor, net, blocks, methods, metrics, batch_size, store) -> Frames:
    """As the executor's workers finish them."""
    running = {
        executor.submit(run_shard, Images(net, block, batch_size), method, metrics, store): (m, b)
        for m, method in enumerate(methods)
        for b, block in enumerate(blocks)
    }
    for future in as_completed(running):
        yield running[future], future.result()


def run_shard(
    images: Images, method: Variant, metrics: list[Variant], store, wait: bool = True
) -> pd.DataFrame:
    """One method on a few images, every metric: read what is stored, compute and store the rest."""
    return Shard(images, method, store).values(metrics, wait)
