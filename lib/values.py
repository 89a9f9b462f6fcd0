"""The values of every metric for a method's maps on a block of images, measured once, then read."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .data import ANNOTATIONS
from .metrics import Metric
from .shard import GivenMaps, Shard, code_of
from .store import key
from .variants import Variant

COLUMNS = ["network", "dataset", "image", "group", "method", "metric", "target", "value", "seconds",
           "error"]  # fmt: skip
STORED = ["target", "value", "seconds"]  # the same under any name; an image with an error has none

Frames = dict[str, pd.DataFrame]  # by the metric's label, with one row per image


def values(shard: Shard | GivenMaps, metrics: list[Variant]) -> pd.DataFrame:
    """The rows of every metric."""
    files = {variant.label: _file(shard, variant) for variant in metrics}
    frames = _stored(shard, files)
    if missing := files.keys() - frames.keys():
        with shard.files.lock:
            # What another process has measured meanwhile.
            frames |= _stored(shard, {label: files[label] for label in missing})
            for group in _groups([v for v in metrics if v.label not in frames]):
                frames |= _measured(shard, group, files)
    data = shard.block.data
    rows = [
        frames[variant.label].assign(
            place=range(len(data)),
            network=shard.block.net.name,
            dataset=data.name,
            image=data.ids,
            group=data.groups,  # of this dataset; stored values do not depend on it
            method=shard.label,
            metric=variant.label,
        )
        for variant in metrics
    ]
    table = pd.concat(rows).sort_values("place", kind="stable")
    return table[COLUMNS].reset_index(drop=True)


def _stored(shard: Shard | GivenMaps, files: dict[str, str]) -> Frames:
    read = {label: shard.files.read_values(file, STORED) for label, file in files.items()}
    return {label: _frame(**columns) for label, columns in read.items() if columns is not None}


def _frame(target, value, seconds, error=None) -> pd.DataFrame:
    """The rows of one metric; a value may be an array, the measurement of one image."""
    return pd.DataFrame({
        "target": pd.array(target, dtype="Int64"),
        "value": list(value),
        "seconds": seconds,
        "error": pd.array(error or [None] * len(value), dtype="string"),
    })  # fmt: skip


def _file(shard: Shard | GivenMaps, metric: Variant) -> str:
    code = code_of(metric.of.value, metric.of.measure)
    return f"{metric.name}-{key(metric.resolved, shard.block.data.targets, code)}"


def _groups(metrics: list[Variant]) -> list[list[Variant]]:
    """Metrics with the same measurement, options and class, which share its passes."""
    groups: dict[str, list[Variant]] = {}
    for variant in metrics:
        metric = variant.of
        shared = key(metric.measure.__name__, variant.resolved, metric.target)
        groups.setdefault(shared, []).append(variant)
    return list(groups.values())


def _measured(shard: Shard | GivenMaps, group: list[Variant], files: dict[str, str]) -> Frames:
    """The values of metrics that share a measurement, stored unless an image has an error."""
    block, metric = shard.block, group[0].of
    targets = block.targets(metric.target)
    maps = shard.maps(targets)
    errors = {i: one for i, one in enumerate(maps) if isinstance(one, str)}
    ready = [i for i in range(len(block)) if i not in errors]
    missing = _missing(shard, metric, ready)
    # A metric of a whole data set keeps the measurement of each image until all are known.
    kept = object if metric.whole else float
    columns = {variant.label: np.full(len(block), np.nan, kept) for variant in group}

    def measure(batch: list[int]):
        target = torch.tensor([targets[i] for i in batch])
        S = shard.finish([maps[i].map for i in batch], metric.signed)
        options = _given(shard, metric, batch) | group[0].options
        return metric.measurement(block.net, block.batch(batch), target, S, **options)

    ready = [i for i in ready if i not in missing]
    for batch, measurement in block.attempt(ready, measure):
        if isinstance(measurement, str):
            errors[batch[0]] = measurement
            continue
        for variant in group:
            value = measurement if metric.whole else variant.of.value(measurement)
            for i, one in zip(batch, value.double().cpu().numpy()):
                columns[variant.label][i] = one
    frames = {}
    for variant in group:
        said = errors | {
            i: f"{variant.name} needs {what}, and this image has none"
            for i, what in missing.items()
        }
        value = columns[variant.label]
        seconds = np.array([np.nan if isinstance(one, str) else one.seconds for one in maps])
        frames[variant.label] = _frame(
            targets, value, seconds, [said.get(i) for i in range(len(block))]
        )
        if not said:  # with an error the shard is not final, since its image may be repaired
            found = np.array(targets), np.stack(value), seconds
            shard.files.write_values(files[variant.label], dict(zip(STORED, found)))
    return frames


def _missing(shard: Shard | GivenMaps, metric: Metric, index: list[int]) -> dict[int, str]:
    """The name of the missing annotation for each image that lacks one which the metric needs."""
    needed = [name for name, needed in metric.given.items() if needed and name in ANNOTATIONS]
    samples = {i: shard.block.sample(i) for i in index}
    return {i: name for i in index for name in needed if _nothing(getattr(samples[i], name))}


def _nothing(annotation: Tensor | dict | None) -> bool:
    """Whether an annotation is missing or marks nothing in the image."""
    return not (annotation.any() if isinstance(annotation, Tensor) else annotation)


def _given(shard: Shard | GivenMaps, metric: Metric, index: list[int]) -> dict:
    """What a metric takes besides images, classes and maps; see `metrics.GIVEN`."""
    block, found = shard.block, {}
    for name in metric.given:
        if name == "method":
            found[name] = shard.explain
        elif name == "logits":  # known from another metric or method of the block
            found[name] = block.logits(index)
        else:
            of_each = [getattr(block.sample(i), name) for i in index]
            if not any(one is None for one in of_each):
                found[name] = of_each
    return found
