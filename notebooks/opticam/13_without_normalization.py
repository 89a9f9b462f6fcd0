# %% [markdown]
"""
# Without input normalisation

Networks are usually trained and used on images whose channels are shifted to zero mean and scaled to unit
deviation. The authors of Opti-CAM {cite:p}`opticam` could reproduce the published AD and AI of earlier
methods only without this normalisation, and suspect that other authors had left it out (appendix H). With
normalisation, they say, all results improve dramatically. Table A14 repeats table 1 without it.

This page gives the networks images in $[0, 1]$ as they are, and asks two questions. Is every method better with
normalised input? Does Opti-CAM keep its lead without it?
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
import pandas as pd

from book import Page, report
from lib.metrics import METRICS

page = Page("opticam/13_without_normalization", globals())
bare = [page.open(experiment, normalize=False)[0] for experiment in page.experiments]
as_it_is = [(net, images) for net, (_, images) in zip(bare, page.opened)]
page.protocol()

# %% [markdown]
"""
## Table A14

The first table counts the images that each network classifies correctly, with normalised input and with images as
they are. For an image without a label, the class is the one that the network predicts with normalised input.
"""

# %%
def correct(net, images):
    """How many of the images the network classifies correctly."""
    images = images.readable()
    right = sum(net(s.image[None].to(net.device)).argmax().item() == s.target for s in images)
    return f"{right} of {len(images)}"


counted = {"normalised": page.opened, "as it is": as_it_is}
pd.DataFrame({title: {net.name: correct(net, images) for net, images in of} for title, of in counted.items()})

# %% [markdown]
"""
Table A14 follows, with every map and every masked image on the network without normalisation:
"""

# %%
METHODS_OF_TABLE_A14 = page.methods_of("A14")
METRICS_OF_TABLE_A14 = ["average_drop", "average_gain", "average_increase"]
without = page.evaluate(METHODS_OF_TABLE_A14, METRICS_OF_TABLE_A14, as_it_is)
table = page.table("A14", without)
table

# %%
page.forest(table.frame, "average_gain", name="opticam-table-a14", title="Opti-CAM, table A14, without input normalisation,")

# %% [markdown]
"""
The times T are on [the page on classification metrics](01_classification_metrics), since leaving out the
normalisation does not change the number of passes through the network.

With normalisation, the paper says, "all results are improved dramatically". Its own tables 1 and A14 have exceptions:
"""

# %%
cells = {table: report.published("opticam", table).query("unit == '%'") for table in ("1", "A14")}
both = cells["1"].merge(cells["A14"], on=["network", "method", "metric"], suffixes=("_with", "_without"))
both = both[both["method"] != "fake_cam"]
higher = both["metric"].map(lambda metric: METRICS[metric].higher_is_better)
gained = (both["value_with"] - both["value_without"]).where(higher, both["value_without"] - both["value_with"])
worse = both[gained < 0]
for row in worse.itertuples():
    said = f"{row.printed_with} % with normalisation, {row.printed_without} % without"
    print(f"{row.network}, {report.method_title(row.method)}: {METRICS[row.metric].symbol} {said}")
print(f"{len(worse)} of {len(both)} printed results, without Fake-CAM's, are worse with normalisation")

# %% [markdown]
"""
## Do the claims hold?

The claims compare each method with normalised input against the same method without it (*unnormalized*), on the same
images. Where the first table shows that a network classifies few images correctly without normalisation, the true
class has little probability to lose. AD then says little.
"""

# %% tags=["nbval-check-output"]
normalised = page.evaluate(METHODS_OF_TABLE_A14, METRICS_OF_TABLE_A14)
unnormalised = without.assign(method=without["method"] + "_unnormalized")
page.verdicts(pd.concat([unnormalised, normalised], ignore_index=True), "Table A14")

# %% [markdown]
"""
## What the maps look like
"""

# %%
(net, images), (without_it, _) = page.opened[0], as_it_is[0]
shown = images.readable(page.setting("shown"))
maps = {
    report.method_title(method) + suffix: page.maps(of, shown, method)
    for of, suffix in ((net, ""), (without_it, ", as it is"))
    for method in ("grad_cam", "opti_cam")
}
page.gallery(
    net, shown, maps, columns=5, name="opticam-unnormalized",
    alt="Maps of Grad-CAM and Opti-CAM with and without input normalisation for " + ", ".join(shown.labels) + ".",
    caption=f"The same images and weights, with normalised input and with images as they are; {net.name}.",
)  # fmt: skip

# %% [markdown]
"""
```{admonition} Departures
:class: note
**How far off the input is.** The paper's networks expect channel means near 0.45 and deviations near 0.23; other
networks expect other values. Without normalisation, the input of each network is shifted and scaled by another
amount, so that the loss depends on the network.

**Masking.** Masked pixels are black. Without normalisation, black is zero to the network; with normalisation, black
is the lowest value that the network ever sees.
```
"""

# %%
page.departures()

# %%
page.provenance()
