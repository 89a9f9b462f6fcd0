"""Drawn endoscopic images of eight classes."""

from .networks import resnet, resnet_quick, vgg, vgg_quick
from .views import records

__all__ = ["records", "resnet", "resnet_quick", "vgg", "vgg_quick"]
