"""The answer of a page stands on its first screen."""

import pytest

from book.building.contents import pages
from lib.paths import ROOT

from .conftest import DESKTOP, PHONE

OF_PAPERS = [
    name
    for name in pages(ROOT)
    if name.startswith("notebooks/") and "/reference/" not in name and "/statistics/" not in name
]
HEIGHT = dict([DESKTOP, PHONE])


@pytest.mark.parametrize("width", [DESKTOP[0], PHONE[0]])
@pytest.mark.parametrize("name", OF_PAPERS)
def test_the_counts_of_the_verdicts_are_on_the_first_screen(open_page, name, width):
    page = open_page(name, width=width)
    box = page.locator(".cams-first")
    counts = (
        box.locator(".cams-counts").bounding_box()
        if box.locator(".cams-counts").count()
        else box.bounding_box()
    )
    assert box.bounding_box()["y"] < 0.5 * HEIGHT[width]
    assert counts["y"] + counts["height"] <= HEIGHT[width]
    assert box.bounding_box()["x"] + box.bounding_box()["width"] <= width


@pytest.mark.parametrize(
    "name", ["notebooks/opticam/01_classification_metrics", "notebooks/calm/03_attribution_maps"]
)
def test_a_desktop_shows_the_whole_answer(open_page, name):
    box = open_page(name).locator(".cams-first").bounding_box()
    assert box["y"] + box["height"] <= DESKTOP[1]
