"""The boxes that say what a page runs."""

import pytest

from book.report import Box


def test_a_box_is_markdown_under_a_title():
    box = Box("What runs < here", ("`net` on *images*.", "**More.**"))
    html = box._repr_html_()
    assert '<p class="admonition-title">What runs &lt; here</p>' in html
    assert "<code>net</code> on <em>images</em>" in html and "<strong>More.</strong>" in html
    assert repr(box) == "What runs < here\n`net` on *images*.\n**More.**"


@pytest.mark.parametrize(
    "written, leads_to",
    [
        ("14_schedule", "14_schedule.html"),
        ("../opticam/14_schedule#time", "../opticam/14_schedule.html#time"),
        ("https://example.org/page", "https://example.org/page"),
        ("form.html", "form.html"),
    ],
)
def test_links_to_pages_are_those_of_the_built_book(written, leads_to):
    assert f'href="{leads_to}"' in Box("Links", (f"[a page]({written})",))._repr_html_()
