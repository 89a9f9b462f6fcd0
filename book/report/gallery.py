"""Saliency maps over photographs, with the key of their colours below."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from .style import WIDTH, array, style

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_SIGNED = plt.colormaps["RdBu_r"]  # white at zero; safe for red-green and blue-yellow blindness
_PALE = 0.45  # how far the image under a signed map is lightened: on black no tint can be seen
_LINE, _TITLE, _KEY = 0.26, 0.32, 0.46  # inches: a panel's name, a block's title, the colours
_ROUNDING = 1e-5  # of a map in float32
_CENTRED = {"ha": "center", "va": "center", "fontsize": 9}


def overlay(
    image: ArrayLike, saliency: ArrayLike, opacity: float = 0.6, *, signed: bool = False
) -> np.ndarray:
    """The grey image under its saliency map in colours.

    Args:
        image: (3, H, W) in [0, 1].
        saliency: (H, W) in [0, 1], from dark to bright.
        signed: the map is in [-1, 1] instead, blue against the class and red for it. Where the map is
            zero, the image is pale and grey.

    Returns:
        (H, W, 3) in [0, 1].

    Raises:
        ValueError: the shapes do not fit, or the map is not finite or not in its range.

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
    least = -1 if signed else 0
    if saliency.min() < least - _ROUNDING or saliency.max() > 1 + _ROUNDING:
        raise ValueError(
            f"the map is in [{saliency.min():.3g}, {saliency.max():.3g}], not in [{least}, 1]; "
            "normalise it, and give signed=True where its sign is meant"
        )
    grey = np.tensordot(_LUMA, image, axes=1)[..., None]  # (H, W, 1)
    if signed:
        return (_PALE + (1 - _PALE) * grey) * _SIGNED(0.5 + 0.5 * saliency)[..., :3]
    colours = plt.colormaps["inferno"](saliency)
    return (1 - opacity) * grey + opacity * colours[..., :3]


def gallery(
    images: Sequence[ArrayLike],
    maps: Mapping[str, Sequence[ArrayLike]],
    titles: Sequence[str] | None = None,
    *,
    columns: int = 5,
    signed: bool = False,
) -> Figure:
    """Photographs with the maps of several methods, one block per photograph.

    Args:
        images: n images (3, H, W) in [0, 1].
        maps: by the method's title, n maps (H, W), see `overlay`.
        titles: n texts, one above each block.
        columns: panels side by side; a block with more panels continues on the next line.
        signed: the maps are in [-1, 1].

    Raises:
        ValueError: a method or `titles` does not have one entry per image.

    Example:
        >>> show(gallery(images, {"Grad-CAM": S1, "Opti-CAM": S2}, ["hare", "gas pump"]), alt="...")
    """
    for name, entries in [*maps.items(), ("titles", titles)]:
        if entries is not None and len(entries) != len(images):
            raise ValueError(f"{name}: {len(entries)} for {len(images)} images; give one each")
    columns = min(columns, 1 + len(maps))
    lines = -(-(1 + len(maps)) // columns)
    height = lines * (WIDTH / columns + _LINE) + (_TITLE if titles else 0.0)
    figure, blocks = _blocks([height] * len(images), signed)
    for i, block in enumerate(blocks):
        panels = block.subplots(lines, columns, squeeze=False).flatten()
        shown = {"Image": in_colour(images[i])}
        shown |= {name: overlay(images[i], S[i], signed=signed) for name, S in maps.items()}
        for panel, name in zip_longest(panels, shown, fillvalue=""):
            draw(panel, shown.get(name), name)
            if name in maps and not array(maps[name][i]).any():
                panel.text(
                    0.5,
                    0.5,
                    "zero\neverywhere",
                    color="white",
                    transform=panel.transAxes,
                    **_CENTRED,
                )
        if titles:
            _entitle(block, titles[i])
    return figure


def grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    headings: Sequence[str],
    titles: Sequence[str],
    *,
    outlines: Mapping[tuple[int, int], ArrayLike] | None = None,
    signed: bool = False,
) -> Figure:
    """Pictures in rows and columns, with a heading above each column and a title above each row.

    Args:
        rows: pictures (H, W, 3) in [0, 1], such as those of `in_colour` and `overlay`; None leaves a
            place empty.
        headings, titles: one per column, one per row.
        outlines: by row and column, a mask (H, W) whose outline is drawn.
        signed: the maps among them are in [-1, 1].

    Raises:
        ValueError: there is not one heading per column, or not one title per row.

    Example:
        >>> rows = [[in_colour(x), overlay(x, M, signed=True)] for x, M in zip(images, maps)]
        >>> show(grid(rows, ["Image", "Grad-CAM"], ["hare", "gas pump"], signed=True), alt="...")
    """
    if len(titles) != len(rows):
        raise ValueError(f"titles: {len(titles)} for {len(rows)} rows; give one each")
    for row in rows:
        if len(row) != len(headings):
            raise ValueError(f"headings: {len(headings)} for {len(row)} columns; give one each")
    top = 0.18 * max(1 + heading.count("\n") for heading in headings) - 0.02
    height = WIDTH / len(headings) + _TITLE
    figure, blocks = _blocks([height + top, *[height] * (len(rows) - 1)], signed)
    for i, (block, row) in enumerate(zip(blocks, rows)):
        for j, (panel, picture) in enumerate(
            zip(block.subplots(1, len(row), squeeze=False)[0], row)
        ):
            draw(panel, picture, "" if i else headings[j])
            if (i, j) in (outlines or {}):
                outline(panel, outlines[i, j])
        _entitle(block, titles[i])
    return figure


def in_colour(image: ArrayLike) -> np.ndarray:
    """An image (3, H, W) in [0, 1] as a picture (H, W, 3)."""
    return array(image).transpose(1, 2, 0)


def draw(panel: Axes, picture: np.ndarray | None, title: str = "") -> None:
    """A picture (H, W, 3) in [0, 1] under its title, without axes; None leaves the place empty."""
    panel.axis("off")
    if picture is not None:
        panel.imshow(picture, interpolation="lanczos")
    panel.set_title(title, fontsize=11, pad=3)


def draw_boxes(panel: Axes, boxes: ArrayLike | None, **look) -> None:
    """Outlines of boxes (n, 4), x0, y0, x1, y1 in pixels, half-open, over an image; None draws nothing.

    Args:
        look: options of `matplotlib.patches.Rectangle`; by default the lines are white and 2.2 wide.

    Example:
        >>> draw_boxes(panel, sample.boxes, linestyle="--")
    """
    look = {"fill": False, "edgecolor": "white", "linewidth": 2.2} | look
    for x0, y0, x1, y1 in [] if boxes is None else array(boxes).tolist():
        corner = (x0 - 0.5, y0 - 0.5)  # the middle of pixel 0 is drawn at 0
        panel.add_patch(Rectangle(corner, x1 - x0, y1 - y0, **look))


def outline(panel: Axes, mask: ArrayLike) -> None:
    """The edge of a mask (H, W) over an image: a dark line within a light one, to be seen on any ground."""
    for width, colour in ((3.2, "white"), (1.4, "black")):
        panel.contour(array(mask), [0.5], colors=colour, linewidths=width)


def key(figure: Figure, panels: Sequence[Axes], *, signed: bool = False) -> None:
    """Draw the colours of the maps below the panels that show them.

    Args:
        signed: the maps are in [-1, 1].

    Example:
        >>> key(figure, figure.axes[:4])
    """
    bar = figure.colorbar(
        _scale(signed), ax=panels, location="bottom", shrink=0.5, aspect=36, pad=0.03
    )
    _label(bar, signed)


def _scale(signed: bool) -> ScalarMappable:
    return (
        ScalarMappable(Normalize(-1, 1), _SIGNED)
        if signed
        else ScalarMappable(Normalize(0, 1), "inferno")
    )


def _label(bar: Colorbar, signed: bool) -> None:
    ticks = (
        {-1: "against the class", 0: "0", 1: "for the class"}
        if signed
        else {0: "0, least", 1: "1, most"}
    )
    bar.set_ticks([*ticks], labels=ticks.values())
    bar.outline.set_visible(False)


def _blocks(heights: Sequence[float], signed: bool) -> tuple[Figure, np.ndarray]:
    """A figure of blocks one below the other, with these heights in inches, and the key below them."""
    style()
    heights = [*heights, _KEY]
    figure = plt.figure(figsize=(WIDTH, sum(heights)))
    blocks = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    left, middle, right = blocks[-1].subplots(1, 3, width_ratios=(1, 3, 1))
    for side in (left, right):
        side.axis("off")
    _label(figure.colorbar(_scale(signed), middle, orientation="horizontal"), signed)
    return figure, blocks[:-1]


def _entitle(block, title: str) -> None:
    block.suptitle(title, x=0.008, ha="left", fontsize=12, fontweight="bold")
