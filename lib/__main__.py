"""`python -m lib`: build the book, look after data, train networks, evaluate methods, ask people."""

from pathlib import Path
from typing import Any

import click

from . import manifests
from .notebooks import PROFILES


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Class activation maps, reproduced."""


# Book -------------------------------------------------------------------------------------------


@main.command()
@click.option("--profile", default="embedded", show_default=True, type=click.Choice(PROFILES))
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Notebooks at a time.  [default: two, or one for two cores; one on a GPU]",
)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A notebook parameter, for every notebook that has it; may be repeated.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where it goes.  [default: build/PROFILE]"
)
@click.option(
    "--refresh", is_flag=True, help="Also replace the committed notebooks by the executed ones."
)
def book(
    profile: str,
    jobs: int | None,
    parameters: list[tuple[str, str]],
    out: Path | None,
    refresh: bool,
) -> None:
    """Execute the notebooks that are stale, and build the HTML book."""
    from .book import build, committed
    from .paths import ROOT

    if refresh and profile != "smoke":
        raise ValueError(
            f"--refresh goes with --profile smoke, not {profile}: replaying takes seconds"
        )
    values = {name: _literal(text) for name, text in parameters}
    index = build(profile, out=out, parameters=values, jobs=jobs)
    if refresh:
        committed.refresh(ROOT, index.parents[1] / "executed")
    here = Path.cwd()
    click.echo(f"the book: {index.relative_to(here) if index.is_relative_to(here) else index}")


def _literal(text: str) -> Any:
    """As YAML reads it: a number, true, null, a list; else the text itself."""
    import yaml

    return yaml.safe_load(text)


# Data -------------------------------------------------------------------------------------------


@main.group()
def data() -> None:
    """The datasets and network weights that the manifests describe."""


@data.command("list")
def list_() -> None:
    """Everything there is and where it lies, and how to get what is missing."""
    for item in manifests.status():
        click.echo(f"{item.kind:<9} {item.name:<24} {item.state}\n      {item.where}")


@data.command()
@click.argument("name")
def where(name: str) -> None:
    """Print the path of a dataset or weight file."""
    click.echo(manifests.where(name))


@data.command()
@click.argument("name")
def verify(name: str) -> None:
    """Compare the checksums of a dataset or weight file with its manifest."""
    found = manifests.verify(name)
    as_published = f"{found.files} file(s) as published" if found.files else "no published checksum"
    click.echo(f"{found.path}: {as_published}")


@data.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download a dataset or weight file, and verify it."""
    click.echo(manifests.fetch(name))


# Networks ---------------------------------------------------------------------------------------


@main.command()
@click.argument("name")
@click.option("--root", type=click.Path(path_type=Path), help="The folder that holds its dataset.")
@click.option("--device", default="cpu", show_default=True)
def train(name: str, root: Path | None, device: str) -> None:
    """Train a network of this project, unless it has been trained before."""
    from . import nets

    found = nets.train(name, root=root, device=device)
    click.echo(f"{name}: test accuracy {found.accuracy:.1%}, trained in {found.seconds:.0f} s")


# Evaluation -------------------------------------------------------------------------------------


@main.command()
@click.option("--network", default="tf_efficientnet_lite0", show_default=True)
@click.option("--weights", help="A state dict, or 'random'.  [default: the manifest's]")
@click.option("--layer", help="The target layer.  [default: the paper's choice]")
@click.option("--dataset", default="imagenet_embedded", show_default=True)
@click.option("--root", type=click.Path(path_type=Path), help="The folder that holds the dataset.")
@click.option("--limit", type=click.IntRange(min=1), help="So many images, evenly spaced.")
@click.option("--method", "methods", multiple=True, help="May be repeated.  [default: all]")
@click.option("--metric", "metrics", multiple=True, help="May be repeated.  [default: all]")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(min=1))
@click.option("--device", default="cpu", show_default=True)
@click.option(
    "--store", type=click.Path(path_type=Path), help="Keep results there; a second run resumes."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the long table (.csv or .parquet)."
)
def evaluate(
    network: str,
    weights: str | None,
    layer: str | None,
    dataset: str,
    root: Path | None,
    limit: int | None,
    methods: tuple[str, ...],
    metrics: tuple[str, ...],
    batch_size: int,
    device: str,
    store: Path | None,
    out: Path | None,
) -> None:
    """Explain images by several methods and measure the maps."""
    from . import data, nets
    from .evaluate import evaluate as run
    from .methods import METHODS
    from .metrics import METRICS

    if out and out.suffix not in _WRITERS:
        raise ValueError(f"--out {out}: its name ends in {' or '.join(_WRITERS)}")
    net = nets.load(network, weights=weights, layer=layer, device=device)
    images = data.load(dataset, root=root, limit=limit, size=net.input_size)
    frame = run(
        net,
        images,
        methods or list(METHODS),
        metrics or list(METRICS),
        batch_size=batch_size,
        store=store,
    )
    if out:
        _WRITERS[out.suffix](frame, out)
    click.echo(_summary(frame))


_WRITERS = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
}


def _summary(frame: Any) -> str:
    """Means with 95 % intervals, a row a method, a column a metric; and the images that failed."""
    from .report import mean_ci
    from .report.labels import bounds, method_title, metric_label, number

    metrics = list(frame["metric"].unique())
    rows = [["", *(metric_label(metric).heading for metric in metrics)]]
    for method in frame["method"].unique():
        row = [method_title(method)]
        for metric in metrics:
            values = frame[(frame["method"] == method) & (frame["metric"] == metric)]
            interval = mean_ci(values["value"], values["group"]).scaled(metric_label(metric).scale)
            row.append(f"{number(interval.mean)} {bounds(interval)}".strip())
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows
    ]
    failed = frame.dropna(subset="error").drop_duplicates("image")
    lines += [f"no value for {row.image}: {row.error}" for row in failed.itertuples()]
    return "\n".join(lines)


# Survey -----------------------------------------------------------------------------------------


@main.group()
def survey() -> None:
    """Ask people which of two networks has the better saliency maps."""


@survey.command()
@click.option(
    "--network",
    "networks",
    multiple=True,
    help="Give two.  [default: tf_efficientnet_lite0 and _lite1]",
)
@click.option("--dataset", default="imagenet_embedded", show_default=True)
@click.option("--root", type=click.Path(path_type=Path), help="The folder that holds the dataset.")
@click.option("--questions", "n", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True, help="Of the order, and of who is A.")
@click.option("--store", type=click.Path(path_type=Path), help="Saliency maps known from before.")
@click.option("--out", default="survey", show_default=True, type=click.Path(path_type=Path))
def make(
    networks: tuple[str, ...],
    dataset: str,
    root: Path | None,
    n: int,
    seed: int,
    store: Path | None,
    out: Path,
) -> None:
    """Write a form to print, the key to it, and an empty table for the answers."""
    from . import data
    from . import survey as surveys

    photographs = data.load(dataset, root=root)
    chosen = networks or surveys.NETWORKS
    found = surveys.questions(photographs, chosen, n=n, seed=seed, store=store)
    click.echo(f"{len(found)} questions: {surveys.make(found, out)}")


@survey.command()
@click.argument("answers", type=click.Path(path_type=Path))
@click.argument("key", type=click.Path(path_type=Path))
def score(answers: Path, key: Path) -> None:
    """Count the ANSWERS (a CSV file: participant, question, choice) by the survey's KEY."""
    from .report.labels import bounds, number
    from .report.statistics import Interval
    from .survey import score as run

    for row in run(answers, key).itertuples():
        share = Interval(row.share, row.low, row.high, row.participants).scaled(100)
        chosen = f"{row.chosen} of {row.answers} answers by {row.participants} participants"
        click.echo(f"{row.network}: {number(share.mean)} % {bounds(share)}, {chosen}")


def _run() -> None:
    """A wrong input is a line on the terminal, not a traceback."""
    try:
        main(prog_name="python -m lib")
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    _run()
