"""What the device allows: methods beside the bare passes they need, and images per second."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from PIL import Image
from torch import Tensor

from lib import data, nets
from lib.data import Dataset
from lib.decoding import Decoder, workers_for
from lib.evaluate import evaluate
from lib.metrics import METRICS
from lib.nets import clock
from lib.saliency import explain

NETWORK = "tf_efficientnet_lite0"
PHOTOGRAPH = (500, 375)  # width and height of most of ImageNet's


def passes(net, x: Tensor, target: Tensor, repeats: int) -> Iterator[dict]:
    """Each method or metric of many passes, beside those passes of the bare network alone.

    Args:
        x, target: images (B, 3, H, W) and their classes (B,).
    """
    K, iterations, step, regions = net.features(x[:1]).shape[1], 10, net.input_size * 8, 10
    steps = -(-(net.input_size**2) // step) + 1  # of one curve, both of its ends included
    S = explain("grad_cam", net, x, target)

    def score_cam():
        explain("score_cam", net, x[:1], target[:1])

    def opti_cam():
        explain("opti_cam", net, x, target, iterations=iterations, tolerance=0)

    def curves():
        for name in ("insertion", "deletion"):
            METRICS[name].fn(net, x, target, S, step=step)

    def aopc():
        METRICS["aopc"].fn(net, x, target, S, patch=14, regions=regions)

    B = len(x)
    for name, run, images, forward, backward in (
        ("score_cam", score_cam, 1, K, False),
        ("opti_cam", opti_cam, B, iterations, True),
        ("insertion, deletion", curves, B, 2 * steps, False),
        ("aopc", aopc, B, regions + 1, False),
    ):
        bare = _bare(net, x, images * forward, backward)
        run(), bare()
        pairs = [(_seconds(run, net), _seconds(bare, net)) for _ in range(repeats)]
        yield {
            "method": name,
            "passes per image": f"{forward} forward" + " and backward" * backward,
            "ms per image": 1000 * median(a for a, _ in pairs) / images,
            "ms for its passes": 1000 * median(b for _, b in pairs) / images,
            "ratio": median(a / b for a, b in pairs),
        }


def _bare(net, x: Tensor, n: int, backward: bool) -> Callable[[], None]:
    """Passes of n images through the network, in chunks that suit the device."""
    size = min(net.batch_hint(x), n)
    images = x.to(net.device).repeat(-(-size // len(x)), 1, 1, 1)[:size]

    def run() -> None:
        for i in range(0, n, size):
            some = images[: n - i]
            if backward:
                some = some.detach().requires_grad_()
                torch.autograd.grad(net(some).sum(), some)
            else:
                with torch.no_grad():
                    net(some)

    return run


def images_per_second(device: str, n: int) -> Iterator[dict]:
    """The speed of the bare network, of decoding, and of Grad-CAM with a metric from files."""
    ways = {"float32": {}, "bfloat16": {"autocast": "bfloat16"}, "compiled": {"compile": True}}
    loaded = {name: nets.load(NETWORK, device=device, **how) for name, how in ways.items()}
    net = loaded["float32"]
    with tempfile.TemporaryDirectory() as folder:
        images = _photographs(Path(folder), n, net.input_size)
        x = torch.stack(
            [images[i].image for i in range(min(n, net.batch_hint(images[0].image[None])))]
        )
        for backward in (False, True):
            for name, one in loaded.items():
                run = _bare(one, x, n, backward)
                passes = "forward and backward" if backward else "forward"
                yield _rate(f"bare {passes} passes, {name}", run, net, n)
        ahead = workers_for(torch.device("cuda"), None)  # as on any accelerator
        for workers in (0, ahead):
            yield _rate(f"decoding, {_said(workers)}", lambda: _decode(images, workers), net, n)
        for name in ("float32", "bfloat16"):
            for workers in sorted({0, workers_for(net.device, None) or ahead}):
                said = f"Grad-CAM and average drop from files, {name}, {_said(workers)}"
                yield _rate(said, lambda: _evaluate(loaded[name], images, workers), net, n)


FIRST = f"""
import torch
from lib import data, nets
from lib.saliency import explain
net = nets.load({NETWORK!r}, device=%r)
x = torch.stack([sample.image for sample in data.load("imagenet_embedded", limit=1, size=net.input_size)])
explain("grad_cam", net, x, torch.tensor([0])).cpu()
"""


def first_explain(device: str, repeats: int) -> float:
    """The seconds of a fresh process that loads a network and explains one image."""

    def run() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", FIRST % device], check=True)
        return time.perf_counter() - start

    return median(run() for _ in range(repeats))


def _said(workers: int) -> str:
    return f"{workers} workers" if workers else "in one process"


def _photographs(folder: Path, n: int, size: int) -> Dataset:
    """n JPEG files of the embedded photographs, each at the size of ImageNet's."""
    few = list(data.load("imagenet_embedded", limit=16, size=256))
    for i in range(n):
        pixels = few[i % len(few)].image.mul(255).byte().permute(1, 2, 0).numpy()
        photograph = Image.fromarray(pixels).resize(PHOTOGRAPH)
        photograph.putpixel((0, 0), (i % 256, i // 256, 0))  # no two files are alike
        photograph.save(folder / f"{i}.jpg", quality=95)
    return data.load("folder", root=folder, size=size)


def _decode(images: Dataset, workers: int) -> None:
    with Decoder(images, workers) as decoder:
        for i in range(len(images)):
            decoder.sample(i)


def _evaluate(net, images: Dataset, workers: int) -> None:
    size = net.batch_hint(images[0].image[None])
    evaluate(
        net, images, ["grad_cam"], ["average_drop"],
        batch_size=size, shard_size=4 * size, workers=workers, progress=False,
    )  # fmt: skip


def _rate(said: str, run: Callable[[], None], net, n: int) -> dict:
    run()  # what a device loads and compiles once is not timed
    return {"what": said, "images per second": n / _seconds(run, net)}


def _seconds(run: Callable[[], object], net) -> float:
    clock(net.device)
    start = time.perf_counter()
    run()
    return clock(net.device) - start
