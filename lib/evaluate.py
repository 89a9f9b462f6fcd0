"""The evaluation of many methods by many metrics on many images, as one long table; resumable."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .checks import as_tensor, check_count, check_data, check_net
from .classes import matched
from .data import Dataset
from .decoding import Decoder, workers_for
from .inference import outside_inference_mode
from .metrics.similarity import SIMILARITIES, cosine_similarity, similarities
from .paths import absolute
from .processes import Shared, in_order
from .progress import Progress, Told
from .saliency import finish
from .shard import Block, GivenMaps, Shard
from .stored_maps import Explained
from .values import COLUMNS, values
from .variants import Choice, Variant, chosen_methods, chosen_metrics

SHARD_SIZE = 256


@outside_inference_mode
def evaluate(
    net,
    data: Dataset,
    methods: Choice,
    metrics: Choice,
    *,
    batch_size: int = 16,
    store: str | Path | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    shard_size: int = SHARD_SIZE,
    progress: bool | Told | None = None,
) -> pd.DataFrame:
    """The value of every metric for every method on every image.

    Results do not depend on batch size, shard size, order, executor or workers. With a `store`,
    maps and values are written after each shard, and maps also when a batch ends a second after the
    last were written, or when the run is interrupted. The map of an image is then computed only
    once, whichever call asks for it, so an interrupted run resumes. A process waits while another
    one computes the same shard. An image that cannot be read, or whose map is not finite, gives
    rows with its error; the other images are evaluated. If memory runs out, the batch is halved.

    Args:
        net: a `Classifier`; images are taken at the size of `data` (see `data.at(net.input_size)`).
        data: samples with ids; a sample without a target is explained for its predicted class.
        methods, metrics: names; or {label: name} or {label: (name, options)} for variants. A metric
            of a whole data set (`Metric.whole`) compares the images of `data`.
        batch_size: images per pass. Methods that multiply images use their own chunks.
        store: a folder, which may begin with ~; None stores nothing.
        executor: any `concurrent.futures.Executor`, such as Dask's (see `cluster.workers`), whose
            tasks are one method on one shard; None runs in this process. Each process receives the
            network once, by a file in `store`, or without a store in the temporary folder.
        workers: processes that decode images ahead of the network. None for none where the network
            is on a CPU, which they would share, and elsewhere for one per core, at most 8. With an
            executor, each of its processes decodes its own images.
        shard_size: the number of images whose maps are stored in one file, and their values in one
            file per metric. An interruption loses at most the values of one shard.
        progress: whether to show a bar of the images explained over all methods; None shows it on a
            terminal. Or a function `progress(label, done, total)`, called after each batch, or with
            an executor after each shard.

    Returns:
        One row per (image, method, metric): network, dataset, image, group, method, metric, target
        (the class), value (a fraction or score; NaN with an error), seconds (for the map), error.

    Raises:
        UnknownName: a method, metric or option is unknown; raised before anything runs, with a list
            of the valid names.
        ValueError: the classes of `data`, or of reference images, are not those of `net`; see
            `classes.matched`.

    Example:
        >>> frame = evaluate(net, data, ["grad_cam", "opti_cam"], ["average_drop"], store="results")
        >>> evaluate(net, data, {"25 iterations": ("opti_cam", {"iterations": 25})}, ["average_gain"])
    """
    check_net(net)
    check_data(data)
    methods, metrics = chosen_methods(methods), chosen_metrics(metrics)
    if not (methods and metrics and len(data)):
        return pd.DataFrame(columns=COLUMNS)
    data, methods = matched(data, net), [_met(method, net) for method in methods]
    store = None if store is None else absolute(store)  # executors may run in another folder
    # A generator, so that the images of a block are decoded once for all methods and then freed.
    workers = 0 if executor is not None else workers_for(net.device, workers)
    blocks = _blocks(net, data, batch_size, shard_size, workers)
    with Progress(net.name, len(methods) * len(data), progress) as shown:
        frames = []
        if executor is None:
            for block, method in ((block, method) for block in blocks for method in methods):
                with shown.part(method.label, len(block)) as advance:
                    frames.append(values(Shard(block, method, store, advance), metrics))
        else:
            for number, frame in enumerate(_spread(executor, net, blocks, methods, metrics, store)):
                with shown.part(methods[number % len(methods)].label, len(frame) // len(metrics)):
                    frames.append(frame)
    by_method = [frame for m in range(len(methods)) for frame in frames[m :: len(methods)]]
    return _as_a_whole(pd.concat(by_method, ignore_index=True), metrics)


def _met(method: Variant, net) -> Variant:
    """The method, with the classes of its reference images numbered as the network's."""
    options = {
        name: matched(value, net) if isinstance(value, Dataset) else value
        for name, value in method.options.items()
    }
    return replace(method, options=options)


def _blocks(
    net, data: Dataset, batch_size: int, size: int = SHARD_SIZE, workers: int = 0
) -> Iterator[Block]:
    check_net(net)
    check_count("batch_size", batch_size, optional=False)
    check_count("shard_size", size, optional=False)
    return _decoded(net, data, batch_size, size, workers)


def _decoded(net, data: Dataset, batch_size: int, size: int, workers: int) -> Iterator[Block]:
    with Decoder(data, workers) as decoder:
        for i in range(0, len(data), size):
            yield Block(net, data[i : i + size], batch_size, decoder.since(i))


def _spread(
    executor: Executor,
    net,
    blocks: Iterator[Block],
    methods: list[Variant],
    metrics: list[Variant],
    store: Path | None,
) -> Iterator[pd.DataFrame]:
    """The values of every metric, by block and then by method, from the processes of an executor."""
    with Shared(net, store) as sent, Shared((methods, metrics, store), store) as asked:
        calls = (
            (sent, asked, block.data, block.batch_size, number)
            for block in blocks
            for number in range(len(methods))
        )
        yield from in_order(executor, _run, calls)


def _run(net: Shared, asked: Shared, data: Dataset, batch_size: int, number: int) -> pd.DataFrame:
    """The values of every metric for one method on a block of images, which this process reads."""
    methods, metrics, store = asked.value
    return values(Shard(Block(net.value, data, batch_size), methods[number], store), metrics)


def _as_a_whole(table: pd.DataFrame, metrics: list[Variant]) -> pd.DataFrame:
    """The table with the values of metrics of a whole data set in place of their measurements."""
    for variant in metrics:
        if variant.of.whole:
            rows = table[(table["metric"] == variant.label) & table["error"].isna()]
            for _, known in rows.groupby("method"):
                measured = torch.from_numpy(np.stack(known["value"]))  # (N, ...)
                table.loc[known.index, "value"] = variant.of.value(measured).numpy()
    return table.astype({"value": float})


@outside_inference_mode
def evaluate_maps(
    net, data: Dataset, maps: Mapping[str, Tensor], metrics: Choice, *, batch_size: int = 16
) -> pd.DataFrame:
    """The value of every metric for maps that were made elsewhere, for example by another library.

    Args:
        maps: by label, S (N, H, W) in [0, 1], in the order and at the size of `data`; in [-1, 1] for
            a metric of signed maps (`Metric.signed`).

    Returns:
        Rows like those of `evaluate`, without seconds.

    Raises:
        ValueError: maps have another shape, or a metric needs a method to explain further images.

    Example:
        >>> evaluate_maps(net, data, {"thirds": torch.stack(my_maps)}, ["average_drop"])
    """
    metrics, data = chosen_metrics(metrics), matched(data, net)
    maps = {label: as_tensor("maps", S) for label, S in maps.items()}
    check_count("batch_size", batch_size, optional=False)
    for variant in metrics:
        if variant.of.given.get("method"):
            raise ValueError(f"{variant.name} explains further images: use evaluate with a method")
    for label, S in maps.items():
        if S.shape != (len(data), *data.size):
            expected = (len(data), *data.size)
            raise ValueError(f"maps {label!r} are (N, H, W) = {expected}, got {tuple(S.shape)}")
    block = Block(net, data, batch_size)
    rows = [values(GivenMaps(block, label, S), metrics) for label, S in maps.items()]
    return _as_a_whole(pd.concat(rows, ignore_index=True), metrics)


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

    Maps that `evaluate` has stored are read. With `signed`, S lies in [-1, 1] as in `explain`. With
    `raw`, the result is the raw signed maps (N, h, w) from which S is made.

    Raises:
        ValueError: an image cannot be read or explained; the message names it.
    """
    (variant,) = chosen_methods({method: (method, options)})
    data, variant = matched(data, net), _met(variant, net)
    maps = _explained(net, data, variant, target, batch_size, store)
    for name, one in zip(data.ids, maps):
        if isinstance(one, str):
            raise ValueError(f"image {name!r}: {one}")
    found = torch.from_numpy(np.stack([one.map for one in maps]))
    return found if raw else finish(method, found, data.size, signed=signed, **options)


@outside_inference_mode
def _explained(
    net, data: Dataset, method: Variant, target: str, batch_size: int, store
) -> list[Explained | str]:
    """The raw map of each image, or the message of its error."""
    store = None if store is None else absolute(store)
    return [
        one
        for block in _blocks(net, data, batch_size)
        for one in Shard(block, method, store).maps(block.targets(target))
    ]


def coefficients(
    net, data: Dataset, methods: Choice, *, batch_size: int = 16, store=None
) -> dict[str, Tensor]:
    r"""The stored (or computed) coefficients $\alpha$ (N, K) of CAM methods, for the labels.

    They are computed and stored together with the maps of `evaluate`. An image that cannot be read
    or explained has NaN.

    Raises:
        ValueError: a method's map is not a linear combination of channels.
    """
    found, data = {}, matched(data, net)
    for label, maps in _with_coefficients(net, data, methods, batch_size, store).items():
        alphas = [None if isinstance(one, str) else one.coefficients for one in maps]
        width = max((len(alpha) for alpha in alphas if alpha is not None), default=0)
        none = np.full(width, np.nan, np.float32)
        rows = [none if alpha is None else alpha for alpha in alphas]
        found[label] = torch.from_numpy(np.stack(rows))
    return found


def _with_coefficients(
    net, data: Dataset, methods: Choice, batch_size: int, store
) -> dict[str, list[Explained | str]]:
    """The raw maps of CAM methods for the labels, with their coefficients."""
    found = {}
    for variant in chosen_methods(methods):
        if variant.of.coefficients is None:
            raise ValueError(f"{variant.name} has no coefficients: its map is no sum over channels")
        maps = _explained(net, data, _met(variant, net), "label", batch_size, store)
        found[variant.label] = maps
    return found


def similarity(
    net, data: Dataset, methods: Choice, reference: Choice, *, batch_size: int = 16, store=None
) -> pd.DataFrame:
    """The cosine similarity of each method's coefficients to a reference (LIFT-CAM section 4.2).

    Args:
        reference: a method, or several whose mean is the reference, such as runs with other seeds.

    Returns:
        Rows like those of `evaluate`, with the metric "cosine_similarity". An image without
        coefficients of the method or of a reference has NaN, and the error.

    Example:
        >>> runs = {seed: ("shap_cam", {"n": 1000, "seed": seed}) for seed in range(10)}
        >>> similarity(net, data, ["grad_cam", "lift_cam"], runs)
    """
    data = matched(data, net)
    truths = [*_with_coefficients(net, data, reference, batch_size, store).values()]
    found = _with_coefficients(net, data, methods, batch_size, store)

    def cosines(own: list[Explained], *others: list[Explained]) -> dict[str, Tensor]:
        alpha, *runs = (
            torch.from_numpy(np.stack([one.coefficients for one in of])) for of in (own, *others)
        )
        return {"cosine_similarity": cosine_similarity(alpha, torch.stack(runs).mean(0))}

    rows = [
        _compared(net, data, label, [maps, *truths], ["cosine_similarity"], cosines)
        for label, maps in found.items()
    ]
    return pd.concat(rows, ignore_index=True)


def as_frame(
    net,
    data: Dataset,
    values: Mapping[tuple[str, str], Iterable[float]],
    seconds: float | Iterable[float] = np.nan,
) -> pd.DataFrame:
    """Values that were measured elsewhere, as rows like those of `evaluate`.

    Args:
        values: by method and metric, one number per image.
        seconds: the time for the map of each image.

    Example:
        >>> as_frame(net, data, {("grad_cam", "correlation"): correlation(M, N)})
    """
    data = matched(data, net)
    images = pd.DataFrame({
        "network": net.name, "dataset": data.name, "image": data.ids, "group": data.groups,
        "target": pd.array(data.targets, dtype="Int64"), "seconds": seconds, "error": None,
    })  # fmt: skip
    frames = [
        images.assign(method=method, metric=metric, value=[float(v) for v in of])[COLUMNS]
        for (method, metric), of in values.items()
    ]
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
    """The similarity between the maps of a network and the maps of other networks, per image.

    Args:
        net: the network whose maps are the reference.
        others: pairs of a key and a network, such as `nets.cascade(net)` gives.
        data: images with labels; all maps are for the labels.
        methods: {label: (name, options)}.
        batch_size, store: as for `evaluate`, whose stored maps are used.

    Returns:
        Rows like those of `evaluate`, with the four measures of `similarities` as metrics, and the
        column `other`, the key of the network that `net` is compared with. An image without a map of
        either network has NaN, and the error.

    Example:
        >>> frame = compare(net, nets.cascade(net), images, {"grad_cam": ("grad_cam", {})})
        >>> frame[frame["other"] == frame["other"].max()].groupby("metric")["value"].mean()
    """
    data, methods = matched(data, net), chosen_methods(methods)
    own = [_explained(net, data, _met(m, net), "label", batch_size, store) for m in methods]
    frames = []
    for key, other in others:
        for method, maps in zip(methods, own):
            theirs = maps
            if other is not net:
                theirs = _explained(other, data, _met(method, net), "label", batch_size, store)
            alike = partial(_alike, method, data.size)
            rows = _compared(net, data, method.label, [maps, theirs], SIMILARITIES, alike)
            frames.append(rows.assign(other=key))
    return pd.concat(frames, ignore_index=True)


def _alike(method: Variant, size, *maps: list[Explained]) -> dict[str, Tensor]:
    """The similarities of the maps of two networks, raw and finished."""
    raw = [torch.from_numpy(np.stack([one.map for one in of])) for of in maps]
    return similarities(*((M, finish(method.name, M, size, **method.options)) for M in raw))


def _compared(
    net,
    data: Dataset,
    label: str,
    maps: list[list[Explained | str]],
    metrics: Iterable[str],
    measure: Callable[..., Mapping[str, Tensor]],
) -> pd.DataFrame:
    """The rows of one method from several maps of each image; an image that misses one has its error."""
    errors = [next((one for one in of if isinstance(one, str)), None) for of in zip(*maps)]
    known = [i for i, error in enumerate(errors) if error is None]
    values = {(label, metric): np.full(len(data), np.nan) for metric in metrics}
    if known:
        for metric, value in measure(*([of[i] for i in known] for of in maps)).items():
            values[label, metric][known] = value
    return as_frame(net, data, values).assign(error=errors * len(values))
