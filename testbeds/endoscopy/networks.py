"""Networks that classify drawn endoscopic images, trained like those for radiographs."""

from dataclasses import replace

from ..radiographs import networks as radiographs
from ..recipe import quick

resnet = replace(
    radiographs.resnet,
    name="endoscopy_resnet",
    dataset="endoscopy",
    epochs=6,
)
vgg = replace(
    radiographs.vgg,
    name="endoscopy_vgg",
    dataset="endoscopy",
    epochs=9,
    shift=3,
    learning_rate=3e-3,
)

resnet_quick = quick(resnet)
vgg_quick = quick(vgg)
