# %% [markdown]
"""
# Visual questions

*What colour is the star?* A network that answers looks at the image with a convolutional part and reads
the question with a recurrent one {cite:p}`vqa,lstm`. Hold the question fixed, and what is left is a
classifier of images whose classes are answers, with a head that is far from linear: LIFT-CAM
{cite:p}`liftcam` applies as it stands. The paper finds it better than Grad-CAM in all three measures on
the VQA dataset (section 4.4, table 6).

Only a network that answers questions can run here, on images that are asked them. With `dataset=vqa` and
its `root`, the page trains on VQA v1 and runs there.
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
batch_size: int = 16  # images a pass; changes no number
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
    """The network as the classifier of the first question, and the images; `model` is asked the others."""
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

With $A$ the last activation of the convolutions and $q$ the question's words,

$$
F(A; q) = \mathrm{MLP}\big(\phi(W_v A) \odot \phi(W_q\,\mathrm{LSTM}(q))\big) .
$$

The question's vector is a constant, so that the product is a linear step, and DeepLIFT's contributions
add up exactly. The table sorts the questions by their first two words.
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

As figure 4 of the paper: the same image, asked different things.
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
    caption="As LIFT-CAM, figure 4. Above each row the question and the network's answer; the maps are those of the true answer. A map is "
    "empty where the channels speak against the answer everywhere.",
)

# %% [markdown]
"""
## Table 6

AI, AD and ADD as on [the pages before](02_shap_values), with the question held fixed while the image is
masked. Questions about the same image are resampled together.
"""

# %%
METRICS_OF_TABLE_6 = ["average_increase", "average_drop", "average_drop_in_deletion"]
frame = page.evaluate(METHODS_OF_TABLE_6, METRICS_OF_TABLE_6, asked.values())
page.table(6, frame)

# %% [markdown]
"""
## Does it look at the right object?

The paper says so of figure 4, by eye. Here it is measured as in table 5: the share of the map in the boxes of what
the question is about, for questions about objects that are there. Fake-CAM's row is the area of the boxes: what a map gets that
knows nothing.
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

They are about a network that answers: where it is not certain that most of its answers are right, they cannot
be tested.
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat([frame, energy, answered], ignore_index=True), "Table 6", "Figure 4")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Data.** The paper uses the complete validation set of VQA v1.

**Answers.** The paper does not say which answer it explains; here it is the true one.

**Network.** As in the paper a CNN and an LSTM, multiplied.

**VQA v1.** The 1,000 most frequent answers of the training split, as the VQA paper has them; questions
with another answer are left out.
```
"""

# %%
page.departures()

# %%
page.provenance()
