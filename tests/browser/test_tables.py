"""Tables wider than the page."""

import pytest

from .conftest import DESKTOP, PHONE

PAGE = "notebooks/opticam/07_localization"  # with the widest of all


@pytest.fixture(params=[DESKTOP[0], PHONE[0]])
def table(request, open_page):
    page = open_page(PAGE, width=request.param)
    region = page.locator(".table-scroll:has(table.comparison)").first
    region.scroll_into_view_if_needed()
    return page, region


def test_a_table_scrolls_by_keyboard(table):
    page, region = table
    region.focus()
    assert page.evaluate("document.activeElement.className") == "table-scroll"
    before = region.evaluate("region => region.scrollLeft")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    assert before == 0


def test_the_first_column_stays_and_nothing_is_seen_through_it(table):
    _, region = table
    cell = region.locator("tbody [data-first]").nth(2)
    left = cell.bounding_box()["x"]
    region.evaluate("region => { region.scrollLeft = 300 }")
    assert cell.bounding_box()["x"] == pytest.approx(left, abs=1)
    assert cell.evaluate("cell => getComputedStyle(cell).backgroundColor") == "rgb(255, 255, 255)"


def test_the_keyboard_passes_a_table_that_fits(open_page):
    page = open_page("book/notation")
    page.wait_for_function("!document.querySelector('.table-scroll').hasAttribute('tabindex')")


def test_a_caption_is_read_without_scrolling(table):
    _, region = table
    caption, box = region.locator("caption > span").bounding_box(), region.bounding_box()
    assert caption["x"] >= box["x"] - 1
    assert caption["x"] + caption["width"] <= box["x"] + box["width"] + 1
