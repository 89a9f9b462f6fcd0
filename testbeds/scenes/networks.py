"""Networks that classify the shape of a scene's main object."""

from dataclasses import replace

from ..architectures.vgg import VGG
from ..recipe import Recipe, class_count, quick

vgg = Recipe(
    name="scenes_vgg",
    build=VGG,
    arguments=class_count,
    dataset="scenes",
    floor=0.85,
    epochs=6,
    batch_size=32,
    input_size=64,
    learning_rate=4e-3,
    shift=4,
    flip=True,
)

# Thirty epochs suffice to memorise five hundred pictures, without augmentation, which would change
# them. The floor is one of test accuracy, which is at chance here.
vgg_permuted = replace(
    vgg,
    name="scenes_vgg_permuted",
    floor=0.0,
    epochs=30,
    limit=500,
    learning_rate=2e-3,
    weight_decay=0.0,
    shift=0,
    flip=False,
    permuted=True,
)

vgg_quick = quick(vgg)
vgg_permuted_quick = quick(vgg_permuted)
