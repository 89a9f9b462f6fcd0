# %% [markdown]
r"""
# Supersets

A map of CALM {cite:p}`calm` shows what tells a class from other classes, which is often a small part of the object. To find the
whole object, the paper adds up the maps of all classes whose objects have the same structure, since each class marks another
part. Such a group of classes is a *superset* $\mathcal{Y}$. For ImageNet's 1,000 classes the authors choose the supersets by hand
in WordNet's hierarchy {cite:p}`wordnet`; table A lists them.

This page checks whether WordNet gives the sizes that table A prints.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke, embedded, paper: the same, nothing is left out

# %%
import numpy as np
import pandas as pd

from book import Page, hierarchy, report
from lib.annotated_supersets import NESTED, imagenet_supersets, owner, table_a
from lib.classes import imagenet_names
from lib.wordnet import avoiding, classes_below, paths, synsets

page = Page("calm/05_supersets", globals())
NAMES = imagenet_names()
listed = {row.synset: row for row in table_a()}
differing = [row for row in listed.values() if row.classes != len(classes_below(row.synset))]
print(f"{len(table_a())} rows name {len(listed)} synsets; {len(listed) - len(differing)} have the printed size")

# %% [markdown]
r"""
## The rule

Appendix F goes through the hierarchy breadth first, from its root, "entity". A concept is marked *hom* if the objects of all
its classes have one structure, and *het* otherwise. The search does not go below a *hom* concept: its classes are one superset.

$$
\mathcal{Y}(y) = \{ \text{classes below } \mathrm{PA}(y) \}, \qquad \mathrm{PA}(y) \text{ as near to the root as possible.}
$$

Which concepts are *hom* is a matter of judgement, and is taken from table A as printed. Which classes lie below a concept is not a
matter of judgement, and is read from WordNet 3.0.

The figure has all 1,000 classes at the top and "entity" at the bottom. The list below it can be searched for every concept and class.
"""

# %%
tree = hierarchy.tree()
near = imagenet_supersets()
figure = hierarchy.icicle(tree, near)
sizes = sorted({superset for superset in near if len(superset) > 1}, key=len, reverse=True)
few = [row for row in listed.values() if len(classes_below(row.synset)) >= 13]
report.show(
    figure,
    name="calm-supersets",
    alt=f"The hierarchy of 1,000 classes, {len(sizes)} groups of them in colours. The largest: "
    + ", ".join(f"{row.name} {len(classes_below(row.synset))}" for row in few) + ".",
    caption=f"ImageNet's classes in WordNet, by the first hypernym of each concept. Each colour is a superset of table A; "
    f"{sum(len(s) == 1 for s in near)} grey classes stand alone.",
)  # fmt: skip

# %%
hierarchy.Search(tree, near)

# %% [markdown]
r"""
## Table A

The columns of the table count classes. *Printed* is the number in table A. *Below* counts the classes below the concept, along any path.
*Nearest* counts those of them for which it is the nearest listed concept. *Second path* counts those that also have a path to the root
which avoids the concept. Concepts whose size differs from the printed one come first.
"""

# %%
def row_of(row):
    """A row of the table."""
    owned = [i for i in classes_below(row.synset) if owner(i) == row.synset]
    return {
        "synset": row.synset, "printed": row.classes, "below": len(classes_below(row.synset)), "nearest": len(owned),
        "second path": len(avoiding(row.synset)),
    }  # fmt: skip


table = pd.DataFrame([row_of(row) for row in listed.values()], index=[row.name for row in listed.values()])
apart = table[table["printed"] != table["below"]]
report.scrolled(pd.concat([apart, table.drop(apart.index)]).rename_axis(index="superset"))

# %% [markdown]
r"""
## What is missing

WordNet is not a tree: a class can have several paths to the root. If a search keeps only one path for each class, a concept loses the
classes whose kept path avoids it. The table has each concept whose size differs from the printed one: how many classes are missing, how
many have a path that avoids the concept, and which classes these are. If the two numbers are equal, the second path explains the difference.
"""

# %% tags=["nbval-check-output"]
rows = {}
for name, row in apart.iterrows():
    second = sorted(avoiding(row["synset"]))
    missing = row["below"] - row["printed"]
    rows[name] = {
        "printed": row["printed"], "below": row["below"], "missing": missing, "with a second path": len(second), "explained": "yes" if missing == len(second) else "no",
        "such as": ", ".join(NAMES[i] for i in second[:7]),
    }  # fmt: skip
pd.DataFrame(rows).T.rename_axis(index="superset")

# %% tags=["nbval-check-output"]
def names(indices):
    """The names of classes, in one line."""
    return ", ".join(NAMES[i] for i in sorted(indices))


canine, dog, ball = "n02083346", "n02084071", "n02778669"
dogs, racers = classes_below(dog), avoiding(dog)
pd.Series({
    "canines that are no dogs": names(classes_below(canine) - dogs),
    "dogs": len(dogs),
    "dogs with a path that avoids dog": names(racers),
    "the other dogs": len(dogs - racers),
    "printed for canine": listed[canine].classes,
    "balls with a second path": names(avoiding(ball)),
    "above canine": ", ".join(synsets()[one].name for one in paths(canine)[0][1:]).replace("_", " "),
}).to_frame("")  # fmt: skip

# %% [markdown]
r"""
The number that table A prints for *canine* is the number of dogs whose paths all lead through *dog*. So the row seems to belong to *dog*, a concept
below *canine*. All dogs also have a path through *domestic animal*. For balls the second path does not explain the printed number, and the text of the
paper does not either.

The genealogy that the appendix gives for canines leaves out *vertebrate*, which lies between *mammal* and *chordate*.

## How many supersets?

The paper counts 450 supersets, of which 120 have several classes and 330 have one. Two of the 120 rows are printed twice. Some listed concepts
are nested, such as pianos among stringed instruments. Their classes can belong to the *nearest* listed concept or to the *outermost*, which a search
from the root meets first. The last row below counts each missing class as a superset of its own. The printed size of *ungulate* includes the
classes of nested concepts; the sizes of *stringed instrument* and *ship* do not.
"""

# %% tags=["nbval-check-output"]
def counts(supersets):
    """How many there are, by size."""
    found = set(supersets)
    several = [s for s in found if len(s) > 1]
    return {"supersets": len(found), "of several classes": len(several), "of one class": len(found) - len(several)}


lost = int((apart["below"] - apart["printed"])[lambda n: n > 0].sum())
nested = int((table["below"] - table["nearest"])[apart.index].sum())
found = {"printed": {"supersets": 450, "of several classes": 120, "of one class": 330}}
found |= {f"here, {rule}": counts(imagenet_supersets(rule)) for rule in NESTED}
one = found["here, nearest"]["of one class"]
found["here, nearest, and the missing"] = {"of one class": one + lost - nested}
print(f"missing: {lost} classes, of which {nested} are of another listed concept")
pd.DataFrame(found).T.astype("Int64").astype(object).fillna("")

# %% [markdown]
"""
## Do the claims hold?

For the verdict, each listed concept counts as one image.
"""

# %% tags=["nbval-check-output"]
sizes = pd.DataFrame({
    "network": "WordNet 3.0", "dataset": "wordnet", "image": table["synset"], "group": table["synset"], "method": "table_a",
    "metric": "agreement", "target": 0, "value": (table["printed"] == table["below"]).astype(float),
    "seconds": np.nan, "error": None,
})  # fmt: skip
page.verdicts(sizes, "Table A", "Appendix F")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Which concepts.** Table A does not print the 330 supersets of one class. Here they are all classes that are below no listed
concept.

**Nested concepts.** A class belongs to the nearest listed concept above it, by the fewest steps; of equally near concepts, to the first in
the table. The option `nested="outermost"` takes the concept nearest to the root.

**WordNet.** This page uses version 3.0, from which ImageNet's identifiers come. The paper does not give a version.
```
"""

# %%
page.provenance()
