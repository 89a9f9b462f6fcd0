"""Recipes of the networks for localisation, on the birds and on the scenes."""

from types import SimpleNamespace

from ..recipe import Recipe, class_count, quick
from . import acol, adl, backbone, calm, cutmix, has, inca, spg

NETWORKS = {  # the function that makes each, and its loss unless that is the cross-entropy
    "cam": (backbone.cam, None),
    "calm_em": (calm.calm, calm.calm_em),
    "calm_ml": (calm.calm, calm.calm_ml),
    "calm_live": (calm.calm_live, calm.calm_em),
    "calm_coarse": (calm.calm_coarse, calm.calm_em),
    "has": (backbone.cam, has.has),
    "cutmix": (backbone.cam, cutmix.cutmix),
    "adl": (adl.adl, None),
    "acol": (acol.acol, acol.both),
    "spg": (spg.spg, spg.guidance),
    "inca": (inca.inca, inca.contrast_and_consistency),
}
FLOORS = {"birds": 0.75, "scenes": 0.75}  # of accuracy
FEW = 240  # images of a quick network


def localiser(dataset: str, name: str) -> Recipe:
    """The recipe of one of these networks on one of the drawn datasets; all are trained alike.

    Epochs (6 or 9) and learning rate (0.002, 0.004 or 0.008) are those that are best for CAM and
    CALM on average, on the images for validation. On the scenes CALM is trained for twice the
    epochs, which it needs to classify these images as well as CAM's network.
    """
    build, loss = NETWORKS[name]
    return Recipe(
        name=f"{dataset}_{name}",
        build=build,
        arguments=class_count,
        dataset=dataset,
        floor=0.0 if name == "calm_live" else FLOORS[dataset],
        epochs=18 if dataset == "scenes" and name.startswith("calm") else 9,
        batch_size=32,
        input_size=backbone.SIZE,
        learning_rate=4e-3,
        shift=4,
        flip=True,
        loss=loss,
    )


def localisers(dataset: str) -> tuple[SimpleNamespace, SimpleNamespace]:
    """All recipes by name, and their quick versions."""
    found = {name: localiser(dataset, name) for name in NETWORKS}
    twins = {name: quick(recipe, images=FEW) for name, recipe in found.items()}
    return SimpleNamespace(**found), SimpleNamespace(**twins)


birds, birds_quick = localisers("birds")
scenes, scenes_quick = localisers("scenes")
