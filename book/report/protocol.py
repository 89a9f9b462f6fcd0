"""What a page runs, in words: its networks and images, and their departures from the published setting."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from lib.data import DATASETS, Dataset
from lib.methods import METHODS

Options = Mapping[str, Any]

# A link to a page of the book; notebooks name pages without a suffix.
_PAGE = re.compile(r'href="((?:\.\./)*[^":#.]+)((?:#[^"]*)?)"')

PUBLISHED = "paper"  # the profile of the published setting


@dataclass(frozen=True)
class Box:
    """Paragraphs of Markdown under a title, shown as a box."""

    title: str
    paragraphs: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([self.title, *self.paragraphs])

    def _repr_html_(self) -> str:
        body = _PAGE.sub(r'href="\1.html\2"', MarkdownIt().render("\n\n".join(self.paragraphs)))
        return f'<div class="admonition note"><p class="admonition-title">{escape(self.title)}</p>{body}</div>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}


def protocol(page) -> Box:
    """The box that says what a page runs: each network with its target layer and its images."""
    told = [_experiment(page, net, images) for net, images in page.opened]
    if page.unlabelled:
        told.append("The images have no labels: their classes are those that the network predicts.")
    if page.paths:
        told.append(f"Read from {_listed([f'`{path}`' for path in page.paths])}.")
    same = dict.fromkeys(_given_up(page))  # once for several networks
    return Box("What runs here", (*told, *same))


def departures(page, used: Mapping[str, Mapping[str, Options]]) -> Box:
    """The box that says how a page departs from the published setting.

    Args:
        used: the options of the methods that ran, by method and network.
    """
    title = "Departures from the published setting"
    if page.cost == PUBLISHED and page.as_planned:
        return Box(title, ("None: networks, images and options are the published ones.",))
    published = page.plan(PUBLISHED)
    theirs = _by_images((e.network, DATASETS[e.dataset]["title"]) for e in published.experiments)
    ours = _by_images((net.name, _images(page, net, images)) for net, images in page.opened)
    told = [f"**Networks and images.** Published: {theirs}. Here: {ours}."]
    options = [_changed(name, own, published.options.get(name, {})) for name, own in used.items()]
    if any(options):
        told.append(f"**Options.** {' '.join(filter(None, options))}")
    return Box(title, (*told, *(page.plan(page.profile).notes if page.as_planned else ())))


def _by_images(pairs: Iterable[tuple[str, str]]) -> str:
    """Networks with their images; networks that see the same images stand together."""
    networks: dict[str, list[str]] = {}
    for network, images in pairs:
        networks.setdefault(images, []).append(f"`{network}`")
    return "; ".join(f"{_listed(names)} on {images}" for images, names in networks.items())


def _experiment(page, net, images: Dataset) -> str:
    drawn = "generator" in DATASETS[images.name]["source"]
    bed = " This is a test bed: the images are drawn." if drawn else ""
    return f"`{net.name}`, target layer `{net.layer}`, on {_images(page, net, images)}.{bed}"


def _images(page, net, images: Dataset) -> str:
    what = "crops of images" if page.experiment(net).crops else "images"
    if len(images) == 1:
        what = what.replace("s", "", 1)
    return f"{len(images)} {what} of *{images.name}* ({DATASETS[images.name]['title']})"


def _given_up(page) -> Iterable[str]:
    """Which methods do not run, and which see fewer images because they are expensive."""
    for net, images in page.opened:
        methods = {name: (name, {}) for name in METHODS if page.runs(name, net)}
        out = [METHODS[m].title for m in METHODS if m in page.without(net)]
        if out:
            yield f"Not run on `{net.name}`: {_listed(out)}."
        for few, seen in page.by_cost(methods, net, images):
            if len(seen) < len(images):
                dear = _listed(METHODS[name].title for name, _ in few.values())
                yield f"Methods of many passes ({dear}) see {len(seen)} of the {len(images)} images."


def _changed(name: str, used: Mapping[str, Options], published: Options) -> str:
    """The options that differ from the published ones, in sentences; empty if none do."""
    by_text: dict[str, list[str]] = {}
    for network, own in used.items():
        by_text.setdefault(_difference(METHODS[name].options, own, published), []).append(network)
    title, several = METHODS[name].title, len(by_text) > 1
    return " ".join(
        f"{title}{f' on {_listed(networks)}' if several else ''}: {text}."
        for text, networks in by_text.items()
        if text
    )


def _difference(defaults: Options, own: Options, published: Options) -> str:
    names = [n for n in own | published if own.get(n, defaults[n]) != published.get(n, defaults[n])]
    here, there = (
        ", ".join(f"{n.replace('_', ' ')} {of.get(n, defaults[n])}" for n in names)
        for of in (own, published)
    )
    return f"{here} (published: {there})" if names else ""


def _listed(words: Iterable[str]) -> str:
    """ "a, b and c"."""
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} and {last}" if most else last
