"""Pages without what no reader needs: the theme's icon font, the search's index on every page."""

import re
import shutil
from pathlib import Path

# Scripts and styles of the theme by what they are for; `icons.css` has the icons that are used.
_ICON_FONT = re.compile(r'\s*<script[^>]*\bsrc="[^"]*/fontawesome\.js[^"]*"[^>]*></script>')
_SEARCH = re.compile(
    r'\s*<script src="(?:\.\./)*(?:_static/searchtools\.js|_static/language_data\.js|searchindex\.js)"></script>'
)
_ICON_RULES = re.compile(
    r"/\*!\s*\* Font Awesome.*?\*/"  # the notice goes with what it is about
    r"|@font-face\{[^}]*Font Awesome[^}]*\}"
    r"|(?<=[};/])\.fa(?:[srb]|-[a-z0-9-]+)?(?:[:.,][^{}]*)?\{[^{}]*\}",
    re.DOTALL,
)
_NO_THEME = re.compile(r'(<html[^>]*)\bdata-theme="auto"')  # which no style knows
# Roles that ARIA 1.3 no longer has, or whose children are others than it asks for.
_ROLES = re.compile(r' role="(?:list|doc-biblioentry)"(?= class="citation-list"|>)')

_SIDEBAR = '<div id="pst-primary-sidebar"'  # title, search and pages: a landmark, if it says so


def trim(html: Path) -> None:
    """Take out of a built book what its pages do not need, and what they would stumble over."""
    static = html / "_static"
    for page in html.rglob("*.html"):
        text = _ICON_FONT.sub("", page.read_text("utf-8"))
        if page.name != "search.html":
            text = _SEARCH.sub("", text)
        text = text.replace(_SIDEBAR, f'{_SIDEBAR} role="navigation" aria-label="Book"')
        text = _NO_THEME.sub(r'\1data-theme="light"', _ROLES.sub("", text))
        page.write_text(text, "utf-8")
    theme = static / "styles" / "pydata-sphinx-theme.css"
    theme.write_text(_ICON_RULES.sub("", theme.read_text("utf-8")), "utf-8")
    for script in static.rglob("fontawesome*.js*"):
        script.unlink()
    shutil.rmtree(static / "vendor" / "fontawesome", ignore_errors=True)
    for source_map in static.rglob("*.map"):  # for debuggers only
        source_map.unlink()
