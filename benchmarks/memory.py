"""Peak memory of one Score-CAM, in a process of its own: `python -m benchmarks.memory lib 8`."""

import resource
import sys

import torch

import lib  # noqa: F401  (before torchvision)
from lib import data, nets
from lib.saliency import explain


def main(library: str, size: int) -> None:
    net = nets.load("tf_efficientnet_lite0")
    x = data.load("imagenet_embedded", limit=1)[0].image[None]
    with torch.no_grad():
        net(x)
    before = _peak()
    if library == "lib":
        explain("score_cam", net, x, 243, chunk=size)
    else:
        from pytorch_grad_cam import ScoreCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        with ScoreCAM(net.model, [net.model.bn2]) as cam:
            cam.batch_size = size
            cam((x - 0.5) / 0.5, [ClassifierOutputTarget(243)])
    print(_peak() - before)


def _peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
