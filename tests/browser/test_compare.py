"""Any two methods compared, from the file that the page carries."""

import re

import pytest

from .conftest import DESKTOP, PHONE

PAGE = "notebooks/reference/02_compare"


@pytest.fixture(params=[DESKTOP[0], PHONE[0]])
def page(request, open_page):
    return open_page(PAGE, width=request.param)


def box(page, label):
    return page.locator(".compare-choice label", has_text=label).locator("select")


def choose(page, first, second):
    box(page, "First method").select_option(label=first)
    box(page, "Second method").select_option(label=second)


def table(page):
    """The cells of each metric's row, by its heading."""
    rows = page.locator("table.two tbody tr:not(.group)")
    return {cells[0]: cells[1:] for cells in rows.evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )}  # fmt: skip


def methods(page):
    return box(page, "First method").locator("option").all_inner_texts()


def test_two_methods_are_compared_by_every_metric_with_interval_and_n(page):
    first, second = methods(page)[:2]
    choose(page, first, second)
    found = table(page)
    assert len(found) > 3
    for _, _, difference, n in found.values():
        assert re.match(r"−?[\d.]+ (\[−?[\d.]+, −?[\d.]+\]|–)$", difference) and int(n) > 0
    said = page.locator(".compare-two p").inner_text()
    assert said.startswith(f"{first} against {second} on ")
    assert page.locator("table.two tbody tr:not(.group) svg circle").count() == len(found)


def test_the_other_way_round_turns_every_difference(page):
    first, second = methods(page)[:2]
    choose(page, first, second)
    straight = table(page)
    choose(page, second, first)
    turned = table(page)

    def numbers(cell):
        return [float(x.replace("−", "-")) for x in re.findall(r"−?[\d.]+", cell)]

    assert [*straight] == [*turned]
    for metric, (side, _, difference, n) in straight.items():
        mean, *ends = numbers(difference)
        other, *bounds = numbers(turned[metric][2])
        assert other == -mean and bounds == [-x for x in reversed(ends)] and turned[metric][3] == n
        assert turned[metric][0].replace("▲", "▼") == side.replace(
            "▲", "▼"
        )  # the same method is better


def test_a_method_is_not_compared_with_itself(page):
    name = methods(page)[0]
    choose(page, name, name)
    assert page.locator(".compare-two").get_by_text("Choose two methods.").is_visible()
    assert page.locator("table.two").count() == 0


def test_each_network_has_its_methods(page):
    networks = box(page, "Network").locator("option").all_inner_texts()
    assert networks
    for network in networks:
        box(page, "Network").select_option(label=network)
        assert len(methods(page)) > 1 and table(page)


def test_a_metric_leads_to_its_page(page, book):
    links = page.locator("table.two tbody th a").evaluate_all(
        "all => all.map((a) => a.getAttribute('href'))"
    )
    assert links and all(
        (book / "notebooks/reference" / link).resolve().is_file() for link in links
    )


def test_without_scripts_all_stand_against_one(open_page):
    page = open_page(PAGE, scripts=False)
    assert page.locator(".compare-two select").count() == 0
    first = page.locator("details.compare-tables").first
    if first.get_attribute("open") is None:
        first.locator("summary").click()
    assert first.locator("table.compared tbody tr").first.is_visible()
