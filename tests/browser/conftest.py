"""A real browser on the book that the committed notebooks make: `open_page(page)` is all a test needs.

Debian's Chromium is driven where it is installed (or what $CHROMIUM names); elsewhere these tests are
skipped. Nothing is fetched from anywhere: a request that leaves the book fails its test.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    found = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if not found:
        pytest.skip("no Chromium here: apt-get install chromium, or name one by $CHROMIUM")
    with playwright.sync_playwright() as driver:
        # Without a sandbox, for a container has none; the pages are ours.
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, book: Path) -> Iterator[Callable]:
    """Opens a page of the book, as a file: `page = open_page("book/index", width=390, dark=True)`.

    Args of what it gives: the page's name, the width of the window, whether the reader wants dark
    pages, what follows the address, such as "?q=map", and whether scripts run. A page that logs an error, or asks for
    anything that does not lie in the book's folder, fails the test when it ends.
    """
    contexts, complaints = [], []

    def open_(
        name: str,
        *,
        width: int = DESKTOP[0],
        dark: bool = False,
        query: str = "",
        scripts: bool = True,
    ):
        height = dict([DESKTOP, PHONE]).get(width, DESKTOP[1])
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda said: said.type == "error" and complaints.append((name, said.text))
        )
        page.on("pageerror", lambda error: complaints.append((name, str(error))))
        page.on(
            "request",
            lambda asked: _inside(asked.url, book) or complaints.append((name, asked.url)),
        )
        page.goto((book / f"{name}.html").as_uri() + query)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def follow(link) -> None:
    """Click a link, and wait until its page has loaded."""
    with link.page.expect_navigation():
        link.click()


def _inside(url: str, book: Path) -> bool:
    return url.startswith((book.as_uri(), "data:", "blob:"))
