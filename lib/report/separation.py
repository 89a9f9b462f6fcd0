"""How far apart a class's probability is pulled by what a map marks for it and against it."""

import numpy as np
import pandas as pd

REPLACEMENTS = ("blur", "zeros", "mean")
_IMAGE = ["network", "dataset", "image", "group"]


def over_classes(frame: pd.DataFrame) -> pd.DataFrame:
    """The mean of the rows of `<method>_t1` and `<method>_t2`, under the name `<method>`.

    Rows of other methods are left out; an image that failed for one class is NaN.

    Example:
        >>> over_classes(frame)["method"].unique()
        array(['grad_cam', 'grad_cam_weighted'], dtype=object)
    """
    named = frame["method"].str.extract(r"(?P<method>.*)_(?P<of>t[12])$")
    of = frame.assign(**named).dropna(subset="of")
    wide = of.pivot(index=[*_IMAGE, "method", "metric"], columns="of", values="value")
    return _rows(wide.mean(axis=1, skipna=False))


def separation(frame: pd.DataFrame) -> pd.DataFrame:
    r"""The distance between the probability with positive and with negative features alone.

    $$\Delta = \frac16 \sum_{t \in \{t_1, t_2\}} \sum_r (p_{t,r}^+ - p_{t,r}^-)$$

    over both classes and the replacements r: blur, zeros, channel mean. Image by image.

    Args:
        frame: rows of the metrics positive_blur, negative_blur, and so on, of the methods
            `<method>_t1`, `<method>_weighted_t1`, and of both for t2.

    Returns:
        Rows of the metric "separation" for `<method>`, for `<method>_weighted`, and for
        `<method>_weighted_change`, which is the latter minus the former.

    Example:
        >>> separation(frame).groupby("method")["value"].mean()
    """
    wide = over_classes(frame).pivot(index=[*_IMAGE, "method"], columns="metric", values="value")
    apart = sum(wide[f"positive_{r}"] - wide[f"negative_{r}"] for r in REPLACEMENTS)
    methods = (apart / len(REPLACEMENTS)).unstack("method")
    for weighted in methods.columns[methods.columns.str.endswith("_weighted")]:
        original = weighted.removesuffix("_weighted")
        methods[f"{weighted}_change"] = methods[weighted] - methods[original]
    return _rows(methods.stack().rename("value")).assign(metric="separation")


def _rows(values: pd.Series) -> pd.DataFrame:
    """As those of an evaluation frame, as far as a report needs them."""
    return values.rename("value").reset_index().assign(seconds=np.nan)
