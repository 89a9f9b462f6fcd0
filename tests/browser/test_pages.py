"""Every page, as a reader on a desktop or a phone has it, in both colour schemes."""

from importlib.resources import files

import pytest

from book.building.contents import pages
from lib.paths import ROOT

from .conftest import PHONE

ONE_OF_A_KIND = [
    "book/methods/lime",
    "book/metrics/average_gain",
    "book/claims/opticam-best-average-gain",
]
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


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious(open_page, page):
    opened = open_page(page)
    opened.add_style_tag(
        content="* { transition: none !important }"
    )  # colours that are on their way
    opened.evaluate(AXE)
    assert serious(opened, "{}") == []
    opened.emulate_media(color_scheme="dark")  # which changes the colours alone
    opened.wait_for_selector("html[data-theme=dark]")  # the page hears of it a moment later
    assert serious(opened, "{runOnly: ['color-contrast']}") == []


def serious(opened, options):
    """The serious violations, each with the first element that has it."""
    found = opened.evaluate(
        f"axe.run(Object.assign({{resultTypes: ['violations'], preload: false}}, {options}))"
    )
    return [
        (rule["id"], rule["nodes"][0]["html"][:120])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("page", PAGES)
def test_nothing_sticks_out_on_a_phone(open_page, page):
    opened = open_page(page, width=PHONE[0])
    assert opened.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert opened.evaluate(STICKS_OUT) == []
