"""Original against weighted contrastive maps, of a network's two most probable classes."""

import numpy as np
import pandas as pd

from lib.metrics.replacement import REPLACEMENTS
from lib.statistics import by_image, column, mean_of

from .display import show
from .labels import metric_label, variant_of
from .plots import forest
from .published import architectures, counterparts, published
from .tables import plain

_IMAGE = ["network", "dataset", "image", "group"]


def over_classes(frame: pd.DataFrame) -> pd.DataFrame:
    """The mean of the rows of `<method>_t1` and `<method>_t2`, under the name `<method>`.

    Rows of other methods are left out; an image that failed for one class is NaN.

    Example:
        >>> over_classes(frame)["method"].unique()
        array(['grad_cam', 'grad_cam_weighted'], dtype=object)
    """
    variants = [variant_of(label) for label in frame["method"]]
    named = [variant._replace(of="").label for variant in variants]
    both = frame.assign(method=named, of=[variant.of for variant in variants]).query("of != ''")
    wide = both.pivot(index=[*_IMAGE, "method", "metric"], columns="of", values="value")
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
    for label, (method, variant, _) in {name: variant_of(name) for name in methods}.items():
        if variant == "weighted":
            methods[f"{label}_change"] = methods[label] - methods[method]
    return _rows(methods.stack()).assign(metric="separation")


def _rows(values: pd.Series) -> pd.DataFrame:
    """Rows of an evaluation frame, with the columns that a report needs."""
    return values.rename("value").reset_index().assign(seconds=np.nan)


def changes(paper: str, table: str | int, frame: pd.DataFrame) -> pd.DataFrame:
    """The change from original to weighted maps in a table, as per-image differences beside the printed ones.

    Returns:
        Rows as `forest` draws them, one per network, method, class and replacement. The metric
        "positive_change" is the change of the probability with positive features, "negative_change"
        that with negative ones.

    Example:
        >>> show(forest(changes("contrast", 2, frame)), alt="...")
    """
    cells = published(paper, table)
    titles = dict(zip(cells["method"], cells["title"]))
    originals = [variant_of(label) for label in titles if not variant_of(label).variant]
    printed = cells.pivot(index=["metric", "method"], columns="network", values="value")
    own, rows = architectures(frame), []
    for network, measured in frame.groupby("network", sort=False):
        images = by_image(measured)
        theirs = printed[counterparts(network, list(printed.columns), own[network])]
        for variant in originals:
            original, weighted = variant.label, variant._replace(variant="weighted").label
            for replacement in REPLACEMENTS:
                name = f"{original}_{replacement}"
                title = f"{titles[original].replace(',', '')} {replacement}"
                for sign in ("positive", "negative"):
                    metric = f"{sign}_{replacement}"
                    both = (column(images, metric, method) for method in (weighted, original))
                    ours = mean_of(next(both) - next(both), metric_label(f"{sign}_change").range)
                    change = theirs.loc[metric, weighted] - theirs.loc[metric, original]
                    beside = {key: f"{value:.3f}" for key, value in change.items()}
                    rows.append((network, name, title, f"{sign}_change", beside, *ours))
    columns = ["network", "method", "title", "metric", "paper", "mean", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def show_changes(paper: str, table: str | int, frame: pd.DataFrame, how: str = "") -> None:
    """Show the `changes` of a table, and say how many are as the paper claims: the probability with
    positive features grows, that with negative features falls.

    Args:
        how: how the weighted maps are made, such as " with equal areas".
    """
    change = changes(paper, table, frame)
    grows = change["metric"] == "positive_change"
    claimed = change["low"].where(grows, -change["high"]) > 0
    ran = change.assign(claimed=claimed).query("n > 0").groupby("network", sort=False)["claimed"]
    counts = ", ".join(f"on {network} {of.sum()} of {len(of)}" for network, of in ran)
    found = f"Intervals that lie wholly on the claimed side of zero: {counts}."
    show(
        forest(change, line=0),
        name=f"{paper}-table-{table}",
        alt=f"Change of the probability of the class by weighted contrast{how}, with positive features and "
        f"with negative ones, for each method, class and replacement. {found}",
        caption=f"Class-contrastive explanations, table {table}, as per-image differences, weighted minus original. Filled markers are "
        "means here with 95 % intervals, hollow markers are differences of the paper's means. p₊ "
        f"should grow, p₋ should fall. {found}",
        data=plain(change),
    )


def median_image(separations: pd.DataFrame, network: str) -> str:
    """The image on which weighted Grad-CAM changes the `separation` by the median over all images."""
    ours = separations.query("network == @network and method == 'grad_cam_weighted_change'")
    return ours.sort_values("value")["image"].iloc[len(ours) // 2]
