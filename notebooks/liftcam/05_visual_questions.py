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
# %% [markdown]
"""
# Visual questions

*What colour is the star?* A network that answers looks at the image with a convolutional part and reads
the question with a recurrent one {cite:p}`vqa,lstm`. Hold the question fixed, and what is left is a
classifier of images whose classes are answers, with a head that is far from linear: LIFT-CAM
{cite:p}`liftcam` applies as it stands. The paper finds it better than Grad-CAM in all three measures on
the VQA dataset (section 4.4, table 6).

**This page uses a test bed.** The scenes are drawn by a program, and the network is trained in this
build. What it shows is whether the claim carries over where the object that answers is known to the
pixel. With `dataset=vqa` and its `root`, the page trains on VQA v1 and runs there.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # scenes_vqa, vqa_v1; empty: the dataset's
weights: str = ""  # path of a state dict; empty: trained in the build
layer: str = ""  # target layer; empty: the last activation of the convolutions
dataset: str = ""  # scene_questions, vqa; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many questions; 0: the profile's choice
batch_size: int = 16  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import pandas as pd

from book import report
from lib import data
from lib.evaluate import evaluate
from lib.methods import METHODS
from book.parameters import check_parameters, choose
from lib.paths import BUILD
from lib.saliency import explain
from testbeds.questions import answerer

check_parameters()
dataset = dataset or choose(profile, smoke="scene_questions", embedded="scene_questions", paper="vqa")
drawn = choose(profile, smoke="scenes_vqa_quick", embedded="scenes_vqa", paper="scenes_vqa")
network = network or {"scene_questions": drawn, "vqa": "vqa_v1"}[dataset]
model = answerer(network, weights=weights or None, root=root or None, device=device)
images = data.load(
    dataset, root=root or None, limit=n_images or choose(profile, smoke=4, embedded=400, paper=None), size=model.recipe.input_size
)
store = BUILD / "results"
questions = list(dict.fromkeys(record.question for record in images.records))
about = {q: images.subset(i for i, r in enumerate(images.records) if r.question == q) for q in questions}
asked = {q: model.ask(q, layer or None) for q in questions}

# %% [markdown]
r"""
## The network

With $A$ the last activation of the convolutions and $q$ the question's words,

$$
F(A; q) = \mathrm{MLP}\big(\phi(W_v A) \odot \phi(W_q\,\mathrm{LSTM}(q))\big) .
$$

The question's vector is a constant, so that the product is a linear step, and DeepLIFT's contributions
add up exactly. The questions are of four kinds:
"""

# %%
rows = []
for question, subset in about.items():
    for index, sample in enumerate(subset):
        x = sample.image[None].to(asked[question].device)
        right = asked[question](x).argmax(1).item() == sample.target
        rows.append((" ".join(question.split()[:2]) + " ...", right))
answered = pd.DataFrame(rows, columns=["question", "right"]).groupby("question", sort=False)["right"]
answered.agg(questions="size", accuracy="mean").assign(accuracy=lambda t: t["accuracy"].map("{:.0%}".format))

# %% [markdown]
"""
## One scene, four questions

As figure 4 of the paper: the same image, asked different things.
"""

# %%
METHODS_OF_TABLE_6 = ["grad_cam", "lift_cam"]
scenes = data.load(dataset, root=root or None, size=model.recipe.input_size)
first = scenes.records[choose(profile, smoke=0, embedded=3, paper=3)]
group = first.group or first.id
few = scenes.subset([i for i, r in enumerate(scenes.records) if r.group == group][:4])
maps = {METHODS[name].title: [] for name in METHODS_OF_TABLE_6}
titles = []
for sample in few:
    net, x = model.ask(sample.question, layer or None), sample.image[None]
    answer = model.answers[net(x).argmax(1).item()]
    titles.append(f"{sample.question} {answer}")
    for name in METHODS_OF_TABLE_6:
        maps[METHODS[name].title].append(explain(name, net, x, sample.target)[0].cpu())
report.show(
    report.gallery([sample.image for sample in few], maps, titles, columns=3),
    name="liftcam-questions",
    alt="Maps of Grad-CAM and LIFT-CAM for one image under several questions: " + "; ".join(titles) + ".",
    caption="Above each row the question and the network's answer; the maps are those of the true answer. A map is empty where "
    "the channels speak against the answer everywhere.",
)

# %% [markdown]
"""
## Table 6

AI, AD and ADD as on [the pages before](02_shap_values), with the question held fixed while the image is
masked. Questions about the same image are resampled together.
"""

# %%
METRICS_OF_TABLE_6 = ["average_increase", "average_drop", "average_drop_in_deletion"]
frame = pd.concat(
    [
        evaluate(asked[q], about[q], METHODS_OF_TABLE_6, METRICS_OF_TABLE_6, batch_size=batch_size, store=store)
        for q in questions
    ],
    ignore_index=True,
)
table = report.comparison("liftcam", 6, frame)
table

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
report.claims_table(report.claims("liftcam", "Table 6"), frame)

# %% [markdown]
"""
## Does it look at the right object?

Beyond the paper: the share of the map in the boxes of what the question is about, table 5's measure,
for questions about objects that are there. Fake-CAM's row is the area of the boxes: what a map gets that
knows nothing.
"""

# %%
located = [q for q in questions if all(s.boxes is not None for s in about[q])]
pointed = []
for q in located:
    shown = about[q].subset(i for i, s in enumerate(about[q]) if len(s.boxes))
    pointed.append(
        evaluate(asked[q], shown, [*METHODS_OF_TABLE_6, "fake_cam"], ["energy_pointing_game"], batch_size=batch_size, store=store)
    )
energy = pd.concat(pointed, ignore_index=True) if pointed else pd.DataFrame()
if len(energy):
    known = {r.id: " ".join(r.question.split()[:2]) + " ..." for r in images.records}
    kinds = energy.assign(question=energy["image"].map(known)).pivot_table("value", "question", "method", sort=False)
    for name in METHODS_OF_TABLE_6:
        difference = report.paired_difference(energy, "energy_pointing_game", name, "fake_cam").scaled(100)
        print(f"{METHODS[name].title}: {difference.mean:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}] points over the area")
    shown = kinds.mul(100).round(1).rename(columns=lambda m: METHODS[m].title)
    display(shown.rename_axis(columns="share of the map in the boxes (%)"))

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Data.** Drawn scenes stand for VQA v1, whose complete validation set the paper uses.

**Answers.** The paper does not say which answer it explains; here it is the true one.

**Network.** As in the paper a CNN and an LSTM, multiplied. The CNN is small, with ReLU in place of
tanh, and both vectors are normalised over the batch in training: without this the product does not
learn in two minutes.

**VQA v1.** The 1,000 most frequent answers of the training split, as the VQA paper has them; questions
with another answer are left out.
```
"""

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, batch_size=batch_size, device=device,
)  # fmt: skip
