"""A Sphinx extension, loaded by `_config.yml`, that completes the pages of Sphinx: formulas, tables,
figures, and support for phones, offline reading and screen readers."""

import os
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

from ..names import FILE as NAMED
from . import excerpts, figures, lean, mathml, metadata, tables


def setup(app: Sphinx) -> dict[str, bool]:
    mathml.setup(app)
    app.connect("config-inited", _address)
    app.connect("html-page-context", _finish)
    app.connect("build-finished", _trim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _address(app: Sphinx, config: Config) -> None:
    """Set the address of the published book from $BOOK_URL: previews of links need absolute addresses."""
    config.html_baseurl = os.environ.get("BOOK_URL", "")


def _finish(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Complete the body and the head of a page."""
    if page == "search":
        for script in ("excerpts.js", "names.js", NAMED):
            if (
                Path(app.srcdir) / "book" / "_static" / script
            ).is_file():  # some pages alone have no names
                app.add_js_file(script)
    if "body" not in context:
        return
    static, up = Path(app.srcdir) / "book" / "_static", "../" * page.count("/")
    body = tables.regions(context["body"])
    body = figures.completed(body, static / figures.FOLDER, f"{up}_static/{figures.FOLDER}", page)
    context["body"] = body
    if doctree is not None:
        excerpts.write(Path(app.outdir), page, body)
        title, base = metadata.plain(context["title"]), app.config.html_baseurl
        context["metatags"] += metadata.tags(title, body, page, app.config.html_title, base)


def _trim(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        mathml.write_font(Path(app.outdir))
        lean.trim(Path(app.outdir))
