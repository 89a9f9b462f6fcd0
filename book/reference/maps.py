"""The gallery of maps: one photograph under the maps of all methods, as small pictures over it."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from lib.methods import METHODS

from ..report.style import array

MAPS_MIME = "application/vnd.cams.maps+json"
SIDE = 168  # pixels of a map, whose own grid is far coarser
QUALITY = {"map": 70, "image": 80}
_COLOURS = plt.colormaps["inferno"]

Picture = dict[str, Any]


@dataclass(frozen=True)
class Maps:
    """Images under the maps of methods, as a notebook shows them: one plain grid per image.

    Attributes:
        networks: one entry per network, with its images and their maps; see `of_network`.
    """

    networks: tuple[dict[str, Any], ...]

    def __repr__(self) -> str:
        return "\n".join(
            f"{net['network']}, {image['label']}: {len(image['maps'])} maps"
            for net in self.networks
            for image in net["images"]
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        data = {"networks": list(self.networks)}
        return {"text/html": grids(data), "text/plain": repr(self), MAPS_MIME: data}


def of_network(
    net,
    images: Iterable[Any],
    labels: Iterable[str],
    maps: Mapping[str, ArrayLike],
    *,
    empty: Mapping[str, Iterable[str]] = {},
    left_out: Mapping[str, str] = {},
    probabilities: Iterable[float] | None = None,
) -> dict[str, Any]:
    """A network with its images and their maps, as data.

    Args:
        images: n samples.
        labels: the n classes that are explained.
        maps: n maps (H, W) in [0, 1], by the name of the method.
        empty: why each of the n maps is zero, by the name of the method; "" where it is not zero.
        left_out: why a method does not run on the network, by its name.
        probabilities: the network's probabilities of the n classes; None without classes.

    Example:
        >>> Maps((of_network(net, images, images.labels, {"grad_cam": S}),))
    """
    probabilities = list(probabilities) if probabilities is not None else None
    shown = []
    for i, (sample, label) in enumerate(zip(images, labels)):
        shown.append({
            "id": sample.id,
            "label": label,
            "probability": None if probabilities is None else round(float(probabilities[i]), 3),
            "picture": photograph(sample.image),
            "maps": {
                method: {
                    "picture": in_colours(S[i]),
                    "bright": round(float((array(S[i]) > 0.5).mean()), 3),
                    "empty": list(empty[method])[i] if method in empty else "",
                }
                for method, S in maps.items()
            },
        })  # fmt: skip
    return {
        "network": net.name, "layer": net.layer, "images": shown, "left_out": dict(left_out),
    }  # fmt: skip


def photograph(image: ArrayLike) -> str:
    """An image (3, H, W) in [0, 1] as a small picture, in base64."""
    return _encoded(array(image).transpose(1, 2, 0), QUALITY["image"], 224)


def in_colours(saliency: ArrayLike) -> str:
    """A map (H, W) in [0, 1] in the colours of the book's maps, from dark to bright, in base64."""
    return _encoded(_COLOURS(array(saliency))[..., :3], QUALITY["map"], SIDE)


def _encoded(picture: np.ndarray, quality: int, side: int) -> str:
    image = Image.fromarray((255 * picture.clip(0, 1)).round().astype(np.uint8))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "WEBP", quality=quality, method=6)
    return b64encode(file.getvalue()).decode()


def why_empty(raw: ArrayLike, saliency: ArrayLike, rectified: bool) -> str:
    """Why a map is zero everywhere; empty if it is not.

    Args:
        raw: the raw signed map (h, w).
        saliency: the finished map (H, W) in [0, 1].
        rectified: whether the raw map passed a ReLU.

    Example:
        >>> why_empty([[-1.0, -2.0]], [[0.0, 0.0]], True)
        'no position has a positive value for the class, so the ReLU leaves nothing'
    """
    raw, saliency = array(raw), array(saliency)
    if saliency.max() > 0:
        return ""
    if rectified and raw.max() <= 0:
        return "no position has a positive value for the class, so the ReLU leaves nothing"
    return "the map has one value everywhere, so the normalised map is zero"


# Pages ------------------------------------------------------------------------------------------

Source = Callable[[str, str], str]  # returns the address of a picture with a name and a content


def inline(name: str, content: str) -> str:
    """A picture within the page itself."""
    return f"data:image/webp;base64,{content}"


def picture_name(*parts: str) -> str:
    """The file name of a picture: network, image and method.

    Example:
        >>> picture_name("torchvision:squeezenet1_1", "imagenet_00_243", "grad_cam")
        'torchvision-squeezenet1_1/imagenet_00_243/grad_cam.webp'
    """
    safe = ["".join(c if c.isalnum() or c in "._-" else "-" for c in part) for part in parts]
    return "/".join(safe) + ".webp"


def pictures(data: Mapping[str, Any]) -> dict[str, bytes]:
    """All pictures of a page's maps, by the names of their files."""
    found: dict[str, bytes] = {}

    def keep(name: str, content: str) -> str:
        found[name] = b64decode(content)
        return name

    grids(data, source=keep)
    return found


def grids(data: Mapping[str, Any], *, source: Source = inline, method_pages: str = "") -> str:
    """The grids of all networks and images as HTML, which folds without JavaScript.

    Args:
        data: the data that an output has under `MAPS_MIME`.
        source: gives the address of each picture.
        method_pages: the relative path of the folder of methods' pages; empty if there are none.
    """
    blocks, first = [], True
    for net in data["networks"]:
        for image in net["images"]:
            blocks.append(_block(net, image, source, method_pages, first))
            first = False
    # So that pictures are placed over each other without the style sheet too, as in a notebook.
    return f'<div class="map-gallery">{_STYLE}{"".join(blocks)}{colour_bar()}</div>'


_STYLE = (
    "<style>.map-tiles {display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr))}"
    ".map-tile {margin: 0} .map-stack {position: relative; display: block; aspect-ratio: 1}"
    ".map-stack > * {position: absolute; inset: 0; width: 100%; height: 100%; margin: 0}"
    ".map-photo {background: center / cover}"
    ".map-photo + img {opacity: var(--map-opacity, .6)} .map-stack:has(img) .map-photo {filter: grayscale(1)}</style>"
)

# In the element itself: an address in a style sheet would be relative to the style sheet.
_PHOTO = 'style="background-image: var(--map-photo)"'


def _block(net: Mapping, image: Mapping, source: Source, method_pages: str, is_open: bool) -> str:
    """One image under all maps of one network."""
    network, label = net["network"], image["label"]
    said = f"{escape(label)}, seen by <code>{escape(network)}</code>"
    if image["probability"] is not None:
        said += f", which gives it a probability of {image['probability']:.2f}"
    plain = f'<span class="map-photo" {_PHOTO} role="img" aria-label="{escape(label)}"></span>'
    tiles = [
        f'<figure class="map-tile"><span class="map-stack">{plain}</span><figcaption>image</figcaption></figure>'
    ]
    maps = {method: image["maps"][method] for method in METHODS if method in image["maps"]}
    tiles += [tile(network, image, method, source, method_pages) for method in maps]
    black = {method: of["empty"] for method, of in maps.items() if of["empty"]}
    notes = f"<p>Black maps:</p>{_reasons(black)}" if black else ""
    if out := net["left_out"]:
        notes += f"<details><summary>{len(out)} methods do not run on this network</summary>{_reasons(out)}</details>"
    return (
        f'<details class="map-set" data-network="{escape(network)}" data-image="{escape(image["id"])}" '
        f'data-label="{escape(label)}"{" open" if is_open else ""}><summary>{said}</summary>'
        f'<div class="map-tiles" style="{photo(network, image, source)}">{"".join(tiles)}</div>{notes}</details>'
    )


def _reasons(by_method: Mapping[str, str]) -> str:
    reasons = "".join(
        f"<li>{escape(METHODS[method].title)}: {escape(by_method[method])}.</li>"
        for method in METHODS
        if method in by_method
    )
    return f'<ul class="map-notes">{reasons}</ul>'


def tile(network: str, image: Mapping, method: str, source: Source, method_pages: str) -> str:
    """One map over the image of its grid, above the name of the method, which links to its page."""
    of, title = image["maps"][method], METHODS[method].title
    address = source(picture_name(network, image["id"], method), of["picture"])
    alt = f"{title} for {image['label']}: " + (
        of["empty"] or f"{of['bright']:.0%} of the image is above half of the maximum"
    )
    name = escape(title)
    if method_pages:
        name = f'<a href="{method_pages}/{method}.html">{name}</a>'
    return (
        f'<figure class="map-tile" data-method="{method}" data-title="{escape(title)}">'
        f'<span class="map-stack"><span class="map-photo" {_PHOTO}></span>'
        f'<img src="{address}" alt="{escape(alt)}" loading="lazy"></span>'
        f"<figcaption>{name}</figcaption></figure>"
    )


def photo(network: str, image: Mapping, source: Source) -> str:
    """The style of an element whose maps lie over an image."""
    return (
        f"--map-photo: url({source(picture_name(network, image['id'], 'image'), image['picture'])})"
    )


def small(network: str, image: Mapping, method: str, source: Source) -> str:
    """One map over its image, alone and small."""
    address = source(picture_name(network, image["id"], method), image["maps"][method]["picture"])
    return (
        f'<span class="map-stack map-small" style="{photo(network, image, source)}">'
        f'<span class="map-photo" {_PHOTO}></span><img src="{address}" loading="lazy" '
        f'alt="Map of {escape(METHODS[method].title)} for {escape(image["label"])}"></span>'
    )


def colour_bar() -> str:
    """The colours of the maps, from zero to their maximum."""
    steps = [_COLOURS(k / 16)[:3] for k in range(17)]
    colours = ", ".join("#" + "".join(f"{round(255 * c):02x}" for c in step) for step in steps)
    return (
        '<div class="map-key"><span>0</span><span class="map-bar" role="img" aria-label="Colours of the '
        "maps: dark is zero, bright is the map's maximum, one\" "
        f'style="display: inline-block; width: 12rem; height: .8rem; background: linear-gradient(to right, '
        f'{colours})"></span><span>1, the maximum of each map</span></div>'
    )
