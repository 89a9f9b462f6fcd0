import pandas as pd
from bs4 import BeautifulSoup

from book import report
from book.building.html.tables import regions


def soup(html):
    return BeautifulSoup(regions(html), "html.parser")


def test_every_table_has_one_region_whatever_it_came_in():
    table = "<table><tbody><tr><td>1</td></tr></tbody></table>"
    theme = f'<div class="pst-scrollable-table-container">\n{table}\n</div>'
    page = soup(
        f'{table}<div class="table-scroll">{table}</div>{theme}<div class="table-scroll long">{theme}</div><p>after</p>'
    )
    found = page.select("div.table-scroll[role=region][tabindex='0'] > table")
    assert len(found) == len(page.select("div.table-scroll")) == 4
    assert "long" in found[3].parent["class"]
    assert page.p.parent is page  # each region is closed


def test_the_label_is_the_caption_or_the_section_and_numbered():
    table = "<table><caption>{}</caption></table>"
    page = soup(
        f"<h2>Results<a class='headerlink' href='#r'>#</a></h2><table></table>{table.format('<b>Here</b> &amp; there')}"
    )
    assert [region["aria-label"] for region in page("div")] == [
        "Table 1: Results#",
        "Table 2: Here & there",
    ]


def test_headers_say_of_what_and_empty_ones_are_none():
    frame = pd.DataFrame({("AD", "low"): [1, 2], ("AD", "high"): [3, 4]}, index=["a", "b"])
    table = soup(frame.to_html()).table
    assert [(th.text, th["scope"]) for th in table.thead("th")] == [
        ("AD", "colgroup"), ("low", "col"), ("high", "col"),
    ]  # fmt: skip
    assert [(th.text, th["scope"]) for th in table.tbody("th")] == [("a", "row"), ("b", "row")]
    assert all(th.text.strip() for th in table("th"))


def test_the_first_cells_are_those_of_the_first_column():
    index = pd.MultiIndex.from_product([["one", "two"], ["x", "y"]], names=["net", "map"])
    table = soup(pd.DataFrame({"n": range(4)}, index=index).to_html()).table
    first = [cell.text for cell in table.tbody.select("[data-first]")]
    assert first == ["one", "two"]
    assert all(th["scope"] == "rowgroup" for th in table.tbody.select("[data-first]"))
    assert [cell.text for cell in table.thead.select("[data-first]")] == ["", "net"]


def test_tables_have_the_style_of_the_book_and_none_of_their_own():
    styled = (
        "<style scoped>\n.dataframe tbody tr th {}\n</style>" + pd.DataFrame({"n": [1]}).to_html()
    )
    page = soup(styled + "<style>p {}</style>")
    assert [style.text for style in page("style")] == ["p {}"] and page.table["class"] == ["frame"]


def test_what_is_not_there_is_a_dash_and_a_minus_is_no_hyphen():
    frame = pd.DataFrame({"x": ["-0.5 [-1.2, -0.1]", None, "a-1", float("nan"), "2024-11-02"]})
    cells = [cell.text for cell in soup(frame.to_html()).tbody("td")]
    assert cells == ["−0.5 [−1.2,\N{NO-BREAK SPACE}−0.1]", "–", "a-1", "–", "2024-11-02"]


def test_a_long_table_stays_in_its_box():
    html = report.scrolled(pd.DataFrame({"n": [1]})).html
    assert soup(html).div["class"] == ["table-scroll", "long"] and len(soup(html)("div")) == 1


def test_no_line_breaks_within_an_interval_or_a_size_of_a_data_frame():
    frame = pd.DataFrame({"IoU": ["7.08 [6.21, 7.98]"], "grid": ["8 × 8"], "words": ["on one of them"]})
    cells = [cell.text for cell in soup(frame.to_html(index=False)).table.tbody("td")]
    assert cells == ["7.08 [6.21,\N{NO-BREAK SPACE}7.98]", "8\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}8", "on one of them"]
