"""Boxes of masks, for drawn annotations and for metrics."""

import numpy as np


def tight_box(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """The smallest box around the pixels (H, W) that are True; a box without area if none is."""
    columns, rows = np.flatnonzero(pixels.any(0)), np.flatnonzero(pixels.any(1))
    if len(rows) == 0:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
