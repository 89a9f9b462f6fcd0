"""Networks of torchvision, fine-tuned on real datasets that are read from a folder."""

from dataclasses import replace

import torchvision.models as tv
from torch import nn

from lib.nets.weights import IMAGENET_MEAN, IMAGENET_STD

from .recipe import Recipe, class_count
from .training import Phase

# The submodules before the last linear layer.
RESNET50_BACKBONE = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
VGG16_BN_BACKBONE = ("features", "classifier.0", "classifier.3")


def resnet50(classes: int) -> nn.Module:
    return tv.resnet50(num_classes=classes)


def alexnet(classes: int) -> nn.Module:
    return tv.alexnet(num_classes=classes)


def vgg16(classes: int) -> nn.Module:
    return tv.vgg16(num_classes=classes)


def vgg16_bn(classes: int) -> nn.Module:
    return tv.vgg16_bn(num_classes=classes)


def inception_v3(classes: int) -> nn.Module:
    """Inception-V3 without its auxiliary classifier. Its weights are for images with mean and
    deviation 0.5, to which torchvision's network converts its usual input inside."""
    return tv.inception_v3(num_classes=classes, aux_logits=False, init_weights=False)


BUILDS = {"alexnet": alexnet, "vgg16": vgg16, "resnet50": resnet50}
CONTRASTED = ("alexnet", "vgg16")  # on each fine-grained dataset

# Opti-CAM, appendix E.2, which names neither the batch size, nor the epochs of the first phase, nor
# any augmentation; its accuracies are 82.0, 83.2, 89.8 and 89.5 %.
chest_xray_resnet50 = Recipe(
    name="chest_xray_resnet50",
    build=resnet50,
    arguments=class_count,
    dataset="chest_xray",
    floor=0.75,
    epochs=50,
    batch_size=32,
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    pretrained=(("", "torchvision:resnet50"),),
    before=(Phase(10, 1e-3, RESNET50_BACKBONE),),
    optimizer="sgd",
    schedule="constant",
    learning_rate=1e-5,
    weight_decay=0.0,
)
chest_xray_vgg16_bn = replace(
    chest_xray_resnet50,
    name="chest_xray_vgg16_bn",
    build=vgg16_bn,
    pretrained=(("", "torchvision:vgg16_bn"),),
    before=(Phase(10, 1e-3, VGG16_BN_BACKBONE),),
)
kvasir_resnet50 = replace(
    chest_xray_resnet50,
    dataset="kvasir",
    name="kvasir_resnet50",
    before=(Phase(10, 1e-4, RESNET50_BACKBONE),),
)
kvasir_vgg16_bn = replace(
    chest_xray_vgg16_bn,
    dataset="kvasir",
    name="kvasir_vgg16_bn",
    before=(Phase(10, 5e-3, VGG16_BN_BACKBONE),),
)

# DiffCAM, appendix F.1.3, which does not name the epochs; the one of lowest validation loss is kept.
rsna_inception_v3 = Recipe(
    name="rsna_inception_v3",
    build=inception_v3,
    arguments=class_count,
    dataset="rsna_pneumonia",
    floor=0.85,
    epochs=30,
    batch_size=64,
    input_size=299,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    validation="val",
    pretrained=(("", "torchvision:inception_v3"),),
    in_memory=False,
    optimizer="sgd",
    schedule="constant",
    learning_rate=1e-4,
    weight_decay=1e-5,
)
siim_inception_v3 = replace(
    rsna_inception_v3, name="siim_inception_v3", dataset="siim_pneumothorax", floor=0.78
)

# "Why not other classes?" leaves its fine-tuning to its authors' code, which has only that for
# CUB-200: SGD in batches of 128 at a constant rate, for 200 epochs, from ImageNet's weights. It is
# used here for all five datasets. Their code fine-tunes VGG-16 with batch normalisation, where the
# paper says VGG-16, and augments the images in more ways than mirroring and shifting. It demands no
# accuracy; the floors are chosen here.
FINE_GRAINED = {  # by dataset: the split for training, and the floor
    "cub": ("train", 0.4),
    "aircraft": ("trainval", 0.4),
    "food101": ("train", 0.4),
    "flowers102": ("trainval", 0.6),
    "stanford_cars": ("train", 0.4),
}


def _fine_grained(dataset: str, network: str) -> Recipe:
    """A network of torchvision, fine-tuned on a fine-grained dataset."""
    split, floor = FINE_GRAINED[dataset]
    return Recipe(
        name=f"{dataset}_{network}",
        build=BUILDS[network],
        arguments=class_count,
        dataset=dataset,
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


cub_alexnet, cub_vgg16 = (_fine_grained("cub", network) for network in CONTRASTED)
aircraft_alexnet, aircraft_vgg16 = (_fine_grained("aircraft", network) for network in CONTRASTED)
food101_alexnet, food101_vgg16 = (_fine_grained("food101", network) for network in CONTRASTED)
flowers102_alexnet, flowers102_vgg16 = (
    _fine_grained("flowers102", network) for network in CONTRASTED
)
cars_alexnet, cars_vgg16 = (_fine_grained("stanford_cars", network) for network in CONTRASTED)

cub_resnet50 = _fine_grained("cub", "resnet50")  # DiffCAM does not say how its network was trained
