"""Drawn birds of 24 species, with exact masks of their parts."""

from .networks import alexnet, alexnet_quick, vgg, vgg_quick
from .pictures import records
from .species import ATTRIBUTES, CLASSES, FAMILIES, PARTS, differing, differing_parts

__all__ = ["ATTRIBUTES", "CLASSES", "FAMILIES", "PARTS", "alexnet", "alexnet_quick", "differing", "differing_parts", "records", "vgg", "vgg_quick"]
