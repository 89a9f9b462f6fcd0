"""The commands of `python -m lib` that need this package: `book` and `survey`."""

from pathlib import Path
from typing import Any

import click

from lib.paths import absolute

from .parameters import PATHS, PROFILES

PATH = {
    "type": absolute,
    "metavar": "PATH",
}  # for options: shells do not expand the ~ in --out=~/mine


@click.command()
@click.option("--profile", default="embedded", show_default=True, type=click.Choice(PROFILES))
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="How many notebooks run at a time.  [default: one on a GPU, else one per two cores and at least two]",
)
@click.option(
    "--scheduler",
    help="Run the notebooks on Dask's workers: local, local:4 (processes here), or tcp://host:8786. To spread the "
    "evaluation within each notebook instead: -p scheduler local",
)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of every notebook that has it; may be repeated.",
)
@click.option(
    "--page",
    "pages",
    multiple=True,
    metavar="PAGE",
    help="Build this page alone, such as opticam/07; may be repeated.",
)
@click.option(
    "--out",
    **PATH,
    help="The folder of the book.  [default: build/PROFILE; with --page, build/pages]",
)
@click.option(
    "--refresh", is_flag=True, help="Also replace the committed notebooks by the executed ones."
)
@click.option(
    "--as-is",
    is_flag=True,
    help="Execute nothing; a page whose inputs have changed since its execution says so.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Build nothing; fail and list the pages if inputs of any have changed since their execution.",
)
def book(
    profile: str,
    jobs: int | None,
    scheduler: str | None,
    parameters: list[tuple[str, str]],
    pages: tuple[str, ...],
    out: Path | None,
    refresh: bool,
    as_is: bool,
    check: bool,
) -> None:
    """Execute the notebooks that are stale, and build the HTML book."""
    from lib.paths import ROOT

    from .building import BookError, build, committed, stale

    if refresh and profile != "smoke":
        raise ValueError(
            f"--refresh goes with --profile smoke, not {profile}: replaying takes seconds"
        )
    if refresh and (pages or parameters):
        raise ValueError("--refresh goes with all pages as they are: leave out --page and -p")
    values = {name: placed(name, _literal(text)) for name, text in parameters}
    if scheduler and values.get("scheduler"):
        raise ValueError(
            "give --scheduler or -p scheduler, not both: the notebooks would hold the workers for which their "
            "evaluations wait"
        )
    if check:
        if old := stale(profile, out=out, parameters=values, pages=pages):
            told = "".join(f"\n  {name}" for name in old)
            raise BookError(f"{len(old)} pages are out of date, or were never executed:{told}")
        click.echo("every page is up to date")
        return
    how = {"jobs": jobs, "scheduler": scheduler, "pages": pages, "as_is": as_is}
    index = build(profile, out=out, parameters=values, **how)
    if refresh:
        committed.refresh(ROOT, index.parents[1] / "executed")
    here = Path.cwd()
    what = "the page" if pages else "the book"
    click.echo(f"{what}: {index.relative_to(here) if index.is_relative_to(here) else index}")


def _literal(text: str) -> Any:
    """The value as YAML reads it: a number, true, null, a list; else the text itself."""
    import yaml

    return yaml.safe_load(text)


def placed(name: str, value: Any) -> Any:
    """A parameter's value; the path of an existing file becomes absolute, since notebooks run elsewhere.

    Example:
        >>> placed("network", "mine.py:build")
        '/home/me/project/mine.py:build'
    """
    from lib.data import DATASETS

    if name not in PATHS or not isinstance(value, str) or value in ("", "random", *DATASETS):
        return value
    path, colon, function = value.rpartition(":") if name == "network" else (value, "", "")
    found = absolute(path)
    return f"{found}{colon}{function}" if path and found.exists() else value


# Survey -----------------------------------------------------------------------------------------


@click.group()
def survey() -> None:
    """Ask people which of two networks has the better saliency maps."""


@survey.command()
@click.option(
    "--network",
    "networks",
    multiple=True,
    help="Give two.  [default: tf_efficientnet_lite0 and torchvision:squeezenet1_1]",
)
@click.option(
    "--dataset",
    help="[default: imagenet_embedded; with --root alone, folder: your own images]",
)
@click.option("--root", **PATH, help="The folder that holds the dataset.")
@click.option("--questions", "n", default=20, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--seed", default=0, show_default=True, help="Of the order, and of which network is A."
)
@click.option("--store", **PATH, help="The store of saliency maps from earlier runs.")
@click.option("--out", default="survey", show_default=True, **PATH)
def make(
    networks: tuple[str, ...],
    dataset: str | None,
    root: Path | None,
    n: int,
    seed: int,
    store: Path | None,
    out: Path,
) -> None:
    """Write a form to print, the key to it, and an empty table for the answers."""
    from lib import data

    from . import survey as surveys

    photographs = data.load(dataset or ("folder" if root else "imagenet_embedded"), root=root)
    chosen = networks or surveys.NETWORKS
    found = surveys.questions(photographs, chosen, n=n, seed=seed, store=store)
    click.echo(f"{len(found)} questions: {surveys.make(found, out)}")


@survey.command()
@click.argument("answers", type=absolute)
@click.argument("key", type=absolute)
def score(answers: Path, key: Path) -> None:
    """Count the ANSWERS (a CSV file: participant, question, choice) by the survey's KEY."""
    from lib.statistics import Interval

    from .report.labels import bounds, number
    from .survey import score as run

    for row in run(answers, key).itertuples():
        share = Interval(row.share, row.low, row.high, row.participants).scaled(100)
        chosen = f"{row.chosen} of {row.answers} answers by {row.participants} participants"
        click.echo(f"{row.network}: {number(share.mean)} % {bounds(share)}, {chosen}")
