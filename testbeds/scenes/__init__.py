"""Drawn scenes, classified by the shape of the largest object."""

from .networks import vgg, vgg_permuted, vgg_permuted_quick, vgg_quick
from .pictures import records

__all__ = ["records", "vgg", "vgg_permuted", "vgg_permuted_quick", "vgg_quick"]
