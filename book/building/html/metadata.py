"""The metadata of a page, for search engines and previews of links."""

import re
from html import escape, unescape

_TAG = re.compile(r"<[^>]*>")
_SILENT = re.compile(r'<(script|style)\b.*?</\1>|<a class="headerlink".*?</a>', re.DOTALL)
_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
_FIGURE = re.compile(r"<figure\b.*?<img\b([^>]*)>", re.DOTALL)
_LENGTH = 200  # characters of a description; most previews show fewer


def plain(html: str) -> str:
    """The text of a piece of HTML.

    Example:
        >>> plain("<h2>AD <em>and</em> AG</h2>")
        'AD and AG'
    """
    return " ".join(unescape(_TAG.sub("", _SILENT.sub("", html))).split())


def description(body: str) -> str:
    """The first paragraph of a page, cut after a sentence or a word if it is long."""
    found = _PARAGRAPH.search(body)
    text = plain(found[1]) if found else ""
    if len(text) <= _LENGTH:
        return text
    cut = text[:_LENGTH]
    sentence = cut.rfind(". ")
    return cut[: sentence + 1] if sentence > _LENGTH // 2 else f"{cut.rpartition(' ')[0]} …"


def tags(title: str, body: str, page: str, book: str, base: str = "") -> str:
    """The elements that describe a page in its head; its image is the first figure.

    Args:
        title: of the page, as text.
        body: HTML.
        page: its name, such as "notebooks/opticam/01_classification_metrics".
        book: the title of the whole.
        base: the address of the published book; without it, addresses are relative.

    Example:
        >>> tags("Notation", "<p>Letters and what they mean.</p>", "book/notation", "A book")
    """
    base = base.rstrip("/") + "/" if base else "../" * page.count("/")
    said = {"og:title": title, "og:type": "article", "og:site_name": book}
    said["og:description"] = description(body)
    if base.startswith("http"):
        said["og:url"] = f"{base}{page}.html"
    figure = _FIGURE.search(body)
    source = re.search(r'src="(?:\.\./)*([^"]+)"', figure[1]) if figure else None
    said["og:image"] = base + (source[1] if source else "_static/table_1.png")
    if figure and (alt := re.search(r'alt="([^"]*)"', figure[1])):
        said["og:image:alt"] = unescape(alt[1])
    properties = [
        f'<meta property="{name}" content="{escape(text)}" />' for name, text in said.items()
    ]
    about = f'<meta name="description" content="{escape(said["og:description"])}" />'
    return "\n".join(["", about, *properties, ""])
