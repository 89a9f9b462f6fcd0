"""Saliency maps over photographs."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .style import WIDTH, array, style

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def overlay(image: ArrayLike, saliency: ArrayLike, opacity: float = 0.6) -> np.ndarray:
    """The grey image under the colour map of its saliency.

    Args:
        image: (3, H, W) in [0, 1].
        saliency: (H, W) in [0, 1], from dark to bright; or signed, from blue (-) over white to
            red (+), scaled by its largest magnitude.

    Returns:
        (H, W, 3) in [0, 1].

    Raises:
        ValueError: the shapes do not fit, or the map is not finite.

    Example:
        >>> plt.imshow(overlay(image, S))
    """
    image, saliency = array(image), array(saliency)
    if image.shape != (3, *saliency.shape):
        raise ValueError(
            f"image {image.shape} and map {saliency.shape} do not fit; give (3, H, W) and (H, W)"
        )
    if not np.isfinite(saliency).all():
        raise ValueError("the map has NaN or infinite values; see what its method returned")
    if (saliency < 0).any():
        colours = plt.colormaps["RdBu_r"](0.5 + 0.5 * saliency / np.abs(saliency).max())
    else:
        colours = plt.colormaps["inferno"](saliency)
    grey = np.tensordot(_LUMA, image, axes=1)[..., None]  # (H, W, 1)
    return (1 - opacity) * grey + opacity * colours[..., :3]


def gallery(
    images: Sequence[ArrayLike],
    maps: Mapping[str, Sequence[ArrayLike]],
    titles: Sequence[str] | None = None,
    *,
    columns: int = 5,
) -> Figure:
    """Photographs with the maps of several methods: a block a photograph.

    Args:
        images: n images (3, H, W) in [0, 1].
        maps: by the method's title, n maps (H, W), see `overlay`.
        titles: n texts, one above each block.
        columns: panels side by side; a block of more continues on the next line.

    Raises:
        ValueError: a method or `titles` has not one entry an image.

    Example:
        >>> show(gallery(images, {"Grad-CAM": S1, "Opti-CAM": S2}, ["hare", "gas pump"]), alt="...")
    """
    for name, entries in [*maps.items(), ("titles", titles)]:
        if entries is not None and len(entries) != len(images):
            raise ValueError(f"{name}: {len(entries)} for {len(images)} images; give one each")
    style()
    columns = min(columns, 1 + len(maps))
    lines = -(-(1 + len(maps)) // columns)
    height = lines * (WIDTH / columns + 0.26) + (0.32 if titles else 0.0)
    figure = plt.figure(figsize=(WIDTH, len(images) * height))
    blocks = figure.subfigures(len(images), 1, squeeze=False)[:, 0]
    for i, block in enumerate(blocks):
        panels = block.subplots(lines, columns, squeeze=False).flatten()
        shown = {"Image": array(images[i]).transpose(1, 2, 0)}  # (H, W, 3)
        shown |= {name: overlay(images[i], of_all[i]) for name, of_all in maps.items()}
        for panel in panels:
            panel.axis("off")
        for panel, (name, picture) in zip(panels, shown.items()):
            panel.imshow(picture, interpolation="lanczos")
            panel.set_title(name, fontsize=11, pad=3)
        if titles:
            block.suptitle(titles[i], x=0.008, ha="left", fontsize=12, fontweight="bold")
    return figure
