"""A page for each method, and the table of all of them, from the registry `METHODS`."""

from html import escape

from lib.methods import METHODS, Method

from .. import maps as galleries
from . import parts, sources
from .docstrings import docstring
from .known import Known

SHOWN = 3  # photographs on a method's page
STATIC = "../../_static"  # from a page in book/methods, as built
_OTHERS = (
    "See also [the table of all methods](../methods), [the gallery of maps](../../notebooks/reference/01_gallery), "
    "and [the comparison of any two methods](../../notebooks/reference/02_compare)."
)


def page(name: str, known: Known) -> str:
    """The page of a method, as Markdown.

    Example:
        >>> page("score_cam", known).splitlines()[0]
        '# Score-CAM'
    """
    method = METHODS[name]
    said = docstring(method.fn)
    own, others = known.about_method(name)
    blocks = [
        f"# {method.title}",
        f"`{name}`. {said.sentence}",
        _maps(name, known),
        f"## Equation\n\n{said.formula}" if said.formula else "",
        "\n\n".join(["## How it is done here", *said.notes]) if said.notes else "",
        f"{_finish(method)} {method.title} is defined in {method.equation}.",
        f"## Use\n\n```{{code-block}} python\n{_example(said.example)}\n```",
        f"## Options\n\n{parts.options(method.options, said.arguments)}",
        f"## Cost\n\n{_cost(name, known)}",
        f"## Verdicts on the method\n\n{parts.listed(known, own)}" if own else "",
        parts.folded(f"{len(others)} claims compare other methods with this one", parts.verdicts(known, others)) if others else "",
        f"## Where the book uses it\n\n{parts.pages(known, 'methods', name)}",
        f"## Source\n\n{sources.block(method.coefficients or method.fn)}",
        f"## Cite\n\n{parts.cite(method.paper)}",
        _OTHERS,
    ]  # fmt: skip
    return "\n\n".join(filter(None, blocks)) + "\n"


def _example(example: str) -> str:
    """The lines of an example without the marks of a session."""
    return "\n".join(
        line.removeprefix(">>> ").removeprefix("... ") for line in example.splitlines()
    )


def _finish(method: Method) -> str:
    """The steps after the raw map, and the needs of the method."""
    relu = "passes a ReLU, " if method.relu else ""
    needs = f" The method needs {' and '.join(sorted(method.needs))}." if method.needs else ""
    return f"The raw map {relu}is upsampled to the size of the image, and is scaled to the unit interval.{needs}"


def _maps(name: str, known: Known) -> str:
    """The maps of a method on a few images, for the first network of the gallery that it runs on."""
    for net in known.maps["networks"] if known.maps else ():
        images = [image for image in net["images"] if name in image["maps"]][:SHOWN]
        if images:
            tiles = "".join(_tile(net["network"], image, name) for image in images)
            return (
                f'<div class="map-row">{tiles}</div>{galleries.colour_bar()}\n\n'
                f"Maps of `{net['network']}`. [The gallery](../../notebooks/reference/01_gallery) has the maps of all "
                "methods for these images."
            )
    return "The gallery of this copy of the book has no map of this method." if known.maps else ""


def _tile(network: str, image: dict, name: str) -> str:
    tile = galleries.tile(network, image, name, _source, "")
    named = tile.replace(
        f"<figcaption>{escape(METHODS[name].title)}</figcaption>",
        f"<figcaption>{escape(image['label'])}</figcaption>",
    )
    return f'<div style="{galleries.photo(network, image, _source)}">{named}</div>'


def _source(name: str, content: str) -> str:
    return address(name)


def address(path: str) -> str:
    """The relative address of a picture of the gallery from a method's page."""
    return f"{STATIC}/maps/{path}"


def _cost(name: str, known: Known) -> str:
    rows = [
        f'<tr><th scope="row"><code>{escape(network)}</code></th><td>{seconds(cost)}</td>'
        f"<td>{cost['passes']:.3g}</td></tr>"
        for network, cost in known.costs(name).items()
    ]
    if not rows:
        return "Not measured in this copy of the book.\n"
    head = "".join(
        f'<th scope="col">{title}</th>'
        for title in ("Network", "Seconds per image [95 % interval]", "Forward passes per image")
    )
    return (
        f'<div class="table-scroll"><table class="cams cost"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n\n"
        "Measured with the options of this copy. [The comparison of methods](../../notebooks/reference/02_compare) "
        "says how.\n"
    )


def _roughly(cost: dict) -> str:
    return f"{cost['seconds'][0]:.2g} s" if cost["seconds"] else "–"


def seconds(cost: dict) -> str:
    """The seconds per image, with their interval."""
    if not cost["seconds"]:
        return "–"
    mean, low, high, _ = cost["seconds"]
    interval = "" if low is None else f" <small>[{low:.2g}, {high:.2g}]</small>"
    return f"{mean:.2g}{interval}"


# The table of all -------------------------------------------------------------------------------


def index(known: Known) -> str:
    """The table of all methods: a map, what the method does, its cost."""
    networks = [net["network"] for net in known.compared["networks"]] if known.compared else []
    rows = []
    for name, method in METHODS.items():
        said = docstring(method.fn)
        costs = known.costs(name)
        cells = "".join(
            f"<td>{_roughly(costs[net])}<br><small>{costs[net]['passes']:.3g} passes</small></td>"
            if net in costs
            else "<td>–</td>"
            for net in networks[:2]
        )
        rows.append(
            f'<tr><th scope="row"><a href="methods/{name}.html">{escape(method.title)}</a></th>'
            f"<td>{_thumbnail(name, known)}</td>"
            f'<td class="prose">{escape(said.sentence)}</td>{cells}</tr>'
        )
    heads = [
        "Method",
        "Map",
        "What it does",
        *(f"<code>{escape(net)}</code>" for net in networks[:2]),
    ]
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    return (
        f'<div class="table-scroll" tabindex="0"><table class="cams index"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n"
    )


def _thumbnail(name: str, known: Known) -> str:
    for net in known.maps["networks"] if known.maps else ():
        for image in net["images"]:
            if name in image["maps"]:
                return galleries.small(
                    net["network"], image, name, lambda path, _: address(path).removeprefix("../")
                )
    return ""
