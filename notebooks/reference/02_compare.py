# %% [markdown]
"""
# What to use when, and any two methods compared

Which of two methods is better depends on the question. This page runs every method on the same photographs, measures their
maps with every metric that these photographs allow, and takes per-image differences. It gives evidence and no advice. Its
last section says [what the comparison cannot tell](#limits).
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
seed: int = 0  # of the random network

# %%
from dataclasses import replace
from functools import partial

import pandas as pd
import torch

from book import Page, batch, fewer, report
from book.reference.comparison import Comparison, Cost, compared
from book.reference.questions import SANITY, Answers
from book.reference.work import passes
from lib import nets
from lib.evaluate import compare, saliency_maps
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.metrics.similarity import CELL, correlation, similarities
from lib.nets.cascade import layers
from lib.reference import reference_set
from lib.rival import strongest_rival
from lib.saliency import explain, raw_map

page = Page("reference/02_compare", globals())
page.protocol()

# %% [markdown]
r"""
## What is measured

**The masked image.** The network sees the image multiplied by the map: [AD](../../book/metrics/average_drop),
[AG](../../book/metrics/average_gain) and [AI](../../book/metrics/average_increase).
[ADD](../../book/metrics/average_drop_in_deletion) is on the image without what the map marks. Opti-CAM maximises the score from
which these metrics are computed, so for Opti-CAM they are no independent evidence.

**The order of pixels.** [Insertion](../../book/metrics/insertion) and [deletion](../../book/metrics/deletion) show or hide pixels
by their rank, [AOPC](../../book/metrics/aopc) hides patches. No method here optimises them. ExtremalPerturbation comes close to
optimising insertion, since it keeps few pixels of a blurred image.

**The object.** Where boxes are known: the [energy](../../book/metrics/energy_pointing_game) and
[standard pointing game](../../book/metrics/pointing_game), [localisation error](../../book/metrics/localization_error) and
[pixel-wise F1](../../book/metrics/pixel_f1).

**The map itself.** How much of the image the map [covers](../../book/metrics/mean_saliency), whether it agrees with the map of the
masked image ([ADCC](../../book/metrics/adcc)), and how much [noise](../../book/metrics/max_sensitivity) changes it. Pearson's
correlation $r$ is between the maps of the label and of the most probable other class; it is 1 if the map ignores the class.

**A random network.** How similar the map is to the map of the same network with random weights, by four metrics; see
[the sanity check](../opticam/12_sanity_check).

**Time** is in seconds per image, measured in repetitions that alternate between methods. *Work* is the number of additions and
multiplications of all passes, forward and backward, divided by that of one forward pass of one image through the whole
network. It is the same on every machine.
"""

# %%
GROUPS = {
    "the masked image": ["average_drop", "average_gain", "average_increase", "average_drop_in_deletion"],
    "the order of pixels": ["insertion", "deletion", "aopc"],
    "the object": ["energy_pointing_game", "pointing_game", "localization_error", "pixel_f1"],
    "the map itself": ["mean_saliency", "adcc", "max_sensitivity", "correlation_between_classes"],
    "a random network": list(SANITY),
    "time": ["seconds"],
}
BLIND = "fake_cam"


def methods(net, without=()):
    """The methods that run on a network, with their options."""
    return page.methods([m for m in METHODS if m not in without and able(m, net)], net)


def able(method, net):
    """Whether a method runs on a network, tried on noise."""
    noise = torch.rand(1, 3, net.input_size, net.input_size, generator=torch.Generator().manual_seed(0))
    x, c = noise.to(net.device, net.dtype), torch.zeros(1, dtype=torch.long, device=net.device)
    if not page.runs(method, net):
        return False
    try:
        raw_map(method, net, x, c, **page.options(method, net) | CHEAPEST.get(method, {}))
    except ValueError as error:
        why = str(error).partition(";")[0].partition(": take")[0]
        print(f"Not run on {net.name}: {METHODS[method].title}, for {why}.")
        return False
    return True


# The cheapest options of a method, to try whether it runs.
CHEAPEST = {
    "extremal_perturbation": {"iterations": 1}, "lime": {"n": 2}, "gradient_shap": {"n": 1}, "opti_cam": {"iterations": 1},
    "shap_cam": {"n": 1}, "lime_cam": {"n": 2},
}  # fmt: skip


def steps(net):
    """The metrics, with steps by the size of the image."""
    pixels = {"step": page.pixels(page.setting("step"), net)}
    patch = {"patch": max(1, net.input_size // 16)}
    metrics = {m: m for m in GROUPS["the masked image"]} | {"mean_saliency": "mean_saliency"}
    return metrics | {"insertion": ("insertion", pixels), "deletion": ("deletion", pixels), "aopc": ("aopc", patch)}


opened = [(net, images.readable()) for net, images in page.opened]
able_to = {net.name: methods(net) for net, _ in opened}
frames = [page.evaluate(lambda net: able_to[net.name], steps, opened)]
frames.append(page.evaluate(lambda net: able_to[net.name], GROUPS["the object"], page.having("boxes")))

# %% [markdown]
"""
Some metrics need further maps of each image: of noisy copies, of another class or of a random network. They are computed on
fewer images. Methods with many passes are left out where the cost exceeds that of the profile.
"""

# %%
further = page.setting("further")  # so many images, and so many noisy ones of each
few = [(net, fewer(images, further["images"])) for net, images in opened]
noise = {"max_sensitivity": ("max_sensitivity", {"n": further["noisy"]})}


def affordable(net, what):
    """The methods whose further maps are affordable; prints those whose are not."""
    dear = page.setting("too_dear", net).get(what, ())
    out = ", ".join(METHODS[m].title for m in dear if m in able_to[net.name])
    if out:
        print(f"Not run on {net.name}: {what.replace('_', ' ')} of {out}.")
    return {label: of for label, of in able_to[net.name].items() if label not in dear}


def other_class(net, images):
    """The images, each labelled with its most probable other class."""
    found = []
    with torch.no_grad():
        for x, c in page.batches(net, images):
            found += strongest_rival(net(x), c).tolist()
    return images.relabelled(found)


def between_classes(net, images):
    """Rows of the correlation between each method's maps of two classes."""
    other = other_class(net, images)
    values = {}
    for label, (name, own) in affordable(net, "another class").items():
        one, two = (page.maps(net, of, name, raw=True) for of in (images, other))
        values[label, "correlation_between_classes"] = correlation(one, two).tolist()
    return page.rows(net, images, values)


def under_random_weights(net, images):
    """Rows of the similarity of the maps to those of the same network with random weights."""
    *_, (_, other) = nets.cascade(net, min(5, len(layers(net))), seed=seed)
    chosen = affordable(net, "a random network")
    told_apart = chosen.pop("diff_cam", None)
    found = compare(net, [("random", other)], images, chosen, **page.how).drop(columns="other")
    rows = [found.assign(architecture=net.architecture)]
    if told_apart:
        rows.append(page.rows(net, images, with_references(net, other, images)))
    return pd.concat(rows, ignore_index=True)


def with_references(net, other, images):
    """The same for DiffCAM, whose references are seen by both networks."""
    own = page.reference(net)
    theirs = reference_set(other, page.references(net).readable(), batch_size=batch_size, store=page.store)
    maps = []
    for each, seen in ((net, own), (other, replace(theirs, classes=own.classes))):
        options = page.how | page.options("diff_cam") | {"reference": seen}
        maps.append(tuple(saliency_maps(each, images, "diff_cam", raw=raw, **options) for raw in (True, False)))
    return {("diff_cam", metric): values.tolist() for metric, values in similarities(*maps).items()}


frames.append(page.evaluate(lambda net: affordable(net, "adcc"), ["adcc"], few))
frames.append(page.evaluate(lambda net: affordable(net, "max_sensitivity"), noise, few))
frames += [between_classes(*one) for one in few]
for net, images in few:
    if net.input_size >= 3 * CELL:  # a block of cells
        frames.append(under_random_weights(net, images))
    else:
        print(f"Not run on {net.name}: the random network; HOG similarity needs images of {3 * CELL} pixels.")

# %%
def timed(net, images):
    """Rows of seconds, and the cost of each method."""
    times = page.times(able_to[net.name], [(net, images)])
    x, c = batch(net, images[:1])
    seconds = report.by_image(times)["seconds"]
    work = {
        label: passes(net, partial(explain, name, net, x, c, **own)) for label, (name, own) in able_to[net.name].items()
    }
    return times, {m: Cost(report.mean_ci(seconds[m], bounds=(0, float("inf"))), work[m]) for m in work}


def work_of_metrics(net, images):
    """The work of each metric of single images on one map, in passes; metrics that compute maps use Grad-CAM."""
    one = images[:1]
    x, c = batch(net, one)
    S = explain("grad_cam", net, x, c)
    given = {"method": "grad_cam", "boxes": [s.boxes for s in one], "mask": [s.mask for s in one]}
    found = {}
    for name, metric in METRICS.items():
        options = {key: given[key] for key in metric.given if metric.given[key] and key in given}
        if not metric.signed and "parts" not in metric.given and all(of is not None and of != [None] for of in options.values()):
            found[name] = passes(net, partial(metric.measurement, net, x, c, S, **options))
    return found


costs = {}
for net, images in opened:
    times, costs[net.name] = timed(net, images)
    frames.append(times)
frame = pd.concat(frames, ignore_index=True)
data = compared(frame, GROUPS, costs, work_of_metrics(*opened[0]))

# %% [markdown]
r"""
## What to use when

The table has one row per method and one column per question, answered on the same images with 95 % intervals. Where a method is
compared with a *blind* map, that of [Fake-CAM](../../book/methods/fake_cam), which ignores the image, ✓ means better and ✗ worse
after Holm's correction over the methods. A method *tells classes apart* if the correlation between its maps of two classes is below
0.5. It *passes the sanity check* if all four similarities to the map of a random network are below 0.5. `?` means undecided, `…` too
few images for an answer, – not run.
"""

# %%
from timm.models.vision_transformer import VisionTransformer  # behind lib, see lib.torchvision_ops

headless = nets.wrap(
    VisionTransformer(num_classes=0, img_size=16, patch_size=4, embed_dim=8, depth=2, num_heads=2), input_size=16, name="a backbone"
)


def needs_no_head(method):
    """Whether a method explains a backbone without classes."""
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    own = {"reference": x[1:]} if "reference images" in METHODS[method].needs else {}
    try:
        raw_map(method, headless, x[:1], **own)
    except (ValueError, RuntimeError):
        return False
    return True


transformers = [net for net, _ in opened if net.architecture == "transformer"]
abilities = {}
if transformers:
    abilities["works on transformers"] = {m: any(m in able_to[net.name] for net in transformers) for m in METHODS}
abilities["needs no class head"] = {m: METHODS[m].runs_on(headless) and needs_no_head(m) for m in METHODS}
Answers(data, abilities)

# %% [markdown]
"""
## Compare any two

Choose two methods and a network. Each row is one metric, with the mean of the per-image differences, its 95 % interval, the number of
images, and the verdict after Holm's correction over the metrics. A positive difference speaks for the first method. Each row has its
own scale.
"""

# %%
baseline = next(m for m in ("grad_cam", *able_to[opened[0][0].name]) if m in able_to[opened[0][0].name])
Comparison(data, baseline)

# %% [markdown]
"""
(limits)=
## What it cannot tell

```{admonition} Limits
:class: note
**These images.** The photographs show one large object each, and are not a random sample. The networks are small. An interval covers
other photographs of this kind, and says nothing about other kinds.

**These options.** Each method runs with the options of the profile, listed in [What this copy ran](../../book/runs). With more steps,
ExtremalPerturbation and LIME would do better and cost more.

**No metric is the truth.** The network was not trained on masked images. A map that finds the object need not show what the network
used. A network with random weights is only one of many ways to make a network forget.

**Many comparisons.** Holm's correction is over the metrics of one pair, or over the methods of one question. Among all pairs, some of the
best results arise by chance.

**Behind an affine head** some methods coincide: Grad-CAM, XGrad-CAM, HiRes-CAM and LRP-CAM give the same map there, and so do
Ablation-CAM, SHAP-CAM and LIFT-CAM. The verdict on such a pair is *equal*.
```
"""

# %%
page.departures()

# %%
page.provenance()
