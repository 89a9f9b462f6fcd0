from book.building.html.excerpts import excerpt, write

BODY = (
    '<section id="a"><h1>One<a class="headerlink" href="#a">#</a></h1><style>p {}</style>'
    '<p>LIFT-<b>CAM</b>, [<a href="#x">Jung</a>].</p><p>Next &lt;.</p></section>'
)


def test_an_excerpt_is_text_in_its_sections():
    assert excerpt(BODY) == (
        '<div role="main"><section id="a"> LIFT-CAM, [Jung]. Next &lt;. </section></div>'
    )


def test_a_page_has_its_script_in_the_same_folder(tmp_path):
    write(tmp_path, "notebooks/a/01", BODY)
    script = (tmp_path / "_static/excerpts/notebooks/a/01.js").read_text()
    assert script.startswith('excerpt("notebooks/a/01", "<div role=')
