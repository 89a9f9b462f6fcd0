"""Networks of torchvision with a classifier for the classes of another dataset."""

import torchvision.models as tv
from torch import nn

# What lies before the last linear layer.
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
