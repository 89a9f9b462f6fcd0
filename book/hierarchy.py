"""ImageNet's classes in WordNet's hierarchy, as a picture and as a list to search."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import cycle

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.annotated_supersets import Supersets, table_a
from lib.classes import imagenet_descriptions
from lib.wordnet import classes_below, genealogy, synsets, wordnet_ids

from .report.style import COLOURS, WIDTH, style

_GREY = "#c9c9d2"
_LETTER = 9  # number of classes that is as wide as a letter
_HUES = [colour for colour in COLOURS if colour not in ("#717581", "#94a4a2")]  # no greys


@dataclass(frozen=True)
class Node:
    """A concept with the nodes below it, by first hypernyms; a class has no nodes below it.

    Attributes:
        classes: indices, in the order of the leaves.
        depth: steps from the root.
    """

    synset: str
    below: tuple["Node", ...]
    classes: tuple[int, ...]
    depth: int

    @property
    def name(self) -> str:
        return synsets()[self.synset].name.replace("_", " ")


@cache
def tree() -> Node:
    """All classes below "entity". A concept with a single node below it is left out."""
    paths = [(index, genealogy(index)[::-1]) for index in range(len(wordnet_ids()))]
    return _node(paths, 0, 0)


def _node(paths: list[tuple[int, tuple[str, ...]]], step: int, depth: int) -> Node:
    while (
        len(paths) > 1 and len({path[step + 1] for _, path in paths if len(path) > step + 1}) == 1
    ):
        if any(len(path) == step + 1 for _, path in paths):
            break
        step += 1
    synset = paths[0][1][step]
    if len(paths) == 1:
        return Node(paths[0][1][-1], (), (paths[0][0],), depth)
    groups: dict[str, list] = {}
    for index, path in paths:
        groups.setdefault(path[step + 1], []).append((index, path))
    below = tuple(_node(group, step + 1, depth + 1) for group in groups.values())
    return Node(synset, below, tuple(i for node in below for i in node.classes), depth)


def icicle(root: Node, supersets: Supersets) -> Figure:
    """The hierarchy from the root at the bottom to the classes at the top, with supersets in colours."""
    from matplotlib import pyplot as plt

    style()
    figure, ax = plt.subplots(figsize=(WIDTH, 5.2))
    colour = _colours(root, supersets)
    levels = 1 + max(node.depth for node in _all(root))
    place = {index: x for x, index in enumerate(root.classes)}
    for node in _all(root):
        left = place[node.classes[0]]
        own = {supersets[i] for i in node.classes}
        [one] = own if len(own) == 1 else [frozenset()]
        height = levels - node.depth if not node.below else 1
        look = {
            "facecolor": colour.get(one, _GREY if not node.below else "#f1f1f4"),
            "linewidth": 0,
        }
        ax.add_patch(Rectangle((left, node.depth), len(node.classes), height - 0.06, **look))
        if len(node.classes) >= _LETTER * len(node.name):
            ax.text(
                left + len(node.classes) / 2,
                node.depth + 0.45,
                node.name,
                ha="center",
                va="center",
                fontsize=8,
            )
    _name_supersets(ax, root, place, levels)
    ax.set(xlim=(0, len(place)), ylim=(0, levels), yticks=range(0, levels, 2), ylabel="depth")
    ax.set_xticks([])
    for side in ax.spines.values():
        side.set_visible(False)
    return figure


def _colours(root: Node, supersets: Supersets) -> dict[frozenset[int], str]:
    """A colour for each superset of several classes, in the order of their first classes."""
    ordered = dict.fromkeys(supersets[i] for i in root.classes if len(supersets[i]) > 1)
    return dict(zip(ordered, cycle(_HUES)))


def _name_supersets(ax, root: Node, place: dict[int, int], levels: int) -> None:
    """The names of the largest supersets, above their classes."""
    for row in {row.synset: row for row in table_a()}.values():
        among = sorted(place[i] for i in classes_below(row.synset))
        if len(among) >= 13:
            middle = among[len(among) // 2]
            ax.text(
                middle, levels + 0.15, row.name, rotation=55, ha="left", va="bottom", fontsize=8
            )


def _all(node: Node) -> Sequence[Node]:
    return [node, *(one for child in node.below for one in _all(child))]


@dataclass(frozen=True)
class Search:
    """The hierarchy as a list that opens and closes, with a field to search it."""

    root: Node
    supersets: Supersets

    def __repr__(self) -> str:
        return (
            f"{len(self.root.classes)} classes below {self.root.name!r}, to be opened and searched"
        )

    def _repr_html_(self) -> str:
        listed = {row.synset for row in table_a()}
        return (
            "<style>.hierarchy details, .hierarchy .leaf { margin-left: 1.2em }</style>"
            '<div class="hierarchy"><label>Search <input type="search" placeholder="class or concept" '
            f'oninput="{_SEARCH}"></label>{self._item(self.root, listed, True)}</div>'
        )

    def _item(self, node: Node, listed: set[str], opened: bool = False) -> str:
        if not node.below:
            [index] = node.classes
            mates = len(self.supersets[index])
            beside = f" <small>with {mates - 1} others</small>" if mates > 1 else ""
            said = f"{index}: {imagenet_descriptions()[index]} ({node.synset})"
            return f'<div class="leaf">{escape(said)}{beside}</div>'
        name = f"{node.name} ({node.synset}), {len(node.classes)}"
        name = f"<strong>{escape(name)}</strong>" if node.synset in listed else escape(name)
        inside = "".join(self._item(child, listed) for child in node.below)
        return f"<details{' open' * opened}><summary>{name}</summary>{inside}</details>"


# Shows the items that contain the text, and opens their parents; without a text all are shown and closed.
_SEARCH = escape(
    "const box=this.closest('.hierarchy'),t=this.value.trim().toLowerCase();"
    "const see=e=>{const own=(e.tagName==='DETAILS'?e.firstElementChild:e).textContent.toLowerCase().includes(t);"
    "let any=own;for(const c of e.children)if(c.matches('details,.leaf')){const s=see(c);any=any||s;"
    "if(own&&t)c.style.display=''}"
    "e.style.display=any||!t?'':'none';if(e.tagName==='DETAILS')e.open=t?any:false;return any};"
    "for(const e of box.children)if(e.matches('details'))see(e),e.style.display='',e.open=true"
)
