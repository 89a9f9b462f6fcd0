"""Drawn chest radiographs, with and without pneumonia or pneumothorax."""

from .films import pneumothorax, records
from .networks import (
    pneumothorax_resnet,
    pneumothorax_resnet_quick,
    resnet,
    resnet_quick,
    vgg,
    vgg_quick,
)

__all__ = [
    "pneumothorax",
    "pneumothorax_resnet",
    "pneumothorax_resnet_quick",
    "records",
    "resnet",
    "resnet_quick",
    "vgg",
    "vgg_quick",
]
