"""Drawn chest radiographs, with and without pneumonia."""

from .films import records
from .networks import resnet, resnet_quick, vgg, vgg_quick

__all__ = ["records", "resnet", "resnet_quick", "vgg", "vgg_quick"]
