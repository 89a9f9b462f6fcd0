"""Measures speed and memory, prints them, and writes `benchmarks/results.md` and its CSV files.

On another device than the CPU, the files are `results-cuda.md` and so on. Each comparison runs both
sides in turn, A B A B, on the same photographs, network and threads. It reports the ratio of each
pair, which is stable although the speed of a machine drifts.
"""

import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

import lib
from lib import data, nets
from lib.methods.fisher import fisher_direction
from lib.methods.lift_cam import contributions
from lib.methods.shap_cam import orderings
from lib.metrics import METRICS
from lib.metrics.box_accuracy import overlaps_of_all
from lib.metrics.boxes import unions
from lib.metrics.pxap import histograms
from lib.nets import clock, weights
from lib.reference import reference_set
from lib.saliency import attribute, explain, normalise, predict, raw_map, upsample

from . import plain, throughput

HERE = Path(__file__).parent


def main(repeats: int, device: str) -> None:
    torch.manual_seed(0)
    torch.backends.cudnn.allow_tf32 = False  # both sides compute the same numbers
    bench = Bench(repeats, device)
    tables = {
        "throughput": bench.throughput(), "passes": bench.passes(), "results": bench.comparisons(),
    }  # fmt: skip
    if device == "cpu":
        tables["memory"] = bench.memory()
    else:
        tables = {f"{name}-{bench.net.device.type}": rows for name, rows in tables.items()}
    for name, rows in tables.items():
        tables[name] = pd.DataFrame(tqdm(rows, desc=name))
        tables[name].to_csv(HERE / f"{name}.csv", index=False, float_format="%.4g")
    text = _page(bench, tables)
    name = "results" if device == "cpu" else f"results-{bench.net.device.type}"
    (HERE / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


class Bench:
    """One network on the embedded photographs, as a `Classifier` and as other libraries take it."""

    def __init__(self, repeats: int, device: str = "cpu"):
        self.repeats, self.device = repeats, device
        self.net = nets.load("tf_efficientnet_lite0", device=device)
        samples = list(data.load("imagenet_embedded", limit=16, size=self.net.input_size))
        self.x = torch.stack([s.image for s in samples]).to(device)
        self.target = torch.tensor([s.target for s in samples], device=device)
        self.model = self._bare("tf_efficientnet_lite0", None)
        self.normalised = torch.nn.Sequential(_Normalise(), self.model)

    # ------------------------------------------------------------------------------ comparisons

    def comparisons(self):
        """Every method and metric beside another library, or beside a plain loop."""
        yield from self.gradients()
        yield self.ablation_cam()
        yield self.score_cam()
        yield self.opti_cam()
        yield from self.shap_cam()
        yield from self.lift_cam()
        yield self.diff_cam()
        yield from self.localisation()
        yield from self.one_at_a_time()

    def gradients(self):
        """The Grad-CAM family at batch 16."""
        from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM

        peers = {"grad_cam": GradCAM, "grad_cam_plus_plus": GradCAMPlusPlus, "xgrad_cam": XGradCAM,
                 "hires_cam": HiResCAM, "layer_cam": LayerCAM}  # fmt: skip
        for name, peer in peers.items():
            yield self._row(
                name,
                16,
                lambda: self._ours(name, 16),
                lambda: self._peer(peer, 16),
                3 * self.repeats,
            )

    def ablation_cam(self):
        from pytorch_grad_cam import AblationCAM

        return self._row(
            "ablation_cam",
            1,
            lambda: self._ours("ablation_cam", 1),
            lambda: self._peer(AblationCAM, 1),
        )

    def score_cam(self):
        from pytorch_grad_cam import ScoreCAM

        return self._row(
            "score_cam", 1, lambda: self._ours("score_cam", 1), lambda: self._peer(ScoreCAM, 1)
        )

    def opti_cam(self, iterations: int = 10):
        def ours():
            return explain("opti_cam", self.net, self.x[:8], self.target[:8], iterations=iterations)

        def peer():
            raw = plain.opti_cam(
                self.normalised, self.model.bn2, self.x[:8], self.target[:8], iterations
            )
            return normalise(upsample(raw, self.x.shape[2:]))

        return self._row("opti_cam", 8, ours, peer, against="a plain loop")

    def shap_cam(self):
        """SHAP-CAM with ten orderings, for a small head and for VGG-16's, against algorithm 1."""
        lite = nets.load("tf_efficientnet_lite0", layer="blocks.6", device=self.device)
        vgg = nets.load("torchvision:vgg16", weights="random", device=self.device)
        for on, net, repeats in (("EfficientNet-Lite0", lite, 0), ("VGG-16", vgg, 1)):
            x, target = self.x[:1], self.target[:1]

            def ours(n=10):
                return attribute("shap_cam", net, x, target, n=n).coefficients[0]

            def peer(n=10):
                with torch.no_grad():
                    A = net.features(x)
                order = orderings(x[0], n, A.shape[1], seed=0).argsort(dim=1, stable=True)
                return plain.shap_cam(net.head, A, int(target), order)

            _same(ours(n=1), peer(n=1))
            yield self._row("shap_cam", 1, ours, peer, repeats, "algorithm 1 through the head", on)

    def lift_cam(self, batch: int = 16):
        """LIFT-CAM for VGG-16 with random weights: the head alone, and from the image."""
        from captum.attr import DeepLift, LayerDeepLift

        net = nets.load("torchvision:vgg16", weights="random", device=self.device)
        model = weights.build("torchvision:vgg16").eval().to(self.device)
        for module in model.modules():
            module.inplace = False  # captum does not support it
        x, target = self.x[:batch], self.target[:batch]
        with torch.no_grad():
            A, context = net.cut(x)
        head = torch.nn.Sequential(
            model.features[30], model.avgpool, torch.nn.Flatten(), model.classifier
        )
        alone, whole = DeepLift(head), LayerDeepLift(model, model.features[29])
        normalised = (x - net.mean) / net.std

        def on_head():
            return contributions(net, A, context, target).sum((2, 3))

        def captums_on_head():
            return alone.attribute(A, torch.zeros_like(A), target=target).sum((2, 3))

        def on_image():
            return attribute("lift_cam", net, x, target).coefficients

        def captums_on_image():
            zeros = torch.zeros_like(normalised)  # a reference image: captum has none for a layer
            return whole.attribute(normalised, zeros, target=target).sum((2, 3))

        _same(on_head(), captums_on_head())
        vgg = "VGG-16, head alone", "VGG-16"
        yield self._row(
            "lift_cam", batch, on_head, captums_on_head, against="captum, DeepLift", on=vgg[0]
        )
        yield self._row(
            "lift_cam",
            batch,
            on_image,
            captums_on_image,
            against="captum, LayerDeepLift",
            on=vgg[1],
        )

    def one_at_a_time(self, batch: int = 8):
        """Methods and metrics with many perturbations, against one image and one step per pass."""
        for on, name, weight, patch in (
            ("EfficientNet-Lite0", "tf_efficientnet_lite0", None, 14),
            ("VGG of the scenes", "scenes_vgg", "random", 8),
        ):
            net = nets.load(name, weights=weight, device=self.device)
            model = torch.nn.Sequential(_Normalise(net.mean, net.std), self._bare(name, weight))
            photographs = data.load("imagenet_embedded", limit=batch, size=net.input_size)
            x = torch.stack([sample.image for sample in photographs]).to(self.device)
            target = predict(net, x)
            S = explain("grad_cam", net, x, target)
            step, areas = net.input_size * 8, (0.05, 0.1, 0.2)

            def masks(iterations=3):
                options = {"areas": areas, "iterations": iterations}
                return raw_map("extremal_perturbation", net, x, target, **options)

            def plain_masks(iterations=3):
                return plain.extremal_perturbation(model, x, target, areas, iterations)

            def areas_under():
                metrics = METRICS["insertion"], METRICS["deletion"]
                return [metric.fn(net, x, target, S, step=step) for metric in metrics]

            def plain_areas_under():
                return plain.insertion_and_deletion(net, model, x, target, S, step)

            def over():
                return METRICS["aopc"].fn(net, x, target, S, patch=patch)

            def plain_over():
                return plain.aopc(model, x, target, S, patch)

            for ours, peer in ((areas_under, plain_areas_under), (over, plain_over)):
                for a, b in zip(ours(), peer()):
                    assert torch.allclose(a.double().cpu(), b.double().cpu(), rtol=0, atol=1e-5)
            against = "one image, one step per pass"
            for method, ours, peer in (
                ("extremal_perturbation", masks, plain_masks),
                ("insertion, deletion", areas_under, plain_areas_under),
                ("aopc", over, plain_over),
            ):
                yield self._row(method, batch, ours, peer, against=against, on=on)

    def diff_cam(self, batch: int = 16, n: int = 50):
        """DiffCAM's direction from 50 references of each image, for 1280 channels."""
        R = reference_set(self.net, data.load("imagenet_embedded", size=self.net.input_size))
        z = R.z[:batch].double()
        distance = torch.cdist(z, R.z.double())
        nearest = distance.argsort(dim=1)[:, 1 : n + 1]
        among = torch.zeros_like(distance, dtype=torch.bool).scatter(1, nearest, True)

        def ours():
            return fisher_direction(z, R.z, among)

        def peer():
            return plain.fisher_direction(z, R.z.double(), among)

        error = (ours() - peer()).norm(dim=1) / peer().norm(dim=1)
        assert error.max() < 1e-5
        return self._row("diff_cam", batch, ours, peer, against="a covariance of K x K, solved")

    def localisation(self, batch: int = 8):
        """All thresholds of the maps of photographs at once, against one threshold at a time."""
        S = explain("grad_cam", self.net, self.x[:batch], self.target[:batch])
        boxes = [
            s.boxes for s in data.load("imagenet_embedded", limit=16, size=self.net.input_size)
        ]
        mask = unions(boxes[:batch], S)

        def all_boxes():
            return overlaps_of_all(None, None, None, S, boxes=boxes[:batch])

        def plain_boxes():
            return plain.box_overlaps(S, boxes[:batch])

        def area():
            return METRICS["pxap"].value(histograms(None, None, None, S, mask=list(mask))).mean()

        def plain_area():
            return plain.precision_and_recall(S, mask)

        assert torch.allclose(all_boxes().cpu(), plain_boxes().cpu())
        assert abs(area() - plain_area()) < 1e-9
        against = "one threshold per pass"
        yield self._row("max_box_acc_v2", batch, all_boxes, plain_boxes, against=against)
        yield self._row("pxap", batch, area, plain_area, against=against)

    def passes(self):
        """Methods and metrics of many passes, beside these passes alone, on as many images as fill the device."""
        size = min(self.net.batch_hint(self.x), 128)
        x, target = self.x.repeat(8, 1, 1, 1)[:size], self.target.repeat(8)[:size]
        return throughput.passes(self.net, x, target, self.repeats)

    def throughput(self):
        """Images per second: of the bare network, of decoding, and of an evaluation from files."""
        return throughput.images_per_second(self.device, 64 if self.device == "cpu" else 1024)

    def memory(self):
        """Peak memory that Score-CAM adds, for one image of 1280 channels."""
        for library, size in (("lib", 8), ("lib", 32), ("lib", 128), ("pytorch-grad-cam", 16)):
            command = [sys.executable, "-m", "benchmarks.memory", library, str(size)]
            out = subprocess.run(
                command, cwd=HERE.parent, capture_output=True, text=True, check=True
            ).stdout
            yield {"library": library, "masked images per pass": size, "MiB": round(float(out))}

    # -------------------------------------------------------------------------------- machinery

    def _ours(self, name: str, batch: int) -> torch.Tensor:
        return explain(name, self.net, self.x[:batch], self.target[:batch])

    def _peer(self, method, batch: int) -> torch.Tensor:
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        x = (self.x[:batch] - 0.5) / 0.5
        targets = [ClassifierOutputTarget(int(c)) for c in self.target[:batch]]
        with method(self.model, [self.model.bn2]) as cam:
            return torch.from_numpy(np.asarray(cam(x, targets)))

    def _row(
        self,
        name: str,
        batch: int,
        ours: Callable,
        peer: Callable,
        repeats: int = 0,
        against: str = "pytorch-grad-cam",
        on: str = "EfficientNet-Lite0",
    ) -> dict:
        """Runs both sides in turn, after one warm-up call each if that is cheap."""
        if batch > 1:
            ours(), peer()
        pairs = [
            (self._seconds(ours), self._seconds(peer))
            for _ in tqdm(range(repeats or self.repeats), desc=name)
        ]
        ratios = [b / a for a, b in pairs]
        return {
            "method": name,
            "network": on,
            "against": against,
            "batch": batch,
            "ours_ms_per_image": 1000 * statistics.median(a for a, _ in pairs) / batch,
            "theirs_ms_per_image": 1000 * statistics.median(b for _, b in pairs) / batch,
            "times_faster": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
            "pairs": len(pairs),
        }

    def _bare(self, name: str, weight: str | None) -> torch.nn.Module:
        """A network without a wrapper, with parameters that are not frozen."""
        if name in nets.RECIPES:
            return nets.recipe(name).load(weight).eval().to(self.device)
        return weights.load_weights(weights.build(name), name, weight).eval().to(self.device)

    def _seconds(self, run: Callable) -> float:
        start = clock(self.net.device)
        run()
        return clock(self.net.device) - start


class _Normalise(torch.nn.Module):
    def __init__(self, mean=0.5, std=0.5):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x):
        return (x - self.mean) / self.std


def _same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(ours.abs().max()))


def _page(bench: Bench, tables: dict[str, pd.DataFrame]) -> str:
    rates, passes, speed, *memory = tables.values()
    processor = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    if bench.net.device.type == "cuda":
        processor = torch.cuda.get_device_name(bench.net.device)
    command = "make bench" + ("" if bench.device == "cpu" else f" DEVICE={bench.device}")
    speed = speed.assign(
        method="`" + speed["method"] + "`",
        over=[f"{r.lowest:,.1f} to {r.highest:,.1f} ({r.pairs})" for r in speed.itertuples()],
    ).drop(columns=["lowest", "highest", "pairs"])
    speed.columns = ["method", "network", "against", "batch", "here (ms per image)",
                     "there (ms per image)", "times faster", "over pairs"]  # fmt: skip
    passes["method"] = "`" + passes["method"] + "`"
    parts = [
        "# Benchmarks",
        f"Written by `{command}`, on the embedded photographs. Both sides run in turn in one process, with "
        "the same number of threads, and the ratio is the median over pairs of runs. Read the ratios: "
        "absolute times depend on the machine.",
        f"torch {torch.__version__}, {processor}.",
        _table(speed, 1),
        "## Beside the passes that a method needs",
        "The ratio is the time of the method over the time of its passes through the bare network "
        "(EfficientNet-Lite0). Near 1, only a faster network would help. Score-CAM lies below 1 because a channel "
        "without activation needs no pass.",
        _table(passes, 2),
        "## Images per second",
        "Files are JPEGs of 500 x 375 pixels. A worker is a process that decodes ahead of the network.",
        _table(rates, 1),
        f"A fresh process imports `lib`, loads EfficientNet-Lite0 and explains one image in "
        f"{throughput.first_explain(bench.device, bench.repeats):.1f} s.",
    ]
    if memory:
        parts += [
            "## Memory",
            "Score-CAM on one image with 1280 channels: the chunk bounds the memory, not the channels.",
            _table(memory[0], 0),
        ]
    return "\n\n".join(parts) + "\n"


def _table(rows: pd.DataFrame, decimals: int) -> str:
    """A Markdown table; numbers with this many decimals, whole numbers with none."""

    def cell(value: object) -> str:
        return f"{value:,.{decimals}f}" if isinstance(value, float) else f"{value}"

    align = ["--:" if pd.api.types.is_numeric_dtype(rows[name]) else "---" for name in rows]
    lines = [rows.columns, align, *([cell(v) for v in row] for row in rows.itertuples(index=False))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@click.command()
@click.option(
    "--repeats",
    default=3,
    show_default=True,
    help="Pairs of runs; the fast methods run three times as many.",
)
@click.option(
    "--device", default="cpu", show_default=True, help="Where networks run, such as cuda."
)
def cli(repeats: int, device: str) -> None:
    """Measure side by side with other libraries; write benchmarks/results.md and CSV files."""
    print(f"lib {lib.__version__}")
    main(repeats, device)


if __name__ == "__main__":
    cli()
