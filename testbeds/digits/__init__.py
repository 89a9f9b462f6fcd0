"""Real handwritten digits, and the transformers that read them."""

from dataclasses import replace

from ..architectures import vit as architectures
from ..recipe import Recipe, class_count, quick

vit = Recipe(
    name="mnist_vit",
    build=architectures.vit,
    arguments=class_count,
    dataset="mnist",
    floor=0.9,
    epochs=8,
    batch_size=64,
    input_size=28,
    mean=(0.1307,) * 3,
    std=(0.3081,) * 3,
    learning_rate=3e-3,
    shift=1,
)

deit = replace(vit, name="mnist_deit", build=architectures.deit)

vit_quick = quick(vit)
deit_quick = quick(deit)
