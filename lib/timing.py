"""How long methods take: measured by itself, never read from a store."""

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

    After a warm-up of each method the repetitions take turns, so that whatever else the machine does
    meets all methods alike; a repetition of one is then paired with that of another. On a GPU a
    repetition ends when its work has ended.

    Args:
        data: images, of which the first is explained.
        methods: as for `evaluate`; or functions of network, image (1, 3, H, W) and class (1,), for what
            is no method of the registry.
        repetitions: of each method.

    Returns:
        Rows as those of `evaluate`, with the metric "seconds"; an image is a repetition.

    Raises:
        UnknownName: unknown method or option.

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
