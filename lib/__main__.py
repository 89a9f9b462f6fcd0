"""The command line `python -m lib`: the book, data, training, evaluation, pictures and surveys."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from textwrap import indent
from typing import Any

import click
import torch
import yaml

from . import manifests
from .paths import absolute

PATH = {"type": absolute, "metavar": "PATH"}  # of an option; shells keep the ~ in --store=~/maps

INTERRUPTED = 130  # 128 plus the number of SIGINT, as in shells

ELSEWHERE = {"book": "book.commands:book", "survey": "book.commands:survey"}


class _Group(click.Group):
    """A group with commands from packages above this one, which are imported when they are used."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *ELSEWHERE])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in ELSEWHERE:
            return manifests.resolve(ELSEWHERE[name])
        return super().get_command(context, name)

    def invoke(self, context: click.Context) -> Any:
        with _stopped_by_hand("interrupted"):
            return super().invoke(context)


@contextmanager
def _stopped_by_hand(message: str) -> Iterator[None]:
    """Turns Ctrl-C into a line on the terminal and the exit status of an interrupted process."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(message, err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


@click.group(
    cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def main() -> None:
    """Class activation maps, reproduced."""


# Data -------------------------------------------------------------------------------------------


@main.group()
def data() -> None:
    """The datasets and network weights that the manifests describe."""


@data.command("list")
def list_() -> None:
    """List all datasets and weights with their paths, and how to get those that are missing."""
    for item in manifests.status():
        click.echo(f"{item.kind:<9} {item.name:<24} {item.state:<10} {item.depicts}".rstrip())
        click.echo(indent(item.where, " " * 6))


def _of_one_or_all(command: Callable[[str | None], None]) -> Callable:
    """Adds the choice of one dataset or weight file, or of all, for which the name is None."""

    @click.argument("name", required=False)
    @click.option("--all", "everything", is_flag=True, help="All of them, as without a NAME.")
    @wraps(command)
    def chosen(name: str | None, everything: bool) -> None:
        if name and everything:
            raise click.UsageError(f"give either {name} or --all")
        command(name)

    return chosen


@data.command()
@_of_one_or_all
def where(name: str | None) -> None:
    """Print the path of a dataset or weight file, or its paths if it is in several packages.

    Of all, print a line each: the name with the path, or with how to get it.
    """
    if name:
        click.echo("\n".join(map(str, manifests.where(name))))
        return
    for item in manifests.status():
        state = "not here. " if item.state == "missing" else ""
        click.echo(f"{item.name}: {state}{' '.join(item.where.splitlines())}")


@data.command()
@_of_one_or_all
def verify(name: str | None) -> None:
    """Compare a dataset or weight file, or all that are here, with the manifests.

    It checks the published checksums, the files that `fetch` unpacked, and the layout, and prints
    the note of NAME. The exit status is 1 if anything is wrong.
    """
    from .verification import all_verified, verified

    wrong = False
    for line in verified(name) if name else all_verified():
        click.echo(line.text)
        wrong |= line.wrong
    if name and (note := manifests.entry(name).get("note")):
        click.echo(note)
    if wrong:
        raise click.exceptions.Exit(1)


@data.command()
@click.argument("name")
@click.option("--split", "splits", multiple=True, help="May be repeated.  [default: the first]")
def fetch(name: str, splits: tuple[str, ...]) -> None:
    """Download a dataset or weight file, and verify it. An interrupted download goes on."""
    kept = "what has come is kept, and the same command goes on from it"
    with _stopped_by_hand(f"interrupted; {kept}"):
        click.echo(manifests.fetch(name, splits))


# Networks ---------------------------------------------------------------------------------------


@main.command()
@click.argument("name")
@click.option("--root", **PATH, help="The folder that holds its dataset.")
@click.option("--device", default="cpu", show_default=True)
def train(name: str, root: Path | None, device: str) -> None:
    """Train a network of this project, unless it has been trained before."""
    from . import nets

    nets.check_device(device)
    found = nets.recipe(name).train(root=root, device=device)
    click.echo(f"{name}: test accuracy {found.accuracy:.1%}, trained in {found.seconds:.0f} s")


# Evaluation -------------------------------------------------------------------------------------

# Methods that take few passes per image; others, such as Opti-CAM, are added by name.
METHODS_BY_DEFAULT = ("fake_cam", "grad_cam", "layer_cam", "ablation_cam")
METRICS_BY_DEFAULT = ("average_drop", "average_gain", "average_increase")


def _on_images(command: Callable) -> Callable:
    """Adds the options that choose the network and the images."""
    for option in (
        click.option("--device", default="cpu", show_default=True),
        click.option("--limit", type=click.IntRange(min=1), help="How many images, evenly spaced."),
        click.option(
            "--root",
            **PATH,
            help="The folder that holds the dataset, or one image file.",
        ),
        click.option(
            "--dataset",
            help="[default: imagenet_embedded; with --root alone, folder: images of one's own]",
        ),
        click.option("--layer", help="The target layer.  [default: the paper's choice]"),
        click.option("--weights", help="A state dict, or 'random'.  [default: the manifest's]"),
        click.option(
            "--network",
            default="tf_efficientnet_lite0",
            show_default=True,
            help="A name, or module:function or file.py:function that makes a network.",
        ),
    ):
        command = option(command)
    return command


def _opened(network, weights, layer, dataset, root, limit, device):
    """The network, and the images at its size. A network that is trained on this dataset also takes
    its training data from `root`."""
    from . import data, nets

    nets.check_device(device)
    dataset = dataset or ("folder" if root else "imagenet_embedded")
    of_root = network in nets.RECIPES and nets.recipe(network).dataset == dataset
    options = {"root": root} if of_root else {}
    net = nets.load(network, weights=weights, layer=layer, device=device, **options)
    images = data.load(dataset, root=root, limit=limit, size=net.input_size)
    if root:
        click.echo(f"{len(images)} images in {root}", err=True)
    return net, images


@main.command()
@_on_images
@click.option(
    "--method",
    "methods",
    multiple=True,
    help=f"May be repeated; 'all' takes all.  [default: {', '.join(METHODS_BY_DEFAULT)}]",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help=f"May be repeated; 'all' takes all.  [default: {', '.join(METRICS_BY_DEFAULT)}]",
)
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(min=1))
@click.option("--store", **PATH, help="Keep results in this folder; a second run resumes.")
@click.option(
    "--scheduler",
    help="Spread the work by Dask: local, local:4 (processes here), or tcp://host:8786.",
)
@click.option("--out", **PATH, help="Write the long table (.csv or .parquet).")
def evaluate(
    network: str,
    weights: str | None,
    layer: str | None,
    dataset: str | None,
    root: Path | None,
    limit: int | None,
    methods: tuple[str, ...],
    metrics: tuple[str, ...],
    batch_size: int,
    device: str,
    store: Path | None,
    scheduler: str | None,
    out: Path | None,
) -> None:
    """Explain images by several methods and measure the maps."""
    from .cluster import workers
    from .evaluate import evaluate as run
    from .methods import METHODS
    from .metrics import METRICS

    if out:
        _check_out(out)
    kept = "nothing was kept: with --store FOLDER, a second run goes on from the first"
    if store:
        kept = f"what is made so far is kept in {store}, and the same command goes on from it"
    with _stopped_by_hand(f"interrupted; {kept}"):
        net, images = _opened(network, weights, layer, dataset, root, limit, device)
        with workers(scheduler) as executor:
            frame = run(
                net,
                images,
                _chosen(methods, METHODS_BY_DEFAULT, METHODS),
                _chosen(metrics, METRICS_BY_DEFAULT, METRICS),
                batch_size=batch_size,
                store=store,
                executor=executor,
            )
    if out:
        _WRITERS[out.suffix](frame, out)
    click.echo(_summary(frame))
    if store:
        click.echo(f"results in {store}", err=True)
    if frame["value"].isna().all():
        raise ValueError("no image has a value: see the reasons above")


@main.command()
@_on_images
@click.option("--method", default="grad_cam", show_default=True)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the method, such as counterfactual=3; may be repeated.",
)
@click.option("--signed", is_flag=True, help="Grey is zero, white is for the class, black against.")
@click.option("--out", **PATH, required=True, help="A folder for pictures.")
def explain(
    network: str,
    weights: str | None,
    layer: str | None,
    dataset: str | None,
    root: Path | None,
    limit: int | None,
    device: str,
    method: str,
    options: tuple[str, ...],
    signed: bool,
    out: Path,
) -> None:
    """Write each image's map as a grey picture, for its label or else the predicted class."""
    from PIL import Image

    from . import saliency
    from .classes import matched

    named = dict(option.partition("=")[::2] for option in options)
    named = {name: yaml.safe_load(value) for name, value in named.items()}
    net, images = _opened(network, weights, layer, dataset, root, limit, device)
    images = matched(images, net).readable()
    for sample in images:
        S = saliency.explain(
            method, net, sample.image[None], sample.target, signed=signed, **named
        )[0]
        grey = (255 * ((S + 1) / 2 if signed else S)).round().byte().cpu().numpy()
        path = (out / sample.id).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey).save(path)
    click.echo(f"{len(images)} maps in {out}")


def _chosen(given: tuple[str, ...], default: tuple[str, ...], registry: Any) -> list[str]:
    return list(registry) if given == ("all",) else list(given or default)


def _check_out(out: Path) -> None:
    """Raises an error, before anything is computed, if the table cannot be written."""
    if out.suffix not in _WRITERS:
        raise ValueError(f"--out {out}: its name ends in {' or '.join(_WRITERS)}")
    folder = out.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"--out {out}: there is no folder {folder}; make it first")
    if not os.access(out if out.exists() else folder, os.W_OK):
        raise ValueError(f"--out {out}: {folder} cannot be written to; choose another place")


_WRITERS = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
}


def _summary(frame: Any) -> str:
    """Means with 95 % intervals, one row per method, one column per metric; and failed images."""
    from .methods import METHODS
    from .metrics import METRICS
    from .statistics import mean_ci

    metrics = {name: METRICS[name] for name in frame["metric"].unique()}
    rows = [["", *(metric.heading for metric in metrics.values())]]
    for method in frame["method"].unique():
        row = [METHODS[method].title]
        for name, metric in metrics.items():
            values = frame[(frame["method"] == method) & (frame["metric"] == name)]
            interval = mean_ci(values["value"], values["group"], bounds=metric.range)
            row.append(str(interval.scaled(metric.scale)))
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows
    ]
    failed = frame.dropna(subset="error").drop_duplicates("image")
    lines += [f"no value for {row.image}: {row.error}" for row in failed.itertuples()]
    return "\n".join(lines)


def _run() -> None:
    """Runs the command line, printing errors and warnings as single lines without a traceback."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        main()
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    except ModuleNotFoundError as error:
        elsewhere = ELSEWHERE.keys() & sys.argv[1:2]
        what = "the extra `book` of this package" if elsewhere else "the package that has it"
        raise SystemExit(f"error: {error}; install {what}") from None
    except torch.OutOfMemoryError:  # for one image; larger batches have been halved before
        raise SystemExit(
            "error: the device has not enough memory for one image; take another --device, or "
            "a smaller --network"
        ) from None


if __name__ == "__main__":
    _run()
