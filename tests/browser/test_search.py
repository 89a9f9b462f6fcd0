"""The search, on a book that was opened from a file."""

from urllib.parse import quote

import pytest

from .conftest import DESKTOP, PHONE, follow


@pytest.mark.parametrize("width", [DESKTOP[0], PHONE[0]])
def test_a_search_finds_pages_with_excerpts(open_page, width):
    page = open_page("search", width=width, query="?q=insertion")
    first = page.locator("#search-results li").first
    first.locator("p.context").wait_for()
    assert "insertion" in first.locator("p.context").inner_text().lower()
    follow(first.locator("a").first)
    assert "insertion" in page.locator("article").inner_text().lower()


def test_the_search_of_a_page_leads_to_its_results(open_page):
    page = open_page("book/index")
    page.keyboard.press("Control+k")
    page.locator("#pst-search-dialog input").fill("opti-cam")
    page.keyboard.press("Enter")
    page.locator("#search-results li p.context").first.wait_for()


@pytest.mark.parametrize(
    "query, title, place",
    [
        ("figure A4", "Opti-CAM, figure A4", "notebooks/opticam/11_selectivity.html#figure-a4"),
        ("Fig. A4", "Opti-CAM, figure A4", "notebooks/opticam/11_selectivity.html#figure-a4"),
        ("table 5", "Opti-CAM, table 5", "notebooks/opticam/05_bounding_boxes.html#table-5"),
        ("CALM table 2", "CALM, table 2: not run", "book/concordance.html#calm-table-2"),
        ("Score-CAM", "Score-CAM", "book/methods/score_cam.html"),
        ("score cam", "Score-CAM", "book/methods/score_cam.html"),
        ("Grad-CAM++", "Grad-CAM++", "book/methods/grad_cam_plus_plus.html"),
        ("AG", "Average gain (AG)", "book/metrics/average_gain.html"),
    ],
)
def test_what_has_a_name_is_the_first_result(open_page, query, title, place):
    page = open_page("search", query=f"?q={quote(query)}")
    first = page.locator("#search-results li a").first
    first.wait_for()
    assert first.inner_text().startswith(title)
    follow(first)
    assert page.url.partition("#")[0].endswith(place.partition("#")[0])
    if anchor := place.partition("#")[2]:
        assert page.url.endswith(f"#{anchor}") and page.locator(f"[id='{anchor}']").is_visible()


def test_every_table_and_figure_of_a_paper_is_found_by_its_name(open_page):
    page = open_page("search", query="?q=table%201")
    titles = page.locator("#search-results li a").all_inner_texts()
    assert [title.partition(":")[0] for title in titles[:3]] == [
        "Opti-CAM, table 1", "LIFT-CAM, table 1", "Class-contrastive explanations, table 1"
    ]  # fmt: skip
