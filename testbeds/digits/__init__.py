"""Networks that classify the handwritten digits of MNIST."""

from dataclasses import replace

from ..architectures import vit as architectures
from ..architectures.vgg import VGG
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


def cnn(classes: int) -> VGG:
    """A VGG whose last activation is (64, 7, 7)."""
    return VGG(classes, blocks=((16,), (32,), (64,)), size=28, hidden=(128,))


vgg = replace(vit, name="mnist_vgg", build=cnn, floor=0.95, epochs=4, learning_rate=4e-3)

vit_quick = quick(vit)
deit_quick = quick(deit)
vgg_quick = quick(vgg)
