# %% [markdown]
r"""
# Confusing classes, models and references

A map of DiffCAM {cite:p}`diffcam` depends on three choices: the question, the network whose features it reads, and the
group of reference images. Appendix G of the paper shows on single images what each choice changes. It asks *why not* about
classes that are easily confused (figure 16). It compares networks of rising accuracy, references of one category alone, and
one reference with many (figure 17).

This page makes such figures and measures each of them on many images. Photographs have boxes around the object. For birds
that are drawn for this book, it is also known which parts tell two species apart. Images of two objects are composed of two
images side by side, so that it is known where each object is.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
reference: str = ""  # a dataset or a folder of reference images; empty: the profile's, or the other images
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from collections import defaultdict

import pandas as pd
import torch

from book import Page, fewer, report
from lib.classes import matched
from lib.data.crops import crops
from lib.data.pairs import pairs
from lib.metrics import differences
from lib.metrics.boxes import covered
from lib.metrics.similarity import correlation
from lib.reference import reference_set
from lib.saliency import finish
from testbeds.birds import FAMILIES, differing

page = Page("diffcam/07_choices", globals())
page.protocol()

# %% [markdown]
r"""
## Figure 16: confusing classes

Each image is told from its *confusing class*, the class that its own class is most easily taken for. This is the class that
the network finds most probable after the image's own class, on average over the images of that class and among the classes
of the references. The *why not* map takes all references of the confusing class. Most photographs are alone in their class.
Their references are the whole images and five crops of each, so a class has only as many independent references as it has
photographs.
"""

# %%
LEAST = 5  # references of a class; with fewer, crops are added


def of_classes(net):
    """The references, with their crops where classes have few references."""
    data = matched(page.references(net), net).readable()
    if len(data) >= LEAST * len({*data.targets}):
        return page.reference(net)
    return reference_set(net, crops(data), batch_size=page.batch_size, store=page.store)


@torch.no_grad()
def probabilities(net, images):
    """The probabilities (N, C) of images."""
    return torch.cat([net(x).softmax(1).cpu() for x, _ in page.batches(net, images)])


def by_class(p, targets):
    """By class, the mean probabilities (C,) of its images."""
    targets = torch.tensor(targets)
    return {c: p[targets == c].mean(0) for c in targets.unique().tolist()}


def likeliest(p, known, *but):
    """The most probable of the known classes, leaving out some."""
    return max((c for c in known if c not in but), key=lambda c: p[c].item())


asking, R, p, confusing = [], {}, {}, {}
for net, images in page.opened:
    images = images.readable()
    if page.setting("models_only", net):
        continue
    groups = of_classes(net)
    known = set() if groups.classes is None else {*groups.classes.tolist()}
    if len(known) < 3 or len({*images.targets}) < 2:
        print(f"Not run: the question why not, on {net.name}: there are too few classes.")
        continue
    asking.append((net, images))
    R[net.name], p[net.name] = groups, probabilities(net, images)
    means = by_class(p[net.name], images.targets)
    confusing[net.name] = {c: likeliest(of, known, c) for c, of in means.items()}

# %% [markdown]
r"""
The table shows for each map its share in the boxes (*energy*) and how often its largest value lies in them (SP). For drawn
birds it is known what differs. Let $D$ be the pixels of the parts that tell the two species apart, and $O$ those of the bird.
*Share* is the share of the map on $D$. *Rank* is how often a pixel of $D$ has a larger value than a pixel of $O \setminus D$;
by chance it is one half. Grad-CAM explains the class of the image without a rival. So does DiffCAM's *why* map, which tells
the image from all other classes. The verdicts are on the images where the confusing class has a probability of more than 1 %.
"""

# %%
def why_not(net, rival):
    """DiffCAM's options for the question why not, with a rival for each class."""
    return {"question": "why not", "rival": rival, "reference": R[net.name]}


def on_what_differs(net, images, methods, rival):
    """Rows of the share and the rank, for the birds on which a part that differs is visible."""
    names = images.classes
    D = torch.stack([differing(s, names[s.target], names[rival[s.target]]) for s in images])
    seen = D.flatten(1).any(1)
    images, D = images.subset(seen.nonzero().flatten().tolist()), D[seen]
    O, values = torch.stack([s.mask for s in images]), {}
    for label, (method, options) in methods.items():
        S = page.maps(net, images, method, **options)
        values[label, "difference_share"] = differences.difference_share(S, D)
        values[label, "difference_rank"] = differences.difference_rank(S, D, O)
    return page.rows(net, images, values)


frames = []
for net, images in asking:
    rival = confusing[net.name]
    methods = {"diff_cam_why_not": ("diff_cam", why_not(net, rival)), "diff_cam": ("diff_cam", {}),
               "grad_cam": ("grad_cam", {})}  # fmt: skip
    chance = [of[rival[c]].item() for of, c in zip(p[net.name], images.targets)]
    frames.append(page.rows(net, images, {("confusing", "probability"): chance}))
    print(f"{net.name}: on {sum(one > 0.01 for one in chance)} of {len(images)} images the confusing class has more than 1 %.")
    if len(images.having("boxes")):
        frames.append(page.evaluate(methods, ["energy_pointing_game", "pointing_game"], [(net, images)]))
    else:
        print(f"Not run: the share of the map on the object: no image of {images.name} has boxes.")
    if images.name == "birds":
        frames.append(on_what_differs(net, images, methods, rival))
confused = pd.concat(frames, ignore_index=True) if frames else page.evaluate([], [])


def table(frame):
    """Means with intervals: one row per network and method, one column per metric."""
    means = report.measured(frame)
    return report.cross(means, ["network", "title"], "metric").rename(columns=lambda m: report.symbols([m]))


table(confused[confused["method"] != "confusing"])

# %%
SIDE = 160  # pixels; birds are drawn anew at any size


def shown(net, images):
    """Images of the classes that the profile names; if there are none, the images whose confusing class is most probable,
    one per class, and one per family of birds."""
    labels, places = images.labels, {}
    for i in (labels.index(name) for name in page.setting("shown_classes") if name in labels):
        places[labels[i]] = i
    if not places:
        rival = torch.tensor([confusing[net.name][c] for c in images.targets])
        family = {name: family for family, members in FAMILIES.items() for name in members}
        for i in p[net.name].gather(1, rival[:, None])[:, 0].argsort(descending=True, stable=True).tolist():
            places.setdefault(family.get(labels[i], images.targets[i]), i)
    return images.subset([*places.values()][: page.setting("shown")])


def example(net, c, size):
    """A reference image of a class, as a picture."""
    data = matched(page.references(net), net)
    return report.in_colour(data.at(size)[data.targets.index(c)].image)


def called(net, images, c):
    """What a class is called."""
    names = images.classes or net.classes
    return names[c].partition(",")[0] if names else f"class {c}"


def rows_of(images, maps, titles):
    """A figure of images with their maps, one row per image."""
    rows = [
        [report.in_colour(sample.image), *(report.overlay(sample.image, S[i]) for S in maps.values())]
        for i, sample in enumerate(images)
    ]
    return report.grid(rows, ["Image", *maps], titles)


def finished(net, images, size, method, **options):
    """Maps at another size than the network's input."""
    raw = page.maps(net, images, method, raw=True, **options)
    return finish(method, raw, size)


for number, (net, images) in enumerate(asking, 1):
    rivals = confusing[net.name]
    few = shown(net, images)
    large = few.at(max(SIDE, *few.size))
    maps = finished(net, few, large.size, "diff_cam", **why_not(net, rivals)), finished(net, few, large.size, "grad_cam")
    titles = [f"{called(net, images, c)}, and not {called(net, images, rivals[c])}" for c in few.targets]
    rows, outlines = [], {}
    for i, sample in enumerate(large):
        other = example(net, rivals[sample.target], large.size)
        rows.append([report.in_colour(sample.image), other, *(report.overlay(sample.image, S[i]) for S in maps)])
        if images.name == "birds":
            where = differing(sample, *(images.classes[c] for c in (sample.target, rivals[sample.target])))
        elif sample.boxes is not None:
            where = covered(sample.boxes, large.size)
        else:
            continue
        outlines |= {(i, 2): where, (i, 3): where}
    report.show(
        report.grid(rows, ["Image", "The other\nclass", "DiffCAM,\nwhy not", "Grad-CAM"], titles, outlines=outlines),
        name=f"diffcam-confusing-{number}",
        alt=f"Why-not maps of DiffCAM, and maps of Grad-CAM, for the question why {'; why '.join(titles)}.",
        caption=f"As DiffCAM, figure 16, {net.name}: each image, a reference of its confusing class, and the maps of both methods. "
        + ("Outlined: the parts that differ." if images.name == "birds" else "Outlined: the boxes." if outlines else ""),
    )  # fmt: skip

# %% [markdown]
r"""
## Figure 17, line 1: models

The table lists the networks in the order of their accuracy on the photographs whose class is certain. Two measures say how
well a map finds its object. The first is the share of the map in the boxes of a photograph. The second uses composed images:
the upright strips around the objects of two photographs stand side by side, and the question is *why* one of the two classes.
*Half* is the share of the map on the half with that class's object. No photograph is in two composed images. The photograph
in the other half is also one of the references, as other images of its class would be in the paper.
"""

# %%
def composed(images, most=None):
    """Each image of the first half of the classes, in their order, beside an image of a class of the second half."""
    places = defaultdict(list)
    for i, c in enumerate(images.targets):
        places[c].append(i)
    classes = [*places]
    both = zip(classes, classes[len(classes) // 2 :][: len(classes) // 2])
    both = [(i, j) for one, other in both for i, j in zip(places[one][:most], places[other][:most])]
    return pairs(*(images.subset(index) for index in zip(*both)))


def half_share(S, data):
    """The share of maps (N, H, W) on the half of the object that is asked about."""
    own = torch.stack([s[:, record.half(data.size)].double().sum() for s, record in zip(S, data.records)])
    return own / S.double().sum((1, 2)).clamp_min(torch.finfo(torch.float64).tiny)


def same_images():
    """The networks that see the most common dataset of the page, and whose images have known classes."""
    known = [(net, images.readable()) for net, images in page.opened if net.name not in page.unlabelled]
    sets = [images.name for _, images in known]
    return [(net, images) for net, images in known if images.name == max(sets, key=sets.count)]


def ranked(models):
    """By role, a network, its images of certain class, and whether it classifies each correctly (N,); the most accurate
    network first."""
    found = []
    for net, images in models[:4]:
        certain = images.certain()
        hits = probabilities(net, certain).argmax(1) == torch.tensor(certain.targets)
        found.append((net, certain, hits.double()))
    found.sort(key=lambda of: -of[2].mean())
    return dict(zip(["strongest", "second", "third"][: len(found) - 1] + ["weakest"], found))


models, frames = ranked(same_images()), []
if len(models) < 2:
    models = {}
    print("Not run: models of rising accuracy, which needs two networks on the same images, whose classes are known.")
for role, (net, images, right) in models.items():
    best = models["strongest"]
    values = {(f"network_{role}", "accuracy"): right}
    values |= {(f"strongest_over_{role}", "accuracy_gain"): best[2] - right} if role != "strongest" else {}
    rows = [page.rows(net, images, values)]
    methods = {f"{m}_{role}": (m, {}) for m in ("diff_cam", "grad_cam")}
    both = composed(images)
    shares = {(label, "half_share"): half_share(page.maps(net, both, m), both) for label, (m, _) in methods.items()}
    rows.append(page.rows(net, both, shares))
    if len(images.having("boxes")):
        rows.append(page.evaluate(methods, ["energy_pointing_game"], [(net, images)]))
    # The networks are compared on the same images as methods are, under the name of the most accurate one.
    frames += [of.assign(network=best[0].name, architecture=best[0].architecture) for of in rows]
compared = pd.concat(frames, ignore_index=True) if frames else page.evaluate([], [])

# %%
def cell(frame, metric, label):
    """A mean with its interval."""
    of = report.measured(frame.query("metric == @metric and method == @label"))
    return "–" if of.empty else report.cross(of, "title", "metric").iat[0, 0]


rows = {}
for role, (net, images, _) in models.items():
    rows[f"{net.name} ({role})"] = {
        "top-1 (%)": cell(compared, "accuracy", f"network_{role}"),
        "in the boxes, DiffCAM (%)": cell(compared, "energy_pointing_game", f"diff_cam_{role}"),
        "Grad-CAM (%)": cell(compared, "energy_pointing_game", f"grad_cam_{role}"),
        "half, DiffCAM (%)": cell(compared, "half_share", f"diff_cam_{role}"),
        "half, Grad-CAM (%) ": cell(compared, "half_share", f"grad_cam_{role}"),
    }
pd.DataFrame(rows).T

# %%
def shown_pairs(images):
    """Some composed images, evenly spread."""
    return fewer(composed(images), page.setting("shown"))


def spoken(net, data):
    """The question about each composed image."""
    other = [record.beside.target for record in data.records]
    return [f"why {called(net, data, c)}, beside {called(net, data, o)}?" for c, o in zip(data.targets, other)]


if models:
    best, images, _ = models["strongest"]
    few = shown_pairs(images)
    large = few.at(max(SIDE, *few.size))
    maps = {f"DiffCAM,\n{role}": finished(net, few.at(net.input_size), large.size, "diff_cam")
            for role, (net, *_) in reversed(models.items())}  # fmt: skip
    maps["Grad-CAM,\nstrongest"] = finished(best, few, large.size, "grad_cam")
    means = {role: compared.query(f"metric == 'half_share' and method == 'diff_cam_{role}'")["value"].mean() for role in models}
    report.show(
        rows_of(large, maps, spoken(best, few)),
        name="diffcam-models",
        alt="DiffCAM with networks of rising accuracy, and Grad-CAM with the most accurate, on composed images: "
        f"{' '.join(spoken(best, few))} Mean share of DiffCAM's map on the half in question: "
        + ", ".join(f"{models[role][0].name} {share:.0%}" for role, share in means.items()) + ".",
        caption="As DiffCAM, figure 17, line 1, on composed images, with networks of rising accuracy: "
        + ", ".join(f"{role} {net.name}" for role, (net, *_) in reversed(models.items()))
        + ". Mean share of DiffCAM's map on the half of the object in question: "
        + ", ".join(f"{models[role][0].name} {share:.0%}" for role, share in means.items()) + ".",
    )  # fmt: skip

# %% [markdown]
r"""
## Figure 17, line 2: references of one category

An image of class $a$ beside an image of class $b$ is told from references of one class alone. With references of $b$ (*why not
the other*), the map should mark $a$, as the answer to *why a* does. With references of $a'$, the confusing class of $a$ (*why
not the confusing*), the largest difference could be the other object: the paper shows a dog beside a cow, where *why not another
dog* marks the cow. *Half* is the share of the map on the half of $a$, and $r$ is the correlation of the map with that of *why a*,
before the ReLU. *Why a* takes the nearest references of all classes but $a$, including $b$. The table therefore also has *why a*
without the references of $b$ (*without the other*), as if $b$ were unknown. If the references are photographs, those of $b$ are the
same photograph that stands beside $a$, and its crops. For drawn birds they are other birds.
"""

# %%
def of_one_category(net, images, both):
    """Composed images whose second class is among the references; and by the class a that is asked about, the class b
    beside it, and the class a′."""
    known, means = {*R[net.name].classes.tolist()}, by_class(p[net.name], images.targets)
    both = both.subset([i for i, record in enumerate(both.records) if record.beside.target in known])
    b = {record.target: record.beside.target for record in both.records}
    return both, b, {c: likeliest(means[c], known, c, other) for c, other in b.items()}


def without(net, both, b):
    """Raw maps of why a, from references without those of class b."""
    maps, groups = {}, page.reference(net)
    for c, other in b.items():
        index = [i for i, target in enumerate(both.targets) if target == c]
        some = groups.subset((groups.classes != other).nonzero().flatten())
        maps |= zip(index, page.maps(net, both.subset(index), "diff_cam", raw=True, reference=some))
    return torch.stack([maps[i] for i in range(len(both))])


def biased(net, images):
    """Rows of each question on composed images: the share on the half, and the correlation with the map of why."""
    both, b, near = of_one_category(net, images, composed(images, page.setting("of_a_class")))
    raw = {
        "diff_cam": page.maps(net, both, "diff_cam", raw=True),
        "diff_cam_without_the_other": without(net, both, b),
        "diff_cam_why_not_the_other": page.maps(net, both, "diff_cam", raw=True, **why_not(net, b)),
        "diff_cam_why_not_the_confusing": page.maps(net, both, "diff_cam", raw=True, **why_not(net, near)),
        "grad_cam": page.maps(net, both, "grad_cam", raw=True),
    }
    values = {}
    for label, M in raw.items():
        S = finish("grad_cam" if label == "grad_cam" else "diff_cam", M, both.size)
        values[label, "half_share"] = half_share(S, both)
        if label != "diff_cam":
            values[label, "correlation_to_why"] = correlation(M, raw["diff_cam"])
    return page.rows(net, both, values)


frames = [biased(*one) for one in asking]
biases = pd.concat(frames, ignore_index=True) if frames else page.evaluate([], [])
table(biases)

# %%
QUESTIONS = {"why a": "diff_cam", "why not b": "diff_cam_why_not_the_other", "why not a′": "diff_cam_why_not_the_confusing"}
for number, (net, images) in enumerate(asking, 1):
    few, b, near = of_one_category(net, images, shown_pairs(images))
    large = few.at(max(SIDE, *few.size))
    options = {}, why_not(net, b), why_not(net, near)
    maps = {said: finished(net, few, large.size, "diff_cam", **of) for said, of in zip(QUESTIONS, options)}
    titles = [", ".join(f"{which} {called(net, images, c)}" for which, c in zip(("a", "b", "a′"), (c, b[c], near[c])))
              for c in few.targets]  # fmt: skip
    own = biases[biases["network"] == net.name]
    shares = [f"{cell(own, 'half_share', label)} % for {said}" for said, label in QUESTIONS.items()]
    report.show(
        rows_of(large, maps, titles),
        name=f"diffcam-biased-{number}",
        alt=f"Maps of DiffCAM for why a, why not b and why not a′, where a stands beside b: {'; '.join(titles)}. Mean share of "
        f"the map on the half of a: {', '.join(shares)}.",
        caption=f"As DiffCAM, figure 17, line 2, on composed images, {net.name}: a stands beside b, and is most easily taken for a′. Mean "
        f"share of the map on the half of a: {', '.join(shares)}.",
    )

# %% [markdown]
r"""
## Figure 17, line 3: how many references

The number $k$ of nearest references of other classes goes from one to all of them. With one reference, $S_v = 0$ and
$w = z - \hat\mu$: the image is told from a single other image. The curves show the share of the map in the boxes, for the
networks whose images have boxes. A uniform map has the share of the image that the boxes cover.
"""

# %%
KS = page.setting("references")
COUNTS = {f"diff_cam_{k or 'all'}": ("diff_cam", {"k": k}) for k in KS}
with_boxes = [(net, images.readable()) for net, images in page.having("boxes") if net.name in R or not asking]
frames = [page.evaluate(COUNTS, ["energy_pointing_game"], with_boxes)]
for net, images in with_boxes:
    uniform = torch.stack([covered(s.boxes, images.size).double().mean() for s in images])
    frames.append(page.rows(net, images, {("uniform", "energy_pointing_game"): uniform}))
counts = pd.concat(frames, ignore_index=True)
if len(counts):
    lines = {}
    for network, mine in counts.groupby("network", sort=False):
        lines[network] = mine.pivot(index="image", columns="method", values="value")[[*COUNTS]]
    ax = report.curves(range(len(KS)), lines, xlabel="number of nearest references", ylabel="share of the map in the boxes")
    ax.set_xticks(range(len(KS)), [k or "all" for k in KS])
    means = report.measured(counts)
    told = [f"{network}: {of.iloc[0]['mean']:.1f} % with one, {of.iloc[len(KS) - 1]['mean']:.1f} % with all"
            for network, of in means.groupby("network", sort=False)]  # fmt: skip
    report.show(
        ax.figure,
        name="diffcam-counts",
        alt=f"Share of DiffCAM's map in the boxes by the number of references. {'; '.join(told)}.",
        caption="The share of DiffCAM's map in the boxes by the number of references: means over images with 95 % intervals. "
        f"{'; '.join(told)}.",
    )
    display(report.cross(means, "title", "network"))

# %%
for number, (net, images) in enumerate(asking[:1], 1):
    wanted = [i for i, label in enumerate(images.labels) if label in page.setting("shown_by_number")]
    few = images.subset(wanted) if wanted else images[:1]
    large = few.at(max(SIDE, *few.size))
    maps = {f"k = {k or 'all'}": finished(net, few, large.size, "diff_cam", k=k) for k in KS}
    report.show(
        rows_of(large, maps, few.labels),
        name="diffcam-by-number",
        alt=f"Maps of DiffCAM for images of {' and '.join(few.labels)}, with {', '.join(map(str, maps))} references.",
        caption=f"As DiffCAM, figure 17, line 3, {net.name}: the map by the number k of nearest references.",
    )

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
display(page.verdicts(confused, "Appendix G.1"))
for number, of in enumerate((compared, biases, counts), 1):  # each line compares other images or networks
    display(page.verdicts(of, f"Figure 17 (line {number})"))

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Images of several objects** are composed here, so that it is known where each object is. Each of the two photographs is cut
to half the width.

**References of a class.** ImageNet has 1,300 training images per class; these photographs are mostly one per class. Crops add
views of the same object, and no other object of its class.

**Where Grad-CAM fails.** The paper picks such an image. Picking images on which one method does badly favours any other
method. So the claim is judged on all images: what a method gains on some images counts against what it loses on others.

**Models.** The paper takes MobileNetV3, ResNet-50 and ConvNeXt. The protocol above has the networks of this page.

**Nearest references.** The paper does not say whether its one nearest reference is of another class. Here it is, as
for every *why*.
```
"""

# %%
page.departures()

# %%
page.provenance()
