# ---
# jupyter:
#   jupytext:
#     cell_markers: '"""'
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
"""
# Asking people

Opti-CAM {cite:p}`opticam` is judged by what a network sees through a map. Its appendix D asks people instead:
38 participants saw 20 photographs with the maps of two networks, which were not named, and said which network
was better. In 58.15 % of the cases they chose VGG-16 over ResNet-50, and said that they preferred maps with
larger regions of the object.

A program cannot repeat their answers. This page makes such a survey, ready to print, and asks what the printed
share can bear.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm name or torchvision:<name>; empty: the profile's
rival: str = ""  # the network beside it; empty: the profile's
dataset: str = ""  # imagenet_embedded, imagenet, folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # photographs to choose from; 0: the profile's choice
seed: int = 0  # of the questions' order, and of which network is A

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from book import report, survey
from lib import data, nets
from book.experiments import COSINE_40, settings
from lib.evaluate import saliency_maps
from book.parameters import check_parameters, choose
from lib.paths import BUILD

check_parameters()
pair = choose(
    profile, smoke=survey.NETWORKS, embedded=survey.NETWORKS, paper=("torchvision:resnet50", "torchvision:vgg16_bn")
)
pair = network or pair[0], rival or pair[1]
images = data.load(
    dataset or choose(profile, smoke="imagenet_embedded", embedded="imagenet_embedded", paper="imagenet"),
    root=root or None,
    limit=n_images or choose(profile, smoke=3, embedded=None, paper=100),
).readable()
options = settings(profile, schedule=COSINE_40)["opti_cam"] | {"store": BUILD / "results"}

# %% [markdown]
"""
## The form

Photographs are those that both networks classify correctly, as in the paper. Each network is A in half of the
questions, in random order. The page of the form is one file, without a name of a network in it; it prints on A4.
The key is a table beside it.
"""

# %%
questions = survey.questions(images, pair, n=20, seed=seed, **options)
survey.make(questions, BUILD / "survey" / profile)

shown = questions[:3]
report.style()
figure, panels = plt.subplots(len(shown), 3, squeeze=False, figsize=(6.4, 0.5 + 2.1 * len(shown)))
for number, (row, question) in enumerate(zip(panels, shown), 1):
    for panel, title, picture in zip(row, [f"{number}. Photograph", "Map A", "Map B"], [question.photograph, *question.maps]):
        panel.imshow(picture)
        panel.set_title(title)
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
figure.suptitle(survey.QUESTION)
report.show(
    figure,
    name="opticam-survey",
    alt=f"The first {len(shown)} of {len(questions)} questions: a photograph, map A and map B, without a name.",
    caption=f"The beginning of the form: {len(questions)} photographs with two maps each. {survey.QUESTION}",
)

# %% [markdown]
"""
To ask people with it:

```
python -m lib survey make --out survey        # form.html, key.csv, answers.csv
python -m lib survey score survey/answers.csv survey/key.csv
```

`answers.csv` takes a line for each answer: participant, question, A or B. The score is the share of each network
with a 95 % bootstrap interval, in which the answers of one participant are drawn together.
"""

# %% [markdown]
r"""
## What 58.15 % can bear

38 participants and 20 photographs make $n = 760$ answers. The paper prints neither the answers of each person nor
those to each photograph. If all were independent, the share $p$ would be certain to a few points. They are not:
a person has a taste, and a photograph has a better map. If answers of one person correlate by $r$, the $m = 20$
answers of each count for less, by Kish's design effect; likewise the $m = 38$ answers to each photograph
{cite:p}`kish`:

$$
\mathrm{Var}(p) = \frac{p (1 - p)}{n} \big(1 + (m - 1) r\big).
$$
"""

# %%
PARTICIPANTS, PHOTOGRAPHS, PRINTED = 38, 20, 0.5815  # appendix D
n = PARTICIPANTS * PHOTOGRAPHS
chosen = round(PRINTED * n)
independent = binomtest(chosen, n).proportion_ci(method="wilson")
r = np.linspace(0, 1, 201)
clusters = {"one person's answers correlate": PHOTOGRAPHS, "answers to one photograph correlate": PARTICIPANTS}
spread = {title: 1.96 * np.sqrt(PRINTED * (1 - PRINTED) / n * (1 + (m - 1) * r)) for title, m in clusters.items()}
of_people, of_photographs = (r[PRINTED - half > 0.5].max() for half in spread.values())

report.style()
figure, axis = plt.subplots(figsize=(6.4, 4.4))
for (title, half), colour, line in zip(spread.items(), ["C0", "C1"], ["-", "--"]):
    axis.plot(r, 100 * (PRINTED - half), line, color=colour, linewidth=2.5, label=title)
    axis.plot(r, 100 * (PRINTED + half), line, color=colour, linewidth=2.5)
axis.axhline(100 * PRINTED, color="0.4", linewidth=1)
axis.axhline(50, color="0.4", linestyle=":")
axis.annotate("no preference", (1, 50), textcoords="offset points", xytext=(0, 5), ha="right")
axis.set(xlabel="correlation $r$", ylabel="share of VGG-16 (%)", xlim=(0, 1))
axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18))
report.show(
    figure,
    name="opticam-survey-interval",
    alt=f"The 95 % interval of the printed share, from {100 * independent.low:.0f} to {100 * independent.high:.0f} % when answers are "
    f"independent, widening with their correlation until it takes in 50 %: at {of_people:.2f} between answers of "
    f"one person, at {of_photographs:.2f} between answers to one photograph.",
    caption=f"95 % interval of the printed 58.15 %. With independent answers it is {100 * independent.low:.1f} to "
    f"{100 * independent.high:.1f} % (Wilson, {chosen} of {n}). It takes in 50 % once answers of one person correlate by more than "
    f"{of_people:.2f}, or answers to one photograph by more than {of_photographs:.2f}.",
)

# %% [markdown]
"""
No count out of 760 gives 58.15 when rounded: 442 is 58.158, 441 is 58.026. The share was cut, or some answers were
missing.

The preferred network is not the better one. On ImageNet VGG-16 classifies 71.6 % correctly and ResNet-50 76.1 %
(torchvision's weights, top 1): people judged maps, and the maps did not tell them how good a network is.

## Larger regions of the object

What the participants gave as their reason can be computed: how much of the object a map covers, as the mean of the
map inside the object's box. These numbers are no answers; they say what somebody who follows this reason alone
would choose between the two networks above.
"""

# %%
def coverage(name):
    """The mean of Opti-CAM's map inside the boxes of each photograph of the survey."""
    net = nets.load(name)
    sized = images.at(net.input_size)
    S = dict(zip(sized.ids, saliency_maps(net, sized, "opti_cam", **options)))
    found = {}
    for sample in sized:
        if sample.boxes is None or sample.id not in {q.image for q in questions}:
            continue
        inside = np.zeros(sized.size, bool)
        for x0, y0, x1, y1 in sample.boxes.round().int().tolist():
            inside[y0:y1, x0:x1] = True
        found[sample.id] = S[sample.id].numpy()[inside].mean()
    return pd.Series(found, dtype=float)


covered = pd.DataFrame({name: coverage(name) for name in pair})
first, second = (report.mean_ci(covered[name]) for name in pair)
more = report.mean_ci(covered[pair[1]] > covered[pair[0]])
by = report.mean_ci(covered[pair[1]] - covered[pair[0]])
if len(covered) >= report.MIN_IMAGES:
    print(f"mean of the map in the box: {pair[0]} {first.mean:.2f}, {pair[1]} {second.mean:.2f}")
    print(f"difference {by.mean:+.2f} [{by.low:+.2f}, {by.high:+.2f}]; {pair[1]} covers more on {more.mean:.0%} of {more.n} photographs")
else:
    print(f"{len(covered)} photographs with boxes: not enough images")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**People.** None were asked. Their answers are quoted from the paper; no figure on this page stands for them.

**Networks and photographs.** EfficientNet-Lite0 and Lite1 in place of ResNet-50 and VGG-16; of the 20 photographs
here, those that both classify correctly. The profile `paper` takes the paper's networks and 20 of 100 validation
images.

**Iterations.** In the embedded profile Opti-CAM runs 40 with cosine decay from 0.5 on both networks, in place of 100
at 0.1; [the last page](14_schedule) compares the two. The form that the command writes has the paper's.

**The question.** The paper asks "which network performed better, solely based on the saliency maps". Whether its
participants were told what the photograph shows is not said; here they are not.
```
"""

# %%
report.provenance(
    profile=profile, network=network, rival=rival, dataset=dataset, root=root, n_images=n_images, seed=seed,
)  # fmt: skip
