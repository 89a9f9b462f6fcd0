# %% [markdown]
"""
# Visual questions

A network for visual question answering answers questions about images, such as *What colour is the star?* It
sees the image with a convolutional part and reads the question with a recurrent one {cite:p}`vqa,lstm`. With
the question held fixed, it is a classifier of images whose classes are answers, with a head that is far from
linear. So LIFT-CAM {cite:p}`liftcam` applies without change. The paper finds it better than Grad-CAM in all
three metrics on the VQA dataset (section 4.4, table 6).

This page needs a network that answers questions, and images with questions. With `dataset=vqa` and its
`root`, it trains a network on VQA v1 and explains it there.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # one that answers questions: scenes_vqa, vqa_v1; empty: the dataset's
weights: str = ""  # path of a state dict; empty: trained in the build
layer: str = ""  # target layer; empty: the last activation of the convolutions
dataset: str = ""  # one with questions: scene_questions, vqa; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many questions; 0: the profile's choice
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from dataclasses import replace

import pandas as pd
import torch

from book import Page, batch, report
from lib.classes import matched
from lib.methods import METHODS
from lib.saliency import explain, predict
from testbeds.questions import answerer


def opening(experiment, *, weights, root, **how):
    """The network as the classifier of the first question, and the images; `model` answers the other questions."""
    global model
    home = experiment.trained_at(root)
    model = answerer(experiment.network, weights=weights or None, **how, **home)
    images = experiment.images_at(model.recipe.input_size, root)
    net = model.ask(images.records[0].question, layer or None)
    return net, matched(images, net)


page = Page("liftcam/05_visual_questions", globals(), needs=["question"], opening=opening)
page.protocol()

# %% [markdown]
r"""
## The network

With $A$ the last activation of the convolutions and $q$ the words of the question, the network is

$$
F(A; q) = \mathrm{MLP}\big(\phi(W_v A) \odot \phi(W_q\,\mathrm{LSTM}(q))\big) .
$$

The vector of the question is a constant, so the product is a linear step, and DeepLIFT's contributions
add up exactly. The table has the accuracy by the first two words of the question.
"""

# %%
experiment, (_, images) = page.experiments[0], page.opened[0]
index = {}
for i, record in enumerate(images.records):
    index.setdefault(record.question, []).append(i)
kinds = {record.id: " ".join(record.question.split()[:2]) + " ..." for record in images.records}
asked = {q: (model.ask(q, layer or None), images.subset(of)) for q, of in index.items()}

answered = []
for net, about in asked.values():
    about = about.readable()
    right = [(predict(net, x) == target).float() for x, target in page.batches(net, about)]
    answered.append(page.rows(net, about, {("answerer", "probability"): torch.cat(right).tolist()}))
answered = pd.concat(answered, ignore_index=True)
by_kind = answered.groupby(answered["image"].map(kinds), sort=False)["value"]
table = by_kind.agg(questions="size", accuracy="mean").rename_axis("question")
table.assign(accuracy=table["accuracy"].map("{:.0%}".format))

# %% [markdown]
"""
## One image, several questions

As in figure 4 of the paper, the network is asked several questions about the same image.
"""

# %%
METHODS_OF_TABLE_6 = ["grad_cam", "lift_cam"]
scenes = matched(replace(experiment, images=None).images_at(net.input_size, page.root), net)
groups = [record.group or record.id for record in scenes.records]
first = groups[min(page.setting("first"), len(groups) - 1)]
few = scenes.subset(i for i, group in enumerate(groups) if group == first).readable(4)
maps, titles = {METHODS[name].title: [] for name in METHODS_OF_TABLE_6}, []
for i, record in enumerate(few.records):
    net = model.ask(record.question, layer or None)
    x, target = batch(net, few.subset([i]))
    titles.append(f"{record.question} {model.answers[predict(net, x)]}")
    for name in METHODS_OF_TABLE_6:
        maps[METHODS[name].title].append(explain(name, net, x, target)[0].cpu())
report.show(
    report.gallery([sample.image for sample in few], maps, titles, columns=3),
    name="liftcam-questions",
    alt=f"Maps of Grad-CAM and LIFT-CAM for one image under several questions: {'; '.join(titles)}.",
    caption="LIFT-CAM, figure 4, on another image. Above each row: the question and the network's answer. The maps explain the true "
    "answer. A map is empty where the channels speak against the answer everywhere.",
)

# %% [markdown]
"""
## Table 6

AI, AD and ADD are defined on [the page of table 1](02_shap_values). The question is held fixed while the
image is masked. For the confidence intervals, questions about the same image are resampled together.
"""

# %%
METRICS_OF_TABLE_6 = ["average_increase", "average_drop", "average_drop_in_deletion"]
frame = page.evaluate(METHODS_OF_TABLE_6, METRICS_OF_TABLE_6, asked.values())
page.table(6, frame)

# %% [markdown]
"""
## Does it look at the right object?

The paper says so about figure 4, by eye. Here it is measured as in table 5: the share of the map in the boxes of the
objects that the question is about, for questions about objects in the image. The column of Fake-CAM is the area of the
boxes, which is the share of a uniform map.
"""

# %%
located, energy = [], pd.DataFrame(columns=frame.columns)
for net, about in asked.values() if page.having("boxes") else ():
    about = about.having("boxes").readable()
    if there := [i for i, sample in enumerate(about) if len(sample.boxes)]:
        located.append((net, about.subset(there)))
if located:
    energy = page.evaluate([*METHODS_OF_TABLE_6, "fake_cam"], ["energy_pointing_game"], located)
    for name in METHODS_OF_TABLE_6:
        more = report.paired_difference(energy, "energy_pointing_game", name, "fake_cam").scaled(100)
        print(f"{METHODS[name].title}: {more:+.1f} points over the area")
    shares = energy.assign(question=energy["image"].map(kinds)).pivot_table("value", "question", "method", sort=False)
    shares = shares.mul(100).round(1).rename(columns=report.method_title)
    display(shares.rename_axis(columns="share of the map in the boxes (%)"))

# %% [markdown]
"""
## Do the claims hold?

The claims are about a network that answers correctly. Where it is not certain that most of its answers are right,
they cannot be tested.
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat([frame, energy, answered], ignore_index=True), "Table 6", "Figure 4")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Data.** The paper uses the complete validation set of VQA v1.

**Answers.** The paper does not say which answer it explains; here it is the true one.

**Network.** As in the paper, a CNN and an LSTM, whose vectors are multiplied.

**VQA v1.** The classes are the 1,000 most frequent answers of the training split, as in the VQA paper. Questions
with another answer are left out.
```
"""

# %%
page.departures()

# %%
page.provenance()
