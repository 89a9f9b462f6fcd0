"""Evaluation frames made by hand."""

import pandas as pd

COLUMNS = "network dataset image group method metric target value seconds error".split()


def frame(
    values, network="tf_efficientnet_lite0", dataset="imagenet_embedded", groups=None, seconds=0.1
):
    """A frame from {(method, metric): [one value per image]}."""
    rows = []
    for (method, metric), column in values.items():
        for i, value in enumerate(column):
            group = groups[i] if groups else f"image{i}"
            measured = (method, metric, 0, value, seconds, None)
            rows.append((network, dataset, f"image{i}", group, *measured))
    return pd.DataFrame(rows, columns=COLUMNS)


def several(*frames):
    return pd.concat(frames, ignore_index=True)
