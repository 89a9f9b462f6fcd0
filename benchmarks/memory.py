"""Peak memory that one Score-CAM adds, in its own process: `python -m benchmarks.memory lib 8`."""

import sys
from pathlib import Path

import torch

import lib  # noqa: F401  (before torchvision)
from lib import data, nets
from lib.saliency import explain


def main(library: str, size: int) -> None:
    net = nets.load("tf_efficientnet_lite0")
    x = data.load("imagenet_embedded", limit=1)[0].image[None]
    with torch.no_grad():
        net(x)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts anew
    before = _mebibytes("VmRSS")
    if library == "lib":
        explain("score_cam", net, x, 243, chunk=size)
    else:
        from pytorch_grad_cam import ScoreCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        with ScoreCAM(net.model, [net.model.bn2]) as cam:
            cam.batch_size = size
            cam((x - 0.5) / 0.5, [ClassifierOutputTarget(243)])
    print(_mebibytes("VmHWM") - before)


def _mebibytes(field: str) -> float:
    """A line of the process's status: VmRSS is its memory, VmHWM its peak memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
