# %% [markdown]
r"""
# Back-propagation till the input space

If an explanation says what speaks for a class, then more of it should raise the probability of the class.
Back-propagated to the pixels, an explanation gives a direction: each pixel moves along the sign of its value, by so
little that nobody sees it. The paper {cite:p}`contrast` moves images along four explanations and observes the
network: the original one, which is the gradient of the logit $y_t$, and its mean, max and weighted contrasts. The results
are in its main text, which is not at hand; proposition 2 says what to expect.

This page does the experiment, towards the class and away from it.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
epsilon: float = 3e-3  # how far a pixel may move, of its range from 0 to 1
steps: int = 0  # on the way; 0: the profile's choice
batch_size: int = 20  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, batch, report
from lib.metrics.gradient_sign import gradient_sign

page = Page("contrast/06_input_space", globals())
steps = page.setting("steps")
EXPLANATIONS = {"original": "none", "mean": "mean", "max": "max", "weighted": "weighted"}
page.protocol()

# %% [markdown]
r"""
## Steps along the sign

$$
x^{(n+1)} = \operatorname{clamp}\Big(x^{(n)} + \frac{\epsilon}{N} \operatorname{sign} \phi_t(x^{(n)})\Big),
\qquad
\phi_t = \frac{\partial}{\partial x} \Big(y_t - \sum_{s \ne t} a_s y_s\Big),
$$

within $\epsilon$ of the image and between black and white. The weights $a$ are zero for the original explanation and
equal for the mean contrast. For the max contrast the strongest other class has the weight one, and for the weighted
contrast the weights are the softmax over the other classes. The sign drops the magnitude of an explanation, so the
experiment compares only directions.
"""

# %%
def moved(net, images, contrast):
    """Logit, probability and correctness (N, 2 steps + 1) of images that move from -epsilon to epsilon."""
    found = {"y": [], "p": [], "correct": []}
    for start in range(0, len(images), batch_size):
        x, t = batch(net, images[start : start + batch_size])
        away, towards = (
            gradient_sign(net, x, t, contrast=contrast, epsilon=way, steps=steps) for way in (-epsilon, epsilon)
        )
        for what, values in found.items():
            down, up = (getattr(path, what).double().cpu() for path in (away, towards))
            values.append(torch.cat([down[:, 1:].flip(1), up], 1))
    return {what: torch.cat(values) for what, values in found.items()}


results = []
for net, images in page.opened:
    images = images.readable()
    results.append((net, images, {title: moved(net, images, c) for title, c in EXPLANATIONS.items()}))

# %% [markdown]
r"""
## Accuracy, logit and probability

The figures show the means against the distance: images move towards their class to the right, and away from it to the
left. The distance that the authors used, $3 \cdot 10^{-3}$, is less than the step between two of the 256 levels of a pixel.
"""

# %%
LABELS = {"y": "gain in logit", "p": "gain in probability (points)", "correct": "accuracy (%)"}
axis = torch.linspace(-1000 * epsilon, 1000 * epsilon, 2 * steps + 1)


def gain(values, place=-1):
    """The change from the image itself to a point on its path."""
    return values[:, place] - values[:, steps]


for n, (net, images, found) in enumerate(results):
    figure, panels = plt.subplots(3, 1, figsize=(6.4, 10.2), sharex=True)
    groups = [sample.group for sample in images]
    for panel, (what, label) in zip(panels, LABELS.items()):
        scale = 1 if what == "y" else 100
        series = {title: scale * values[what] for title, values in found.items()}
        if what != "correct":
            series = {title: values - values[:, [steps]] for title, values in series.items()}
        report.curves(axis, series, xlabel="", ylabel=label, emphasis="weighted", groups=groups, ax=panel)
        panel.axvline(0, color="0.5", linestyle=":", zorder=0)
    for panel in panels[:-1]:
        panel.get_legend().remove()
    panels[-1].set(xlabel="ε, in thousandths of a pixel's range")
    y, p = ({title: gain(values[what]).mean().item() for title, values in found.items()} for what in "yp")
    gained = (
        f"At the largest epsilon the {max(y, key=y.get)} direction has raised the logit most, by "
        f"{max(y.values()):.2f}, and the {max(p, key=p.get)} direction the probability, by {100 * max(p.values()):.1f} points."
    )
    report.show(
        figure,
        name=f"contrast-input-space-{n + 1}",
        alt=f"Logit, probability and accuracy of {len(images)} images against epsilon for four explanations, {net.name}. {gained}",
        caption=f"Images moved along the sign of four explanations: means over {len(images)} images, and the 95 % interval "
        f"of the weighted contrast; {net.name}. {gained}",
    )

# %% [markdown]
r"""
The table has the mean changes at $\epsilon$ and at $-\epsilon$:
"""

# %%
def changed(values, place):
    """Mean changes from the image to a point on its path."""
    y, p, correct = (gain(values[what], place).mean() for what in ("y", "p", "correct"))
    return f"{y:+.2f}", f"{100 * p:+.1f}", f"{100 * correct:+.1f}"


columns = pd.MultiIndex.from_product(
    [["towards the class", "away from it"], ["Δy", "Δp (points)", "Δ accuracy (points)"]]
)
rows = {
    (net.name, title): changed(values, -1) + changed(values, 0)
    for net, _, found in results
    for title, values in found.items()
}
pd.DataFrame(rows, index=columns).T

# %% [markdown]
r"""
By [proposition 2](01_propositions) the weighted contrast has the sign of the gradient $g$ of $p_t$ at every pixel.
To first order, a step $\epsilon \operatorname{sign} g$ raises the probability by $\epsilon \sum \lvert g \rvert$, the most
that is possible if no pixel moves by more than $\epsilon$. For the same reason no direction raises the logit faster than
the original explanation. Both are theorems for small enough $\epsilon$. The experiment shows whether $3 \cdot 10^{-3}$ is
small enough, and how much less the other directions gain.

## Does what follows from proposition 2 hold?
"""

# %% tags=["nbval-check-output"]
frames = []
for net, images, found in results:
    gains = {(title, "probability_gain"): gain(of["p"]) for title, of in found.items()}
    frames.append(page.rows(net, images, gains))
page.verdicts(pd.concat(frames, ignore_index=True), "Proposition 2 in the input space")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Distance.** The paper prints $\epsilon = 10^{-3}$, its authors used $3 \cdot 10^{-3}$. This page uses the latter, and
its curves pass the former. Pixels are in $[0, 1]$ and stay there.

**The class** is the labelled one, so the share of images on which it is the most probable is the accuracy. For images
without labels it is the predicted one, and the share starts at 100 %.

**One path of several steps.** Each curve follows one path of $N$ steps in each direction, and evaluates the network after
each step. The weights of a contrast are recomputed at each step.

**Away from the class** is not in the part of the paper that is at hand. It is the usual adversarial direction.
```
"""

# %%
page.departures()

# %%
page.provenance()
