"""Every page on images and networks that this project has never seen.

`pytest -m matrix tests/book/test_strangers.py` runs every page on every layout and network; without it each
page runs on one of each.
"""

from pathlib import Path

import pytest

from book.experiments import pages, plan

from .strangers import LAYOUTS, NETWORKS, own_network, photographs, run

PAGES = [page for page in pages() if plan(page, "smoke").experiments]
EACH = [(page, layout, network) for page in PAGES for layout in LAYOUTS for network in NETWORKS]
# One of each page, so that every layout meets every network: three and four have no common divisor.
SAMPLE = [(page, LAYOUTS[i % 3], [*NETWORKS][(i + 2) % 4]) for i, page in enumerate(PAGES)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A folder of photographs in each layout, and a network in a file."""
    base = tmp_path_factory.mktemp("strangers")
    for layout in LAYOUTS:
        photographs(base / layout, layout, classes=2)
    own_network(base)
    return base


def check(inputs: Path, page: str, layout: str, network: str) -> None:
    """The page runs to its end, or stops with one sentence before anything is explained."""
    dataset = "imagenet" if layout == "imagenet" else "folder"
    net = own_network(inputs) if network == "own" else NETWORKS[network]
    outcome = run(page, dataset=dataset, root=str(inputs / layout), **net)
    if outcome.error and not outcome.stopped:
        raise outcome.error
    if outcome.stopped:
        assert outcome.cell <= 3, "it stops at its head"  # 0 and 1 are parameters
        assert outcome.stopped.count("\n") == 0
    else:
        assert "Departures from the published setting" in outcome.shown
        assert "Read from" in outcome.shown and f"`{inputs / layout}`" in outcome.shown


@pytest.mark.parametrize("page, layout, network", SAMPLE)
def test_a_page_runs_or_says_why_not(inputs, page, layout, network):
    check(inputs, page, layout, network)


@pytest.mark.matrix
@pytest.mark.parametrize("page, layout, network", EACH)
def test_every_page_on_every_input(inputs, page, layout, network):
    check(inputs, page, layout, network)
