"""Networks that tell the shape of a scene's main object."""

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

# Five hundred pictures are known by heart after thirty epochs: no augmentation, which would make
# them others. The floor is of test accuracy, and that is chance.
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
