# %% [markdown]
"""
# Asking people

Most metrics of the Opti-CAM paper {cite:p}`opticam` ask what a network makes of the masked image. Its
appendix D asks people instead: 38 participants saw 20 photographs with Opti-CAM's maps of two unnamed networks,
and said which network was better. In 58.15 % of the cases they chose VGG-16 over ResNet-50. They said that they
preferred maps with larger regions of the object.

A program cannot repeat these answers. This page makes such a survey, ready to print, and computes how certain the
printed share is.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list` whose classes both networks know; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
rival: str = ""  # the network beside it, of the same classes; empty: the profile's
seed: int = 0  # of the questions' order, and of which network is A

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binomtest

from book import Page, in_one_sentence, report, survey
from lib.metrics.localization import energy

page = Page("opticam/09_survey", globals())
if rival or len(page.experiments) == 1:  # one's own network, beside a rival or another network of the profile
    first = page.experiments[0]
    others = [e.network for e in reversed(page.planned) if e.network != first.network]
    page.experiments = page.experiments[:1]
    page.opened.append(page.open(replace(first, network=rival or others[0], layer="", title=""), weights=""))
(one, images), (two, _) = page.opened
with in_one_sentence():
    if (one.classes or one.num_classes) != (two.classes or two.num_classes):
        raise ValueError(f"{two.name} does not know the classes of {one.name}: give rival, a network that does")
images = images.readable()
page.protocol()

# %% [markdown]
"""
## The form

The images are those that both networks classify correctly, as in the paper; without labels, those for which both
networks predict the same class. Each network is A in half of the questions, in random order. The form is one file that
prints on A4 and does not name the networks. The key is a table in a file of its own.
"""

# %%
questions = []
try:
    questions = survey.questions(images, (one, two), n=20, seed=seed, **page.how, **page.options("opti_cam"))
    survey.make(questions, page.folder("survey"))
    page.note(one, ["opti_cam"])
except ValueError as why:
    print(f"Not run: {why}.")
if questions:
    shown = questions[:3]
    rows = [[question.photograph, *question.maps] for question in shown]
    titles = [f"{number}. {survey.QUESTION}" for number in range(1, len(shown) + 1)]
    report.show(
        report.grid(rows, ["Image", "Map A", "Map B"], titles),
        name="opticam-survey",
        alt=f"The first {len(shown)} of {len(questions)} questions: an image, map A and map B, without network names.",
        caption=f"The first {len(shown)} questions of the form, which has {len(questions)} images with two maps each.",
    )

# %% [markdown]
"""
To run the survey:

```
python -m lib survey make --out survey        # form.html, key.csv, answers.csv
python -m lib survey score survey/answers.csv survey/key.csv
```

`answers.csv` has one line per answer: participant, question, A or B. The score is the share of answers for each
network. Its 95 % interval is over participants, since the answers of one participant belong together.
"""

# %% [markdown]
r"""
## How certain the printed share is

38 participants and 20 photographs make $n = 760$ answers. The paper prints neither the answers of each participant nor
those to each photograph. If all answers were independent, the share $p$ would be certain to a few points. They are not
independent: a participant may prefer one kind of map, and one of the two maps of a photograph may be clearly better.
If the $m = 20$ answers of one participant correlate by $r$, Kish's design effect gives the variance of $p$. The same
holds for the $m = 38$ answers to one photograph {cite:p}`kish`:

$$
\mathrm{Var}(p) = \frac{p (1 - p)}{n} \big(1 + (m - 1) r\big).
$$
"""

# %%
PARTICIPANTS, PHOTOGRAPHS, PRINTED = 38, 20, 0.5815  # appendix D
n = PARTICIPANTS * PHOTOGRAPHS
chosen = round(PRINTED * n)
independent = binomtest(chosen, n).proportion_ci(method="wilson")
low, high = 100 * independent.low, 100 * independent.high
r = np.linspace(0, 1, 201)
clusters = {"one person's answers correlate": PHOTOGRAPHS, "answers to one photograph correlate": PARTICIPANTS}
reach = {title: 1.96 * np.sqrt(PRINTED * (1 - PRINTED) / n * (1 + (m - 1) * r)) for title, m in clusters.items()}
of_people, of_photographs = (r[PRINTED - half > 0.5].max() for half in reach.values())

figure, axis = plt.subplots(figsize=(6.4, 4.4))
for (title, half), look in zip(reach.items(), ["C0-", "C1--"]):
    axis.plot(r, 100 * (PRINTED + np.outer(half, [-1, 1])), look, linewidth=2.5, label=[title, None])
axis.axhline(100 * PRINTED, color="0.4", linewidth=1)
axis.axhline(50, color="0.4", linestyle=":")
axis.annotate("no preference", (1, 50), textcoords="offset points", xytext=(0, 5), ha="right")
axis.set(xlabel="correlation $r$", ylabel="share of VGG-16 (%)", xlim=(0, 1))
axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18))
report.show(
    figure,
    name="opticam-survey-interval",
    alt=f"The 95 % interval of the printed share, from {low:.0f} to {high:.0f} % when answers are independent, "
    f"widening with their correlation until it contains 50 %: at {of_people:.2f} between answers of one person, "
    f"at {of_photographs:.2f} between answers to one photograph.",
    caption=f"95 % interval of the printed 58.15 %. With independent answers it is {low:.1f} to {high:.1f} % "
    f"(Wilson, {chosen} of {n}). It contains 50 % if answers of one person correlate by more than "
    f"{of_people:.2f}, or answers to one photograph by more than {of_photographs:.2f}.",
)

# %% [markdown]
"""
No count out of 760 gives 58.15 % when rounded: 442 gives 58.158 %, and 441 gives 58.026 %. Either the share was
cut off, or some answers were missing.

The preferred network is not the better one. On ImageNet, VGG-16 with batch normalisation classifies 73.4 % of the
images correctly, and ResNet-50 76.1 % (torchvision's weights, top 1). The maps did not tell the participants which
network was better.

## Larger regions of the object

The reason that the participants gave can be computed: how much of the object a map covers, measured by the mean of the
map inside the object's box. These numbers replace no answers. They show what a person who follows only this reason
would choose between the two networks above.
"""

# %%
asked = {question.image for question in questions}
boxed = [i for i, s in enumerate(images) if s.id in asked and s.boxes is not None and len(s.boxes)]


def coverage(net):
    """The mean of Opti-CAM's map inside the boxes of each image of the survey (N,)."""
    sized = images.subset(boxed).at(net.input_size)
    S = page.maps(net, sized, "opti_cam")
    found = energy(net, None, None, S, boxes=[sample.boxes.round() for sample in sized])
    return (found.inside / found.pixels).numpy()


if len(boxed) >= report.MIN_IMAGES:
    ours, theirs = coverage(one), coverage(two)
    by, more = report.mean_ci(theirs - ours), report.mean_ci(theirs > ours)
    print(f"mean of the map in the box: {one.name} {ours.mean():.2f}, {two.name} {theirs.mean():.2f}")
    print(f"difference {by:+.2f}; {two.name} covers more on {more.mean:.0%} of {more.n} images")
else:
    print(f"Not run: {len(boxed)} images of the form have boxes, and this section needs {report.MIN_IMAGES}.")

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
report.claims_table(report.claims("opticam", "Appendix D"), page.evaluate([], []))

# %% [markdown]
"""
```{admonition} Departures
:class: note
**People.** No people were asked for this page. The share of answers is quoted from the paper.

**Images.** The form has at most 20 images, drawn at random if both networks classify more of them correctly.

**Question.** The paper asks "which network performed better, solely based on the saliency maps". It does not say
whether its participants were told what the photograph shows. The form here does not say what it shows.
```
"""

# %%
page.departures()

# %%
page.provenance()
