"""The text of each page as a script; the search takes its excerpts from it, see `excerpts.js`."""

import json
import re
from pathlib import Path

FOLDER = Path("_static") / "excerpts"
_SILENT = re.compile(
    r'<(script|style|svg|button|h1)\b.*?</\1>|<a class="headerlink".*?</a>'
    r"|</?(?:a|abbr|b|cite|code|em|i|kbd|small|span|strong|sub|sup|m[a-z]+)\b[^>]*>",
    re.DOTALL,
)
_BREAK = re.compile(r"<(?!/?section\b)[^>]*>")


def excerpt(body: str) -> str:
    """The text of a page, in the sections that its search results lead to.

    Example:
        >>> excerpt('<section id="a"><h1>One</h1><p>Two <b>three</b>.</p></section>')
        '<div role="main"><section id="a"> Two three. </section></div>'
    """
    return f'<div role="main">{" ".join(_BREAK.sub(" ", _SILENT.sub("", body)).split())}</div>'


def write(out: Path, page: str, body: str) -> None:
    """Write the script of a page below the folder of the HTML."""
    path = out / FOLDER / f"{page}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"excerpt({json.dumps(page)}, {json.dumps(excerpt(body))});\n", "utf-8")
