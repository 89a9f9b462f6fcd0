"""The cost of the store against the number of images; writes `benchmarks/scale.md` and `scale.csv`.

Each run is a process of its own. Runs with a store and without one take turns.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import click
import pandas as pd
import torch
from tqdm import tqdm

from lib.evaluate import SHARD_SIZE

HERE = Path(__file__).parent
# Images, and pairs of runs, for each network.
RUNS = {
    "small": {100: 2, 1_000: 2, 10_000: 1},
    "tf_efficientnet_lite0": {100: 1, 1_000: 1},
}


def main() -> None:
    todo = [
        (name, n, stored)
        for name, sizes in RUNS.items()
        for n, pairs in sizes.items()
        for pair in range(pairs)
        for stored in ((False, True) if pair % 2 else (True, False))
    ]
    runs = pd.DataFrame([_run(*one) for one in tqdm(todo, desc="runs")])
    runs.to_csv(HERE / "scale.csv", index=False)
    text = _page(runs)
    (HERE / "scale.md").write_text(text, encoding="utf-8")
    print(text)


def _run(name: str, n: int, stored: bool) -> dict:
    command = [
        sys.executable,
        "-m",
        "benchmarks.scale_run",
        name,
        str(n),
        "yes" if stored else "no",
    ]
    out = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=True)
    return {"network": name, "images": n, "store": stored} | json.loads(out.stdout)


def _page(runs: pd.DataFrame) -> str:
    medians = runs.groupby(["network", "images", "store"], sort=False).median().reset_index()
    lines = [
        "| network | images | without a store | with one | Grad-CAM alone | in the store | share (time) "
        "| share (computing) | all read again | files | MiB | peak without | peak with |",
        "|---|" + "--:|" * 12,
    ]
    for (name, n), both in medians.groupby(["network", "images"], sort=False):
        (without,), (with_one,) = (
            [*both[both["store"] == stored].itertuples()] for stored in (False, True)
        )
        lines.append(
            f"| {name} | {n:,} | {_each(without.seconds, n)} | {_each(with_one.seconds, n)} "
            f"| {_each(with_one.grad_cam_seconds, n)} | {_each(with_one.store_seconds, n)} "
            f"| **{with_one.store_seconds / with_one.grad_cam_seconds:.1%}** "
            f"| {with_one.store_computing / with_one.grad_cam_computing:.1%} "
            f"| {_each(with_one.again_seconds, n)} | {with_one.files:,.0f} | {with_one.mib:.1f} "
            f"| {without.peak_mib:,.0f} | {with_one.peak_mib:,.0f} |"
        )
    small = medians[medians["network"] == "small"].set_index(["store", "images"])["peak_mib"]
    least, most = (
        1024 * (small[stored, 10_000] - small[stored, 1_000]) / 9_000 for stored in (False, True)
    )
    return "\n".join([
        "# The store at scale", "",
        "Written by `python -m benchmarks.scale`: `evaluate` of Grad-CAM with average drop, in batches of",
        f"16 and shards of {SHARD_SIZE}, on images of noise. Times are microseconds per image, of one",
        "thread; each row is the median of runs in processes of their own, which take turns with and",
        "without a store. *In the store* is the time within its functions, locks and hashes, measured in",
        "the run itself, since the difference of two runs is smaller than their noise; the shares are",
        "those of Grad-CAM's own time, once of time passed and once of time computed by the processor.",
        "*All read again* is a second call, which finds all values. The fingerprint of an image of noise",
        "is a hash of its seed; that of an image file is a hash of the file, which is read for it.", "",
        f"torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} CPUs; load average",
        f"{os.getloadavg()[2]:.1f} over the last 15 minutes of the measurement.", "",
        *lines, "",
        f"Peak memory (MiB) grows by {least:.1f} KiB per image without a store, and by {most:.1f} KiB",
        "with one, from 1,000 to 10,000 images of the small network. Without a store it is the records",
        "of the images and the table that is returned; a store adds the list of which file holds which map.",
        "",
    ])  # fmt: skip


def _each(seconds: float, n: int) -> str:
    return f"{1e6 * seconds / n:,.0f}"


@click.command()
def cli() -> None:
    """Measure the store with 100, 1,000 and 10,000 images; write benchmarks/scale.md and scale.csv."""
    main()


if __name__ == "__main__":
    cli()
