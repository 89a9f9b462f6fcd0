# %% [markdown]
"""
# Gallery: one photograph under all methods

This page shows the maps of all methods of this book that run on a network, for the same class of the same photograph.
Choose a photograph and a network, and compare two maps with the slider. The name under a map links to the page of its
method, with the equation, the source and the verdicts.

A picture shows where a map is bright, not whether the map is right. [The comparison page](02_compare) measures that.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the network's default
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 4  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import torch

from book import Page, batch, fewer
from book.reference.maps import Maps, of_network, why_empty
from lib.methods import METHODS

page = Page("reference/01_gallery", globals())
page.protocol()

# %%
def shown(net, images):
    """A few images of a network, with the maps of all methods that run on it."""
    few = fewer(images.readable(), page.setting("shown", net))
    maps, empty, left_out = {}, {}, {}
    for name, method in METHODS.items():
        if not page.runs(name, net):
            left_out[name] = "left out by this profile" if name in page.without(net) else f"needs {needed(method)}"
            continue
        try:
            raw, maps[name] = page.maps(net, few, name, raw=True), page.maps(net, few, name)
        except ValueError as error:
            left_out[name] = str(error).partition(": ")[2]  # behind the name of the image
            continue
        rectified = method.rectifies(page.options(name, net))
        empty[name] = [why_empty(M, S, rectified) for M, S in zip(raw, maps[name])]
    p = None
    if net.num_classes:
        x, c = batch(net, few)
        with torch.no_grad():
            p = net(x).softmax(1).gather(1, c[:, None])[:, 0].tolist()
    return of_network(net, few, few.labels, maps, empty=empty, left_out=left_out, probabilities=p)


def needed(method):
    """What a method needs of a network that this network lacks."""
    return " and ".join(f"a network with {need}" for need in ("attention", "latent position") if need in method.needs)


backbone = page.beside("vit_s_focus", "imagenet_embedded", page.setting("backbone"))
Maps(tuple(shown(net, images) for net, images in [*page.opened, *([backbone] if backbone else [])]))

# %% [markdown]
"""
Each map is scaled from its smallest to its largest value, so colours compare positions within one map, not maps with each
other. A map is black where its method finds nothing that speaks for the class; the list under the maps says why.

```{admonition} Departures
:class: note
**Which class.** All maps explain the label of the photograph, whatever the network predicts. Methods without a class, such as
raw attention, do not use the label.

**DiffCAM** contrasts each photograph with the other photographs of the page's dataset. **GALORE** contrasts the class with the
most probable other class.

**Networks of other kinds.** Attention methods need a transformer, and CALM needs a network of its own. The classifiers of these
kinds that come without a download are trained on digits and drawn birds, so the page shows them on digits and drawn birds.
```
"""

# %%
page.departures()

# %%
page.provenance()
