"""Class activation maps, reproduced: the library below an executable book.

Data flows one way: `data` -> `nets` -> `methods` -> `saliency` -> `metrics` -> `evaluate`.
"""

from .torchvision_ops import declare_missing

declare_missing()

__version__ = "0.1.0"
