from bs4 import BeautifulSoup

from book.building.html.metadata import description, plain, tags

BODY = (
    '<h1>One<a class="headerlink" href="#one">#</a></h1><p class="x">Not this.</p>'
    "<p>A &lt;b&gt; <em>map</em>.</p>"
    '<figure><img alt="A &quot;dog&quot;." src="../_images/a.png"/></figure>'
)


def read(html):
    metas = BeautifulSoup(html, "html.parser")("meta")
    return {meta.get("name") or meta["property"]: meta["content"] for meta in metas}


def test_plain_text_has_no_tags_and_no_anchors_of_headings():
    assert plain(BODY).startswith("One Not this. A <b> map.") or plain(BODY).startswith(
        "OneNot this."
    )


def test_the_first_paragraph_describes_a_page():
    assert description(BODY) == "A <b> map." and description("<h1>One</h1>") == ""


def test_a_long_description_ends_with_a_sentence_or_a_word():
    sentence = "This sentence has forty-six characters, or so. "
    assert description(f"<p>{sentence * 9}</p>") == (sentence * 4).strip()
    cut = description(f"<p>{'word ' * 90}</p>")
    assert cut.endswith("word …") and len(cut) <= 202


def test_addresses_are_whole_where_the_book_has_one():
    here = read(tags("One", BODY, "book/one", "Book"))
    assert here["og:image"] == "../_images/a.png" and "og:url" not in here
    there = read(tags("One", BODY, "book/one", "Book", "https://example.org/maps"))
    assert there["og:image"] == "https://example.org/maps/_images/a.png"
    assert there["og:url"] == "https://example.org/maps/book/one.html"
    assert there["og:image:alt"] == 'A "dog".' and there["description"] == "A <b> map."


def test_a_page_without_a_figure_has_the_picture_of_the_book():
    assert read(tags("One", "<p>Text.</p>", "one", "Book"))["og:image"] == "_static/table_1.png"
