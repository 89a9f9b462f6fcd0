"""Networks that classify drawn radiographs: pneumonia or normal, pneumothorax or normal."""

from dataclasses import replace

from ..architectures.resnet import ResNet
from ..architectures.vgg import VGG
from ..recipe import Recipe, class_count, quick

resnet = Recipe(
    name="radiographs_resnet",
    build=ResNet,
    arguments=class_count,
    dataset="radiographs",
    floor=0.85,
    epochs=4,
    batch_size=32,
    input_size=64,
    learning_rate=4e-3,
    shift=2,
    flip=True,
)
vgg = replace(
    resnet,
    name="radiographs_vgg",
    build=VGG,
    learning_rate=2e-3,
)
pneumothorax_resnet = replace(resnet, name="pneumothorax_resnet", dataset="pneumothorax")

resnet_quick = quick(resnet)
vgg_quick = quick(vgg)
pneumothorax_resnet_quick = quick(pneumothorax_resnet)
