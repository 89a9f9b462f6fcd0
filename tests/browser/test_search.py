"""The search, on a book that was opened from a file."""

import pytest

from .conftest import DESKTOP, PHONE


@pytest.mark.parametrize("width", [DESKTOP[0], PHONE[0]])
def test_a_search_finds_pages_with_excerpts(open_page, width):
    page = open_page("search", width=width, query="?q=insertion")
    first = page.locator("#search-results li").first
    first.locator("p.context").wait_for()
    assert "insertion" in first.locator("p.context").inner_text().lower()
    first.locator("a").first.click()
    page.wait_for_url("**/*.html*")
    assert "insertion" in page.locator("article").inner_text().lower()


def test_the_search_of_a_page_leads_to_its_results(open_page):
    page = open_page("book/index")
    page.keyboard.press("Control+k")
    page.locator("#pst-search-dialog input").fill("opti-cam")
    page.keyboard.press("Enter")
    page.locator("#search-results li p.context").first.wait_for()
