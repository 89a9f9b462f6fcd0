# %% [markdown]
r"""
# The direction that tells an image from a group

A class activation map explains the decision of a network. DiffCAM {cite:p}`diffcam` answers another question,
which needs no decision: what tells this image from a group of other images? The features $z$ of the image are its
channels, averaged over positions. The features of the reference images have the mean $\hat\mu$ and the covariance
$S_v$. DiffCAM takes the direction $w$ along which the image lies furthest from the group, relative to the spread of
the group. This direction weights the channels of the map.

This page goes through appendix A of the paper, which derives that direction, and checks each of its steps in numbers.
Then it turns to a question that the paper leaves open. The covariance of fewer images than channels has no inverse,
and what replaces the inverse decides how much the covariance matters.
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
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.linalg import eigh
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from book import Page, report
from lib.data.crops import crops
from lib.evaluate import COLUMNS, evaluate_maps
from lib.methods.fisher import fisher_direction
from lib.metrics.similarity import correlation
from lib.reference import reference_set
from lib.saliency import finish

page = Page("diffcam/01_direction", globals())
page.protocol()

# %% [markdown]
r"""
## What is maximised

With $S_\mu = (z - \hat\mu)(z - \hat\mu)^T$, the direction maximises

$$
J(w) = \frac{w^T S_\mu w}{w^T S_v w},
$$

the squared distance of the image from the group's mean along $w$, in units of the group's variance along $w$.
Setting the gradient to zero (eq. 8) gives

$$
\begin{aligned}
S_v^{-1} S_\mu w - J(w)\, w &= 0, && (9) \\
S_v^{-1} (z - \hat\mu)\, \alpha &= \lambda w, \quad \lambda = J(w),\ \alpha = (z - \hat\mu)^T w, && (10)
\end{aligned}
$$

so that $w^* \propto S_v^{-1} (z - \hat\mu)$. The table checks each step in numbers and shows the largest value over the
images. Here $S_v$ is shrunk as described in [What shrinkage does](shrinkage). *Left over* is the length of the vector
that should be zero, as a share of the length of its first term; for (8) it is the length of the gradient, as a share of
$J$. $\lambda_1$ is the largest generalised eigenvalue of $S_\mu$ and $S_v$, found by a general solver. The last column is
the largest $J$ of random directions, as a share of $J(w^*)$.
"""

# %%
def group_of(target, R):
    """The features of the group that an image is told from: all references of other classes."""
    others = R.z if R.classes is None else R.z[R.classes != target]
    return others.double().numpy()


def steps(z, others, directions):
    """What each step leaves over at w*, and how J(w*) compares with other directions."""
    mean, (S, delta) = others.mean(0), ledoit_wolf(others)
    d = z - mean
    between = np.outer(d, d)  # S_mu
    w = np.linalg.solve(S, d)
    J = (w @ between @ w) / (w @ S @ w)
    x = torch.tensor(w / np.linalg.norm(w), requires_grad=True)
    (x @ torch.tensor(between) @ x / (x @ torch.tensor(S) @ x)).backward()
    ninth, tenth = np.linalg.solve(S, between @ w), np.linalg.solve(S, d) * (d @ w)
    last = len(S) - 1
    largest = eigh(between, S, subset_by_index=[last, last], eigvals_only=True)[0]
    V, m = (others - mean) / np.sqrt(len(others)), np.trace(S) / len(S)  # S = (1 - δ) V'V + δ m I
    within = (1 - delta) * ((directions @ V.T) ** 2).sum(1) + delta * m * (directions**2).sum(1)
    tried = (directions @ d) ** 2 / within
    return {
        "step_8": x.grad.norm().item() / J,
        "step_9": np.linalg.norm(ninth - J * w) / np.linalg.norm(ninth),
        "step_10": np.linalg.norm(J * w - tenth) / np.linalg.norm(tenth),
        "largest_eigenvalue": abs(J - largest) / largest,
        "best_random": tried.max() / J,
    }


LEAST = 3  # so many references have a covariance that has an inverse once it is shrunk


def told(net, images):
    """The images that have enough references of other classes; prints a line if none has."""
    R, images = page.reference(net), images.readable()
    some = images.subset([i for i, c in enumerate(images.targets) if len(group_of(c, R)) >= LEAST])
    if not some:
        print(f"Not run on {net.name}: no image has {LEAST} references of other classes.")
    return some


enough = [(net, some) for net, images in page.opened if (some := told(net, images))]
frames, shown = [pd.DataFrame(columns=COLUMNS)], {}
for net, images in enough:
    R, found = page.reference(net), {}
    generator = np.random.default_rng(0)
    directions = generator.standard_normal((page.setting("directions"), R.z.shape[1]))
    for x, target in page.batches(net, images):
        with torch.no_grad():
            pooled = net.cut(x)[0].mean((2, 3)).double().cpu().numpy()
        for z, c in zip(pooled, target.cpu()):
            for name, value in steps(z, group_of(c, R), directions).items():
                found.setdefault(name, []).append(float(value))
    worst = {name: max(values) for name, values in found.items()}
    shown[net.name] = {
        "images": len(images),
        "(8) left over": f"{worst['step_8']:.0e}",
        "(9) left over": f"{worst['step_9']:.0e}",
        "(10) left over": f"{worst['step_10']:.0e}",
        "J(w*) from λ₁": f"{worst['largest_eigenvalue']:.0e}",
        f"best of {len(directions):,} random": f"{worst['best_random']:.3f}",
    }
    values = {("diff_cam", "relative_error"): found["largest_eigenvalue"]}
    values |= {("diff_cam", "share_of_best"): found["best_random"]}
    frames.append(page.rows(net, images, values))
pd.DataFrame(shown).T.rename_axis(index="network", columns="largest over the images")

# %% [markdown]
r"""
## It is Fisher's discriminant

For two classes, Fisher's direction {cite:p}`fisher` is $S_w^{-1} (m_1 - m_2)$ with the scatter $S_w$ within the classes.
A class of a single image has no scatter: then $S_w$ is the scatter of the other class, and Fisher's direction is $w^*$.
So scikit-learn's discriminant must give DiffCAM's direction if it is trained on two classes: the image alone, and all
references. This holds without shrinkage, and where there are more references than channels. The table therefore takes
only the first channels that vary among the references, half as many as there are references. The *distance* is between
the two directions, both scaled to length one.
"""

# %%
def apart(z, others):
    """The distance between DiffCAM's direction and scikit-learn's, both of length one and of the same sign."""
    classes = np.r_[1, np.zeros(len(others), int)]
    both = np.r_[z[None], others]
    with warnings.catch_warnings():  # one class has a single sample on purpose
        warnings.filterwarnings("ignore", "Only one sample")
        lda = LinearDiscriminantAnalysis(solver="eigen", n_components=1).fit(both, classes)
    z, others = torch.from_numpy(z)[None], torch.from_numpy(others)
    w = fisher_direction(z, others, torch.ones(1, len(others), dtype=torch.bool), 0)[0]
    theirs = torch.from_numpy(lda.scalings_[:, 0])
    return (w / w.norm() - (w @ theirs).sign() * theirs / theirs.norm()).norm().item()


rows = {}
for net, images in enough:
    R, distances = page.reference(net), []
    for x, target in page.batches(net, images):
        with torch.no_grad():
            pooled = net.cut(x)[0].mean((2, 3)).double().cpu().numpy()
        for z, c in zip(pooled, target.cpu()):
            others = group_of(c, R)
            varying = np.flatnonzero(others.std(0))[: len(others) // 2]
            distances.append(apart(z[varying], others[:, varying]))
    rows[net.name] = {"images": len(distances), "largest distance": f"{max(distances):.0e}"}
    frames.append(page.rows(net, images, {("fisher_discriminant", "relative_error"): distances}))
pd.DataFrame(rows).T.rename_axis(index="network")

# %% [markdown]
r"""
(shrinkage)=
## What shrinkage does

A hundred references span at most 99 of the 512 or 1,280 dimensions of a network's features. Along all other directions
$S_v$ gives a variance of zero, and $J$ has no maximum. The covariance is therefore shrunk towards a multiple of the identity,

$$
S_v^* = (1 - \delta) S_v + \delta\, \frac{\mathrm{tr}\, S_v}{K}\, I,
$$

with the $\delta$ of Ledoit and Wolf {cite:p}`ledoit_wolf` by default. With $\delta = 1$ the direction is the plain
difference $z - \hat\mu$. The figure shows the map at several strengths of shrinkage $\delta$. The curves show how close the
map is to the map of the plain difference (the correlation of the raw maps), and what share of it lies in the boxes.
"""

# %%
STRENGTHS = [*page.setting("shrinkages"), 1.0]
VARIANTS = {f"δ = {delta:g}": ("diff_cam", {"shrinkage": float(delta)}) for delta in STRENGTHS}
BESIDE = {"Ledoit-Wolf": ("diff_cam", {}), "OAS": ("diff_cam", {"shrinkage": "oas"})}

for number, (net, images) in enumerate(page.opened, 1):
    few = images.readable(page.setting("shown"))
    some = {title: VARIANTS[title] for title in [*VARIANTS][:: max(1, len(VARIANTS) // 4)]} | BESIDE
    maps = {title: page.maps(net, few, name, **options) for title, (name, options) in some.items()}
    page.gallery(
        net, few, maps, name=f"diffcam-shrinkage-{number}",
        caption=f"DiffCAM's map by the strength of shrinkage, {net.name}, with {len(page.reference(net))} references for "
        f"{page.reference(net).z.shape[1]} channels.",
    )  # fmt: skip

# %%
def by_strength(net, images):
    """Rows of each strength: how like that of the plain difference the raw map is, and its share in the boxes."""
    plain = page.maps(net, images, "diff_cam", raw=True, shrinkage=1.0)
    alike = {
        (label, "correlation_to_plain"): correlation(page.maps(net, images, name, raw=True, **options), plain)
        for label, (name, options) in (VARIANTS | BESIDE).items()
    }
    inside = page.evaluate(VARIANTS | BESIDE, ["energy_pointing_game"], [(net, images)])
    return pd.concat([page.rows(net, images, alike), inside], ignore_index=True)


strengths = [by_strength(net, images.readable()) for net, images in page.having("boxes")]
strengths = pd.concat(strengths) if strengths else pd.DataFrame(columns=COLUMNS)
MEASURES = {"correlation_to_plain": "correlation with the\nmap of the plain difference",
            "energy_pointing_game": "share of the map\nin the boxes"}  # fmt: skip
if len(strengths):
    figure, panels = plt.subplots(2, 1, figsize=(6.4, 5.6), sharex=True)
    for panel, (metric, ylabel) in zip(panels, MEASURES.items()):
        lines = {}
        for name, mine in strengths[strengths["metric"] == metric].groupby("network", sort=False):
            lines[name] = mine.pivot(index="image", columns="method", values="value")[[*VARIANTS]]
        report.curves(STRENGTHS, lines, xlabel="", ylabel=ylabel, ax=panel)
        panel.get_legend().remove()
    panels[1].set(xscale="log", xlabel=r"strength of shrinkage $\delta$")
    panels[0].legend(loc="lower right")
    mean = strengths.groupby(["network", "metric", "method"])["value"].mean()
    ends = "; ".join(
        f"{name}: {mean[name, metric, [*VARIANTS][0]]:.3f} and {mean[name, metric, [*VARIANTS][-1]]:.3f}"
        for metric in MEASURES for name in strengths["network"].unique()
    )  # fmt: skip
    report.show(
        figure,
        name="diffcam-strength",
        alt=f"Curves by the strength of shrinkage: the correlation with the map of the plain difference, and the share of the "
        f"map in the boxes. With the least and the full strength: {ends}.",
        caption="DiffCAM's map by the strength of shrinkage: means over images with 95 % intervals. At "
        rf"$\delta = 1$ the covariance has no effect. With the least and the full strength: {ends}.",
    )

# %% [markdown]
r"""
## Where the covariance counts

With fewer references than channels, $w$ lies almost entirely outside the span of the references. There it is proportional
to $z - \hat\mu$, whatever the covariance is. The covariance can matter where the number of references $|R|$ exceeds the
number of channels $K$. The table tests this on the same images in two ways. *Crops* takes six crops of each reference
photograph. *Projected* reduces the features to 64 dimensions by their principal components, finds the direction there, and
projects it back. Each row compares the direction that uses Ledoit and Wolf's covariance with the plain difference.
"""

# %%
def projected(z, others, dimensions=64):
    """The direction found among the first principal components of the references, back in the space of channels."""
    components = torch.linalg.svd(others - others.mean(0), full_matrices=False).Vh[:dimensions].T  # (K, d)
    few = others @ components
    among = torch.ones(1, len(few), dtype=torch.bool)
    return (fisher_direction((z @ components)[None], few, among) @ components.T)[0]


@torch.no_grad()
def maps_by_case(net, images, R):
    """Raw maps (N, h, w) of the plain difference, with the covariance, and with the projected covariance."""
    found = {"plain": [], "covariance": [], "projected": []}
    for x, target in page.batches(net, images):
        A = net.cut(x)[0].cpu()
        for one, c in zip(A.double(), target.cpu()):
            z, others = one.mean((1, 2)), torch.from_numpy(group_of(c, R))
            among = torch.ones(1, len(others), dtype=torch.bool)
            ways = {
                "plain": z - others.mean(0),
                "covariance": fisher_direction(z[None], others, among)[0],
                "projected": projected(z, others),
            }
            for name, w in ways.items():
                found[name].append(torch.einsum("k,khw->hw", w, one))
    return {name: torch.stack(maps) for name, maps in found.items()}


def cases(net):
    """References by title: those of the profile, and crops of them."""
    data = page.references(net).readable()
    more = reference_set(net, crops(data), batch_size=page.batch_size, store=page.store)
    return {"whole images": page.reference(net), "six crops of each": more}


rows = {}
for net, images in page.having("boxes"):
    images = images.readable()
    for title, R in cases(net).items():
        raw = maps_by_case(net, images, R)
        S = {name: finish("diff_cam", M.float(), images.size) for name, M in raw.items()}
        frame = evaluate_maps(net, images, S, ["energy_pointing_game"])
        K = R.z.shape[1]
        for way, d in (("covariance", K), ("projected", min(64, K))):
            r = correlation(raw[way], raw["plain"]).mean().item()
            more = report.paired_difference(frame, "energy_pointing_game", way, "plain").scaled(100)
            rows[net.name, title, way] = {
                "|R| / dimensions": f"{len(R) / d:.2f}", "correlation with plain": f"{r:.3f}",
                "energy, less plain's (%)": f"{more:+.2f}",
            }  # fmt: skip
compared = pd.DataFrame(rows).T.replace("-", "−", regex=True)
compared.rename_axis(index=["network", "references", "direction"]) if rows else None

# %% [markdown]
"""
## Do the claims hold?

Appendix A is a derivation, so its verdicts test the code.
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat(frames, ignore_index=True), "Appendix A")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**The inverse.** The paper writes $S_v^{-1}$ and does not say what it does where there are fewer references than
channels. Here $S_v$ is shrunk, and the linear system is solved; the option `shrinkage` chooses how it is shrunk. If all
references are equal, as with a single one, $S_v$ is zero and the direction is $z - \hat\mu$.

**Length.** The paper defines only the direction of $w$. The code returns $w = m\, (S_v^*)^{-1} (z - \hat\mu)$ with
$m = \mathrm{tr}\, S_v / K$, which is as long as $z - \hat\mu$ at $\delta = 1$. No finished map depends on the length.

**References.** The derivation, the check against Fisher's discriminant and the last table use all references of other
classes. The method takes the nearest ones by default.
```
"""

# %%
page.departures()

# %%
page.provenance()
