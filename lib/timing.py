"""The time that methods take, measured separately and never read from a store."""

from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd
import torch
from torch import Tensor

from .data import Dataset
from .maps import predict
from .nets import clock
from .saliency import explain
from .values import COLUMNS
from .variants import Choice, chosen_methods

REPETITIONS = 5

Run = Callable[[object, Tensor, Tensor], object]


def times(
    net,
    data: Dataset,
    methods: Choice | Mapping[str, Run],
    *,
    repetitions: int = REPETITIONS,
) -> pd.DataFrame:
    """The seconds that each method takes for the first image, batch size 1.

    After a warm-up of each method, the methods take turns in each repetition, so that other load on
    the machine affects all methods alike, and the repetitions of two methods are paired. On a GPU a
    repetition ends when its work has finished.

    Args:
        data: images, of which the first is explained.
        methods: as for `evaluate`; or functions of network, image (1, 3, H, W) and class (1,), for
            methods that are not in the registry.
        repetitions: the number of repetitions of each method.

    Returns:
        Rows like those of `evaluate`, with the metric "seconds"; each "image" is a repetition.

    Raises:
        UnknownName: a method or option is unknown.

    Example:
        >>> times(net, photographs, ["grad_cam", "score_cam"]).groupby("method")["value"].median()
    """
    pairs = [*(methods.items() if isinstance(methods, Mapping) else zip(methods, methods))]
    named = chosen_methods({label: of for label, of in pairs if not callable(of)})
    runs = dict(pairs) | {v.label: partial(_explain, v.name, v.options) for v in named}
    sample = next(iter(data))
    x = sample.image[None].to(net.device, net.dtype)  # (1, 3, H, W)
    known = sample.target is not None
    c = torch.tensor([sample.target], device=x.device) if known else predict(net, x)  # (1,)
    for run in runs.values():
        run(net, x, c)
    rows = [
        (net.name, data.name, f"repetition {r}", f"repetition {r}", label, "seconds", sample.target,
         _seconds(runs[label], net, x, c), None, None)
        for r in range(1, repetitions + 1)
        for label in runs
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _seconds(run: Run, net, x: Tensor, c: Tensor) -> float:
    start = clock(net.device)
    run(net, x, c)
    return clock(net.device) - start


def _explain(name: str, options: dict, net, x: Tensor, c: Tensor) -> Tensor:
    return explain(name, net, x, c, **options)
