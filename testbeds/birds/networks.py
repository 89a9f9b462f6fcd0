"""Networks that classify the species of a bird."""

from dataclasses import replace

from ..architectures.alexnet import AlexNet
from ..architectures.vgg import VGG
from ..recipe import Recipe, class_count, quick

vgg = Recipe(
    name="birds_vgg",
    build=VGG,
    arguments=class_count,
    dataset="birds",
    floor=0.85,
    epochs=6,
    batch_size=32,
    input_size=64,
    learning_rate=4e-3,
    shift=4,
    flip=True,
)
# Fewer epochs than birds_vgg, and smaller shifts.
alexnet = replace(
    vgg,
    name="birds_alexnet",
    build=AlexNet,
    epochs=4,
    shift=2,
)

vgg_quick = quick(vgg)
alexnet_quick = quick(alexnet)
