"""The scoreboard: filters and order, remembered in the address, and the way to each claim and back."""

from urllib.parse import parse_qs, urlsplit

import pytest

from .conftest import PHONE, follow

PAGE = "book/scoreboard"
SHOWN = "table.board tbody tr:not([hidden])"
ROWS = """() => [...document.querySelectorAll("table.board tbody tr")].map(
  (row) => ({...row.dataset, id: row.id, hidden: row.hidden, text: row.innerText}))"""
# A value of each filter that some rows have and some do not; one of them has a comma of its own.
CHOSEN = {"paper": "liftcam", "basis": "test bed", "method": "Grad-CAM", "metric": "shift, black"}


def rows(page):
    return page.evaluate(ROWS)


def shown(page):
    return [row for row in rows(page) if not row["hidden"]]


def state(page):
    return {key: value for key, (value,) in parse_qs(urlsplit(page.url).fragment).items()}


def choose(page, key, value):
    page.locator(f".cams-filters select[name={key}]").select_option(value)


def a_verdict(page):
    """One that several rows have, but not all."""
    verdicts = [row["verdict"] for row in rows(page)]
    return max((verdict for verdict in {*verdicts} if verdict != verdicts[0]), key=verdicts.count)


@pytest.mark.parametrize("key", [*CHOSEN, "verdict"])
def test_a_filter_leaves_the_rows_that_have_its_value_and_stands_in_the_address(open_page, key):
    page = open_page(PAGE)
    value = CHOSEN.get(key) or a_verdict(page)
    wanted = [row["id"] for row in rows(page) if value in row[key].split("|")]
    choose(page, key, value)
    assert 0 < len(wanted) < len(rows(page))
    assert [row["id"] for row in shown(page)] == wanted
    assert (
        page.locator(SHOWN).count()
        == len(wanted)
        == page.locator(f"{SHOWN} >> visible=true").count()
    )
    assert (
        page.locator(".cams-shown")
        .inner_text()
        .startswith(f"{len(wanted)} of {len(rows(page))} claims")
    )
    assert state(page) == {key: value}
    page.reload()
    assert [row["id"] for row in shown(page)] == wanted
    assert page.locator(f"select[name={key}]").input_value() == value


def test_filters_and_words_narrow_each_other_and_are_cleared_together(open_page):
    page = open_page(PAGE)
    choose(page, "paper", "opticam")
    choose(page, "metric", "AG")
    page.locator("input[name=words]").fill("table 1")
    found = shown(page)
    assert found and all(
        row["paper"] == "opticam" and "AG" in row["metric"].split("|") for row in found
    )
    assert all("table" in row["text"].lower() and "1" in row["text"] for row in found)
    assert state(page) == {"paper": "opticam", "metric": "AG", "words": "table 1"}
    page.get_by_role("button", name="Clear").click()
    assert len(shown(page)) == len(rows(page)) and state(page) == {}


def test_a_link_may_ask_for_several_verdicts(open_page):
    page = open_page(PAGE)
    several = sorted({row["verdict"] for row in rows(page)})[:2]
    page = open_page(PAGE, query=f"#verdict={','.join(several).replace(' ', '+')}")
    assert {row["verdict"] for row in shown(page)} == {*several}
    choose(page, "paper", "liftcam")  # beside which the verdicts stay
    assert {row["verdict"] for row in shown(page)} <= {*several}
    assert state(page) == {"verdict": ",".join(several), "paper": "liftcam"}


@pytest.mark.parametrize("key", ["paper", "claim", "verdict", "basis", "method", "metric"])
def test_a_heading_sorts_either_way_and_then_no_more(open_page, key):
    page = open_page(PAGE)
    heading = page.locator(f"th[data-sort={key}]")
    first = [row["id"] for row in rows(page)]
    orders = []
    for way in ("ascending", "descending"):
        heading.get_by_role("button").press("Enter")
        assert heading.get_attribute("aria-sort") == way
        assert state(page) == {"sort": f"-{key}" if way == "descending" else key}
        if key not in ("claim", "verdict"):  # which are sorted by more than the text of a cell
            orders.append([*dict.fromkeys(row[key] for row in rows(page))])
        else:
            orders.append([row["id"] for row in rows(page)])
    if key == "claim":  # ties stay in the book's order
        assert orders[0] != first and set(orders[0][:5]).isdisjoint(orders[1][:5])
    elif key == "verdict":
        verdicts = {row["id"]: row["verdict"] for row in rows(page)}
        assert verdicts[orders[0][0]] == "holds" != verdicts[orders[1][0]]
    else:
        assert orders[0] == orders[1][::-1] and len(orders[0]) > 1
    page.reload()
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").click()
    assert [row["id"] for row in rows(page)] == first and state(page) == {}


def test_a_row_leads_to_the_page_of_its_claim_and_back(open_page):
    page = open_page(PAGE)
    claim = rows(page)[3]["id"]
    follow(page.locator(f"tr#{claim} td:nth-child(2) > a"))
    assert page.url.endswith(f"book/claims/{claim}.html")
    assert page.locator(".bd-article h1").is_visible()
    follow(page.get_by_role("link", name="all claims of Opti-CAM"))
    assert state(page) == {"paper": "opticam"} and {row["paper"] for row in shown(page)} == {
        "opticam"
    }


def test_a_row_has_an_address(open_page):
    page = open_page(PAGE)
    claim = rows(page)[-1]["id"]
    page = open_page(PAGE, query=f"#{claim}")
    assert page.locator(f"tr#{claim}:target").is_visible() and len(shown(page)) == len(rows(page))


def test_the_front_page_leads_to_the_claims_that_it_counts(open_page):
    page = open_page("book/index")
    follow(page.locator("table.summary tbody td a").first)
    assert page.url.partition("#")[0].endswith(f"{PAGE}.html")
    asked = state(page)
    found = shown(page)
    assert asked["paper"] and asked["verdict"] and found
    assert all(row["paper"] == asked["paper"] for row in found)
    assert all(row["verdict"] in asked["verdict"].split(",") for row in found)


def test_a_desktop_shows_all_columns_and_gives_most_room_to_the_claims(open_page):
    page = open_page(PAGE)
    box = page.locator(".table-scroll:has(table.board)")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    widths = [
        heading.bounding_box()["width"] for heading in page.locator("table.board thead th").all()
    ]
    assert widths[1] == max(widths) > 300


def test_a_phone_shows_claim_and_verdict(open_page):
    page = open_page(PAGE, width=PHONE[0])
    seen = [
        cell.inner_text()
        for cell in page.locator("table.board thead th").all()
        if cell.is_visible()
    ]
    assert seen == ["Claim", "Verdict"]


def test_without_scripts_the_table_is_whole(open_page):
    page = open_page(PAGE, scripts=False)
    assert page.locator("table.board tbody tr").count() > 100
    assert page.locator("table.board tbody tr").last.is_visible()
    assert page.locator(".cams-filters").count() == 0
