"""Recipes of the networks that are trained in the build, each on a dataset of this project.

To add a network, write its architecture in a module beside this one and its recipe here. Recipes
whose names end in `_quick` see a few images once: they are for trying a page, not for its numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..data import Dataset
from . import alexnet, finetuned, resnet, vgg, vit, vqa

Triple = tuple[float, float, float]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Stage:
    """A part of training: so many epochs at one peak of the learning rate.

    Attributes:
        frozen: the submodules that stay as they are.
    """

    epochs: int
    learning_rate: float
    frozen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How one network is made and trained; everything here decides its weights.

    Attributes:
        build: makes the network, with random weights, from what `arguments` finds. It takes
            normalised images, and the tokens of questions too where `questions` is set.
        arguments: what `build` must know of the training data, as plain values.
        dataset: a dataset of `lib.data`, whose `splits` are for training and for testing.
        code: the library's source files that decide the result, as for `store.code_key`.
        floor: the least test accuracy; with less, training fails.
        mean, std: of each colour channel, subtracted and divided before the network.
        questions: the network takes the questions about an image beside it, and has `encode`; the
            samples of a group share their image, which is seen once for all of them.
        pretrained: the submodules that begin with a manifest's weights ("" is the network), by the
            name of the network that they are taken from. A classifier of other classes begins anew.
        before: stages of training that come first.
        frozen: the submodules that stay as they are, after those stages.
        limit: at most so many images of each split.
        in_memory: the images are drawn or decoded once, and kept; else in every epoch.
        optimizer: "adamw", or "sgd" with momentum 0.9.
        schedule: "cycle", where the learning rate rises for a fraction `warmup` of the steps and then
            falls to zero, or "constant".
        learning_rate: its peak.
        shift, flip: random translation by up to so many pixels, and mirroring, in training.
        permuted: the labels of the training images are shuffled among them, so that there is
            nothing to learn but the images themselves.
        reproducible: trained in double precision, on the CPU. Training multiplies a difference in
            rounding ten-million-fold; this one is too small for that, and the weights come out the
            same, in single precision, on another machine or with another number of threads.
    """

    name: str
    build: Callable[..., nn.Module]
    arguments: Callable[[Dataset], dict]
    dataset: str
    code: tuple[str, ...]
    floor: float
    epochs: int
    batch_size: int
    input_size: int
    mean: Triple = (0.5, 0.5, 0.5)
    std: Triple = (0.25, 0.25, 0.25)
    splits: tuple[str, str] = ("train", "test")
    questions: bool = False
    pretrained: tuple[tuple[str, str], ...] = ()
    before: tuple[Stage, ...] = ()
    frozen: tuple[str, ...] = ()
    limit: int | None = None
    in_memory: bool = True
    optimizer: str = "adamw"
    schedule: str = "cycle"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.2
    label_smoothing: float = 0.0
    shift: int = 0
    flip: bool = False
    permuted: bool = False
    reproducible: bool = False
    seed: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """What it is trained in; the weights are kept in single precision."""
        return torch.float64 if self.reproducible else torch.float32


def quick(recipe: Recipe, *, images: int = 1000) -> Recipe:
    """The same network after one epoch on a few images, whatever its accuracy.

    Committed outputs rest on it, which have to come out on every machine.
    """
    return replace(
        recipe,
        name=f"{recipe.name}_quick",
        epochs=1,
        limit=images,
        floor=0.0,
        reproducible=True,
    )


_DRAWN = ("data/dataset.py", "data/drawing.py")

_scenes_vgg = Recipe(
    name="scenes_vgg",
    build=vgg.VGG,
    arguments=vgg.of_classes,
    dataset="scenes",
    code=("nets/vgg.py", "data/scenes.py", *_DRAWN),
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
_scenes_vgg_permuted = replace(
    _scenes_vgg,
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

_BIRDS = (
    "data/bird_anatomy.py",
    "data/bird_species.py",
    "data/birds.py",
    "data/habitats.py",
    "data/painting.py",
    *_DRAWN,
)
_birds_vgg = Recipe(
    name="birds_vgg",
    build=vgg.VGG,
    arguments=vgg.of_classes,
    dataset="birds",
    code=("nets/vgg.py", *_BIRDS),
    floor=0.85,
    epochs=6,
    batch_size=32,
    input_size=64,
    learning_rate=4e-3,
    shift=4,
    flip=True,
)
# Most of the time goes into drawing: fewer pictures than birds_vgg sees.
_birds_alexnet = replace(
    _birds_vgg,
    name="birds_alexnet",
    build=alexnet.AlexNet,
    code=("nets/alexnet.py", "nets/vgg.py", *_BIRDS),
    epochs=4,
    shift=2,
)

_scenes_vqa = Recipe(
    name="scenes_vqa",
    build=vqa.small,
    arguments=vqa.of_questions,
    dataset="scene_questions",
    code=("nets/vgg.py", "nets/vqa.py", "data/scene_questions.py", *_DRAWN),
    floor=0.85,
    epochs=8,
    batch_size=32,
    input_size=64,
    questions=True,
    learning_rate=3e-3,
    weight_decay=0.01,
)

_radiographs_resnet = Recipe(
    name="radiographs_resnet",
    build=resnet.ResNet,
    arguments=vgg.of_classes,
    dataset="radiographs",
    code=("nets/resnet.py", "nets/vgg.py", "data/radiographs.py", *_DRAWN),
    floor=0.85,
    epochs=4,
    batch_size=32,
    input_size=64,
    learning_rate=4e-3,
    shift=2,
    flip=True,
)
_radiographs_vgg = replace(
    _radiographs_resnet,
    name="radiographs_vgg",
    build=vgg.VGG,
    code=("nets/vgg.py", "data/radiographs.py", *_DRAWN),
    learning_rate=2e-3,
)
_endoscopy_resnet = replace(
    _radiographs_resnet,
    name="endoscopy_resnet",
    dataset="endoscopy",
    epochs=6,
    code=("nets/resnet.py", "nets/vgg.py", "data/endoscopy.py", *_DRAWN),
)
_endoscopy_vgg = replace(
    _radiographs_vgg,
    name="endoscopy_vgg",
    dataset="endoscopy",
    epochs=9,
    shift=3,
    learning_rate=3e-3,
    code=("nets/vgg.py", "data/endoscopy.py", *_DRAWN),
)

# Opti-CAM, appendix E.2, which names neither the batch size, nor the epochs of the first stage, nor
# any augmentation; its accuracies are 82.0, 83.2, 89.8 and 89.5 %.
_chest_xray_resnet50 = Recipe(
    name="chest_xray_resnet50",
    build=finetuned.resnet50,
    arguments=vgg.of_classes,
    dataset="chest_xray",
    code=("nets/finetuned.py", "nets/vgg.py", "data/chest_xray.py", "data/image_file.py"),
    floor=0.75,
    epochs=50,
    batch_size=32,
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    pretrained=(("", "torchvision:resnet50"),),
    before=(Stage(10, 1e-3, finetuned.RESNET50_BACKBONE),),
    optimizer="sgd",
    schedule="constant",
    learning_rate=1e-5,
    weight_decay=0.0,
)
_chest_xray_vgg16_bn = replace(
    _chest_xray_resnet50,
    name="chest_xray_vgg16_bn",
    build=finetuned.vgg16_bn,
    pretrained=(("", "torchvision:vgg16_bn"),),
    before=(Stage(10, 1e-3, finetuned.VGG16_BN_BACKBONE),),
)
_OF_KVASIR = {
    "dataset": "kvasir",
    "code": ("nets/finetuned.py", "nets/vgg.py", "data/kvasir.py", "data/image_file.py"),
}
_kvasir_resnet50 = replace(
    _chest_xray_resnet50,
    **_OF_KVASIR,
    name="kvasir_resnet50",
    before=(Stage(10, 1e-4, finetuned.RESNET50_BACKBONE),),
)
_kvasir_vgg16_bn = replace(
    _chest_xray_vgg16_bn,
    **_OF_KVASIR,
    name="kvasir_vgg16_bn",
    before=(Stage(10, 5e-3, finetuned.VGG16_BN_BACKBONE),),
)

# "Why not other classes?" leaves its fine-tuning to its authors' code, which has that of CUB-200: SGD
# in batches of 128 at a constant rate, for 200 epochs, from ImageNet's weights. It is taken for all
# five datasets. Their code fine-tunes VGG-16 with batch normalisation, where the paper says VGG-16,
# and distorts the images in more ways than mirroring and shifting them; it sets no accuracy to
# reach, and the floors are ours.
FINE_GRAINED = {  # by dataset: the split for training, the loader, and the floor
    "cub": ("train", "cub", 0.4),
    "aircraft": ("trainval", "fine_grained", 0.4),
    "food101": ("train", "fine_grained", 0.4),
    "flowers102": ("trainval", "fine_grained", 0.6),
    "stanford_cars": ("train", "fine_grained", 0.4),
}
FINETUNED = ("alexnet", "vgg16")  # on each of them


def _fine_grained(dataset: str, network: str) -> Recipe:
    """A network of torchvision, fine-tuned on a fine-grained dataset."""
    split, loader, floor = FINE_GRAINED[dataset]
    return Recipe(
        name=f"{dataset}_{network}",
        build=getattr(finetuned, network),
        arguments=vgg.of_classes,
        dataset=dataset,
        code=("nets/finetuned.py", "nets/vgg.py", f"data/{loader}.py", "data/image_file.py"),
        floor=floor,
        epochs=200,
        batch_size=128,
        input_size=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        splits=(split, "test"),
        pretrained=(("", f"torchvision:{network}"),),
        in_memory=False,
        optimizer="sgd",
        schedule="constant",
        learning_rate=1e-3,
        weight_decay=5e-4,
        shift=22,
        flip=True,
    )


# Antol et al. report 57.8 % on open-ended questions, by a measure that also gives parts of a point.
_vqa_v1 = Recipe(
    name="vqa_v1",
    build=vqa.antol,
    arguments=vqa.of_questions_at_large,
    dataset="vqa",
    code=("nets/vqa.py", "data/vqa.py"),
    floor=0.4,
    epochs=20,
    batch_size=256,
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    splits=("train", "val"),
    questions=True,
    pretrained=(("backbone", "torchvision:vgg19"),),
    frozen=("backbone",),
    in_memory=False,
    learning_rate=5e-4,
)

_mnist_vit = Recipe(
    name="mnist_vit",
    build=vit.vit,
    arguments=vgg.of_classes,
    dataset="mnist",
    code=("nets/vit.py", "nets/vgg.py", "data/dataset.py", "data/mnist.py"),
    floor=0.9,
    epochs=8,
    batch_size=64,
    input_size=28,
    mean=(0.1307,) * 3,
    std=(0.3081,) * 3,
    learning_rate=3e-3,
    shift=1,
)

_mnist_deit = replace(_mnist_vit, name="mnist_deit", build=vit.deit)

_SMALL = (
    _birds_vgg,
    _birds_alexnet,
    _scenes_vgg,
    _scenes_vgg_permuted,
    _scenes_vqa,
    _radiographs_resnet,
    _radiographs_vgg,
    _endoscopy_resnet,
    _endoscopy_vgg,
    _mnist_vit,
    _mnist_deit,
)
_LARGE = (
    _vqa_v1,
    _chest_xray_resnet50,
    _chest_xray_vgg16_bn,
    _kvasir_resnet50,
    _kvasir_vgg16_bn,
    *(_fine_grained(dataset, net) for dataset in FINE_GRAINED for net in FINETUNED),
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (*_SMALL, *map(quick, _SMALL), *_LARGE)
}
