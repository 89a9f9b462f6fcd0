"""Remove from pages what no reader needs: the icon font of the theme, the search index on every page."""

import re
import shutil
from pathlib import Path

# Scripts and styles of the theme that are removed; `icons.css` has the icons that are used.
_ICON_FONT = re.compile(r'\s*<script[^>]*\bsrc="[^"]*/fontawesome\.js[^"]*"[^>]*></script>')
_SEARCH = re.compile(
    r'\s*<script src="(?:\.\./)*(?:_static/searchtools\.js|_static/language_data\.js|searchindex\.js)"></script>'
)
_ICON_RULES = re.compile(
    r"/\*!\s*\* Font Awesome.*?\*/"  # the licence notice goes with the font
    r"|@font-face\{[^}]*Font Awesome[^}]*\}"
    r"|(?<=[};/])\.fa(?:[srb]|-[a-z0-9-]+)?(?:[:.,][^{}]*)?\{[^{}]*\}",
    re.DOTALL,
)
_NO_THEME = re.compile(r'(<html[^>]*)\bdata-theme="auto"')  # a value that no style sheet handles
# Roles that ARIA 1.3 no longer has, or whose children are not those that it requires.
_ROLES = re.compile(r' role="(?:list|doc-biblioentry)"(?= class="citation-list"|>)')

_SIDEBAR = '<div id="pst-primary-sidebar"'  # title, search and pages: with a role it is a landmark

# The switch that unfolds the pages below one in the sidebar, behind the link to that page.
_SWITCH = re.compile(
    r'(>([^<>]+)</a>\s*<details[^>]*>\s*<summary)(>\s*<span class="toctree-toggle")'
)


def trim(html: Path) -> None:
    """Remove from a built book the parts that its pages do not need or cannot use."""
    static = html / "_static"
    for page in html.rglob("*.html"):
        text = _ICON_FONT.sub("", page.read_text("utf-8"))
        if page.name != "search.html":
            text = _SEARCH.sub("", text)
        text = _SWITCH.sub(r'\1 aria-label="Pages below \2"\3', text)
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
