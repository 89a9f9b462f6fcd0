# %% [markdown]
r"""
# Beyond the paper: a quarter of the iterations

Opti-CAM {cite:p}`opticam` optimises each map for 100 iterations at a constant learning rate of 0.1. Nothing in the
method requires this schedule. A faster schedule takes 25 iterations, with a learning rate that starts at 1.0
and falls to zero along a cosine. This page compares it with the paper's schedule, and with fewer iterations at
0.1, as in the paper's own shorter runs.

The page also shows when single images stop, and how the choices that the paper leaves open change AD, AG and AI.
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
import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch.nn import functional as F

from book import Page, fewer, report
from lib.methods.opti_cam import authors_checks, optimise
from lib.metrics import METRICS
from lib.statistics import by_image, mean_of, paired_difference

page = Page("opticam/14_schedule", globals())
net, images = page.opened[0]
METRICS_HERE = ["average_drop", "average_gain", "average_increase"]
page.protocol()

# %% [markdown]
r"""
## Quality against time

At iteration $t$ of $T$, the learning rate of a cosine schedule is $\eta\,(1 + \cos(\pi t / T)) / 2$. AG separates
the schedules even where AD and AI are near their limits. Times are for the first network.
"""

# %%
SCHEDULES = page.setting("compared")  # options of Opti-CAM, the paper's first


def variants(net):
    """The schedules that run on a network."""
    return {label: ("opti_cam", SCHEDULES[label]) for label in page.setting("schedules", net) or SCHEDULES}


def titled(label):
    """The iterations and the learning rate of a schedule, as tables show them."""
    options = SCHEDULES[label]
    kind = "cosine from" if "schedule" in options else "constant"
    return f"{options['iterations']} at {kind} {options.get('learning_rate', 0.1):g}"


def against(frame, label, reference):
    """The difference in AG to the reference, in points; empty for the reference itself."""
    difference = paired_difference(frame, "average_gain", label, reference).scaled(100)
    return "" if label == reference else f"{difference:+.1f}"


frame = page.evaluate(variants, METRICS_HERE)
seconds = by_image(page.times(variants(net), [(net, images)]))["seconds"]
rows, gains = {}, {}
for name, of in frame.groupby("network", sort=False):
    values = by_image(of)
    for label in of["method"].unique():
        found = {m: mean_of(values[m, label], (0, 1)).scaled(100) for m in METRICS_HERE}
        gains[name, label] = found["average_gain"]
        rows[name, titled(label)] = {
            **{f"{METRICS[m].symbol} (%)": str(interval) for m, interval in found.items()},
            "AG against the paper's": against(of, label, "opti_cam"),
            "n": found["average_gain"].n,
            "s per image": f"{mean_of(seconds[label]):.2f}" if name == net.name else "",
        }
pd.DataFrame(rows).T.rename_axis(["network", "schedule"])

# %%
figure, panel = plt.subplots(figsize=(6.4, 4.6))
took, of_first = seconds.mean(), {label: gains[net.name, label] for label in variants(net)}
for label, gain in of_first.items():
    reach = [[gain.mean - gain.low], [gain.high - gain.mean]]
    marker = "o" if "schedule" in SCHEDULES[label] else "s"
    panel.errorbar(took[label], gain.mean, reach, fmt=marker, markersize=9, linewidth=1.8, label=titled(label))
panel.set(xlabel="seconds per image", ylabel="AG (%)", xlim=(0, None))
panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
panel.grid(axis="y")
words = [f"{titled(label)}: {gain.mean:.0f} %" for label, gain in of_first.items()]
report.show(
    figure,
    name="opticam-schedules",
    alt="AG against time for each schedule: " + "; ".join(words) + ".",
    caption=f"AG with its 95 % interval against the time per map, {of_first['opti_cam'].n} images, {net.name}. Squares "
    "have a constant learning rate, circles a falling one. Times are means of five repetitions for one image. "
    + "; ".join(words) + ".",
)

# %% [markdown]
"""
## When does an image stop?

By the paper's rule, an image stops when its objective changes by less than $10^{-10}$ between two iterations. The
authors' code instead checks the objective after every tenth of the iterations, and stops if the objective has fallen
since the last check. The figure shows the objective of each image, as a share of its total gain.
"""

# %%
followed = page.setting("followed")
some, T = images.readable(followed["images"]), followed["iterations"]
runs = [optimise(net, x, target, iterations=T) for x, target in page.batches(net, some)]
taken = torch.cat([run.iterations for run in runs]).cpu()
ended = [F.pad(run.objective.T, (0, T - len(run.objective)), value=torch.nan) for run in runs]
objective = torch.cat(ended).cpu()  # (N, T)
gain = objective - objective[:, :1]
most = gain.nan_to_num(-torch.inf).amax(1)
share = (gain / most[:, None])[most > 0]
if len(share):
    reached = pd.Series([int((row >= 0.95).float().argmax()) + 1 for row in share])
    figure, panel = plt.subplots(figsize=(6.4, 4.2))
    panel.plot(range(1, T + 1), 100 * share.T, color="#4477aa", linewidth=1, alpha=0.5)
    panel.plot(range(1, T + 1), 100 * share.nanmean(0), color="#aa3377", linewidth=3)
    panel.set(xlabel="iteration", ylabel="share of the gain (%)")
    panel.grid(axis="y")
    report.show(
        figure,
        name="opticam-convergence",
        alt=f"The objective of {len(share)} images over {T} iterations, as a share of its total gain; half of the "
        f"images reach 95 % after {int(reached.median())} iterations.",
        caption=f"The convergence of {len(share)} images, and their mean (thick). They reach 95 % of the gain after "
        f"{reached.min()} to {reached.max()} iterations, with a median of {int(reached.median())}.",
    )
else:
    print("Not run: the objective of no image rises.")
falls = authors_checks(objective.T, T).diff(dim=0) < 0
print(f"iterations taken: {taken.min()} to {taken.max()}; {(taken < T).sum()} of {len(taken)} stopped before {T}")
print(f"by the authors' rule {falls.any(0).sum()} of {len(taken)} would have stopped before {T}")

# %% [markdown]
"""
## How the open choices change AD, AG and AI

Each row changes one option of the first row, on the same images. `masking` applies both to the optimisation and to
the measurement, `normalisation` is the function that normalises the map, and `selector` is the score that is
maximised.
"""

# %%
open_choices = page.setting("open_choices")
base, changes, some = SCHEDULES[open_choices["schedule"]], open_choices["changes"], fewer(images, open_choices["images"])
choices = {"the default": {}} | {f'{option}="{value}"': {option: value} for option, value in changes.items()}
frames = []
for label, options in choices.items():
    measured = {m: (m, options if "masking" in options else {}) for m in METRICS_HERE}
    frames.append(page.evaluate({label: ("opti_cam", base | options)}, measured, [(net, some)]))
found = pd.concat(frames, ignore_index=True)
effects = report.means(found, METRICS_HERE).loc[net.name].round(1).add_suffix(" (%)").rename_axis(None)
effects["AG against the default"] = [against(found, label, "the default") for label in effects.index]
print(f"Schedule of all rows: {titled(open_choices['schedule'])}; {len(some)} images, {net.name}")
effects

# %% [markdown]
"""
```{admonition} Beyond the paper
:class: note
The paper has no cosine schedule. It is an option of `opti_cam`
(`iterations=25, learning_rate=1.0, schedule="cosine"`) and never the default. No other page on Opti-CAM uses it
unless its departures say so.
```
"""

# %%
page.departures()

# %%
page.provenance()
