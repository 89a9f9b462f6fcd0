"""Every page, as a reader on a desktop or a phone has it, in both colour schemes."""

from importlib.resources import files

import pytest

from book.building.contents import pages
from lib.paths import ROOT

from .conftest import PHONE

ONE_OF_A_KIND = ["book/methods/lime", "book/metrics/average_gain", "book/claims/opticam-best-average-gain"]
PAGES = [*pages(ROOT), *ONE_OF_A_KIND, "search"]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")

# What sticks out of the window, but not out of a box that scrolls.
STICKS_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (e) => e && (/auto|scroll|hidden/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  return [...document.querySelectorAll(".bd-article *")]
    .filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e.parentElement))
    .map((e) => e.outerHTML.slice(0, 100));
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious(open_page, page, dark):
    opened = open_page(page, dark=dark)
    opened.add_style_tag(
        content="* { transition: none !important }"
    )  # colours that are on their way
    opened.evaluate(AXE)
    found = opened.evaluate("axe.run({resultTypes: ['violations'], preload: false})")["violations"]
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in serious] == []


@pytest.mark.parametrize("page", PAGES)
def test_nothing_sticks_out_on_a_phone(open_page, page):
    opened = open_page(page, width=PHONE[0])
    assert opened.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert opened.evaluate(STICKS_OUT) == []
