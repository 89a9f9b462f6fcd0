"""The gallery: what a reader chooses is what is shown, by mouse and by keyboard, and all of it without scripts."""

import pytest

from .conftest import DESKTOP, PHONE, follow

PAGE = "notebooks/reference/01_gallery"


def box(page, label):
    return page.locator(".map-choice label", has_text=label).locator("select, input")


def values(select):
    return select.locator("option").evaluate_all("options => options.map((one) => one.value)")


def shown(page):
    """The sets that are seen: of network and photograph."""
    sets = page.locator(".map-set >> visible=true")
    return sets.evaluate_all("sets => sets.map((set) => [set.dataset.network, set.dataset.image])")


def style(page, selector, name):
    return page.locator(selector).first.evaluate(f"one => getComputedStyle(one).{name}")


@pytest.fixture(params=[DESKTOP[0], PHONE[0]])
def page(request, open_page):
    return open_page(PAGE, width=request.param)


def test_a_photograph_and_a_network_are_chosen(page):
    for network in values(box(page, "Network")):
        box(page, "Network").select_option(network)
        photographs = values(box(page, "Photograph"))
        assert photographs
        for photograph in photographs:
            box(page, "Photograph").select_option(photograph)
            assert shown(page) == [[network, photograph]]
            tiles = page.locator(".map-set:not([hidden]) .map-tile[data-method]")
            assert tiles.count() > 3 and tiles.last.is_visible()


def test_two_methods_lie_side_by_side_and_lead_to_their_pages(page, book):
    methods = values(box(page, "Left of the line"))
    for label, place in (("Left of the line", 0), ("Right of the line", 1)):
        chosen = methods[-1 - place]
        box(page, label).select_option(chosen)
        name = page.locator(".map-names > span").nth(place)
        tile = page.locator(f".map-set:not([hidden]) .map-tile[data-method={chosen}]")
        picture = page.locator(".map-wipe img").nth(place)
        assert name.inner_text() == tile.get_attribute("data-title")
        assert picture.get_attribute("src") == tile.locator("img").get_attribute("src")
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        assert name.locator("a").get_attribute("href").endswith(f"book/methods/{chosen}.html")
    follow(page.locator(".map-names a").first)
    assert (book / "book/methods" / page.url.rpartition("/")[2]).is_file()


def test_the_line_moves_by_keyboard_and_by_mouse(page):
    line = box(page, "Line between the two maps")
    middle = style(page, ".map-wipe .map-second", "clipPath")
    line.press("Home")
    assert line.input_value() == "0"
    assert style(page, ".map-wipe .map-second", "clipPath") == "inset(0px 0px 0px 0%)" != middle
    line.press("ArrowRight")
    assert line.get_attribute("aria-valuetext") == "1 % of the width"
    stack = page.locator(".map-wipe .map-stack")
    stack.scroll_into_view_if_needed()
    at = stack.bounding_box()
    page.mouse.click(at["x"] + 0.75 * at["width"], at["y"] + 20)
    assert int(line.input_value()) == pytest.approx(75, abs=1)
    assert f"{line.input_value()}%" in style(page, ".map-wipe .map-second", "clipPath")


def test_the_opacity_changes_all_maps_that_are_seen(page):
    slider = box(page, "Opacity of the maps")
    slider.press("End")
    for image in (".map-wipe .map-first", ".map-set:not([hidden]) .map-tile[data-method] img"):
        assert style(page, image, "opacity") == "1"
    slider.press("Home")
    for image in (".map-wipe .map-first", ".map-set:not([hidden]) .map-tile[data-method] img"):
        assert style(page, image, "opacity") == "0"


def test_the_keyboard_reaches_every_control(page):
    labels = ["Network", "Photograph", "Opacity of the maps"]
    labels += ["Left of the line", "Right of the line", "Line between the two maps"]
    box(page, labels[0]).focus()
    for label in labels[1:]:
        page.keyboard.press("Tab")
        assert box(page, label).evaluate("one => one === document.activeElement")


def test_without_scripts_it_is_a_list_of_grids(open_page):
    page = open_page(PAGE, scripts=False)
    sets = page.locator(".map-set")
    assert sets.count() > 1 and sets.first.is_visible() and sets.last.is_visible()
    assert page.locator(".map-choice").count() == 0
    tiles = sets.first.locator(".map-tile[data-method]")
    assert tiles.count() > 3 and all(
        tile.is_visible() for tile in tiles.all()
    )  # the first one is open
    sets.last.locator("summary").first.click()
    assert sets.last.locator(".map-tile").first.is_visible()


def test_each_tile_leads_to_its_method(open_page, book):
    page = open_page(PAGE)
    found = page.locator(".map-tile[data-method]").evaluate_all(
        "tiles => tiles.map((tile) => [tile.dataset.method, tile.querySelector('figcaption a')?.getAttribute('href')])"
    )
    for method, link in found:
        assert link.endswith(f"book/methods/{method}.html")
        assert (book / f"book/methods/{method}.html").is_file()
