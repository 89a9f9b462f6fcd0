"""The menu on a phone, and the switch between colour schemes."""

from .conftest import PHONE

PAGE = "notebooks/opticam/01_classification_metrics"


def test_the_menu_opens_and_closes_on_a_phone(open_page):
    page = open_page(PAGE, width=PHONE[0])
    menu = page.locator("nav.bd-links").first
    assert not menu.is_visible()
    page.locator("button.primary-toggle").first.click()
    menu.wait_for(state="visible")
    page.keyboard.press("Escape")
    menu.wait_for(state="hidden")


def test_the_contents_of_a_page_open_on_a_phone(open_page):
    page = open_page(PAGE, width=PHONE[0])
    page.locator("button.secondary-toggle").first.click()
    page.locator(".page-toc, .bd-toc-nav").last.wait_for(state="visible")


def test_the_switch_changes_the_scheme_and_the_figures_with_it(open_page):
    page = open_page(PAGE)
    for _ in range(3):
        page.locator("button.theme-switch-button").first.click()
        if page.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert ground == "rgb(18, 18, 18)"  # that of the dark figures


def test_every_icon_is_drawn(open_page):
    page = open_page(PAGE)
    undrawn = page.evaluate(
        """[...document.querySelectorAll("i.fa-solid, i.fas")]
             .filter((icon) => !getComputedStyle(icon).getPropertyValue("--icon"))
             .map((icon) => icon.className)"""
    )
    assert undrawn == []
