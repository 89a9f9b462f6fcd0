"""Small vision transformers, to be trained in the build: timm's own classes with smaller sizes.

`vit` reads its class token. `deit` also has a distillation token with its own head, and gives the
mean of both heads, in training too: without a teacher both learn the labels.

Weights are initialised at the scale of their width (Glorot & Bengio 2010). timm's standard
deviation of 0.02 suits a width of 768; at width 64 all tokens would look alike, and attention would
learn late.
"""

from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import nn

SMALL = dict(patch_size=4, embed_dim=64, depth=3, num_heads=4, mlp_ratio=2.0)


def vit(classes: int, *, size: int = 28, **options) -> VisionTransformer:
    """A ViT (Dosovitskiy et al. 2021) with one class token; gives logits (B, classes).

    Args:
        size: height and width of the images.
        options: the options of timm's VisionTransformer, in place of `SMALL`.

    Example:
        >>> vit(10)(torch.rand(1, 3, 28, 28)).shape
        torch.Size([1, 10])
    """
    options = SMALL | options
    return _scaled(VisionTransformer(img_size=size, num_classes=classes, **options))


def deit(classes: int, *, size: int = 28, **options) -> VisionTransformerDistilled:
    """A DeiT (Touvron et al. 2021) with class and distillation token; arguments as for `vit`."""
    options = SMALL | options
    return _scaled(VisionTransformerDistilled(img_size=size, num_classes=classes, **options))


def _scaled(model: VisionTransformer) -> VisionTransformer:
    """The network with random weights at the scale of their width."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    tokens = [model.pos_embed, model.cls_token, getattr(model, "dist_token", None)]
    for token in tokens:
        if token is not None:
            nn.init.normal_(token, std=0.2)
    return model
