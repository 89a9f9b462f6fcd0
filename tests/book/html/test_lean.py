from book.building.html.lean import trim

PAGE = """<html lang="en" data-theme="auto"><head>
<script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
<script src="../_static/searchtools.js"></script>
<script src="../searchindex.js"></script>
<script src="../_static/doctools.js?v=1"></script>
</head><div id="pst-primary-sidebar" class="bd-sidebar"></div><div role="list" class="citation-list"><div class="citation" role="doc-biblioentry">x</div></div>"""
THEME = (
    "/*!\n * Font Awesome Free\n */.fa{font-family:x}.fa-solid,.fas{font-weight:900}"
    '@font-face{font-family:"Font Awesome 6 Free";src:url(x)}'
    ".bd-main .fa-bars{color:red}.fade{opacity:0}.btn{margin:0}"
)


def made(tmp_path, name):
    (tmp_path / "_static/styles").mkdir(parents=True)
    (tmp_path / "_static/scripts").mkdir()
    (tmp_path / "_static/vendor/fontawesome").mkdir(parents=True)
    (tmp_path / "_static/scripts/fontawesome.js").write_text("")
    (tmp_path / "_static/scripts/theme.js.map").write_text("")
    (tmp_path / "_static/styles/pydata-sphinx-theme.css").write_text(THEME)
    (tmp_path / name).write_text(PAGE)
    trim(tmp_path)
    return (tmp_path / name).read_text()


def test_a_page_loads_neither_the_icon_font_nor_the_search(tmp_path):
    page = made(tmp_path, "page.html")
    assert "fontawesome" not in page and "search" not in page and "doctools.js" in page


def test_the_search_keeps_what_it_needs(tmp_path):
    page = made(tmp_path, "search.html")
    assert "fontawesome" not in page and "searchtools.js" in page and "searchindex.js" in page


def test_files_and_rules_of_the_icon_font_go_and_others_stay(tmp_path):
    made(tmp_path, "page.html")
    assert (tmp_path / "_static/styles/pydata-sphinx-theme.css").read_text() == (
        ".bd-main .fa-bars{color:red}.fade{opacity:0}.btn{margin:0}"
    )
    left = [path.name for path in (tmp_path / "_static").rglob("*") if path.is_file()]
    assert left == ["pydata-sphinx-theme.css"]


def test_a_page_has_a_scheme_without_scripts_and_no_role_that_is_none(tmp_path):
    page = made(tmp_path, "page.html")
    assert '<html lang="en" data-theme="light">' in page
    assert page.count("role=") == 1 and '<div id="pst-primary-sidebar" role="navigation"' in page


def test_the_switches_of_the_sidebar_have_names(tmp_path):
    switch = '<summary><span class="toctree-toggle" role="presentation"></span></summary>'
    sidebar = f'<li><a href="methods.html">Methods</a><details>{switch}<ul></ul></details></li>'
    (tmp_path / "other.html").write_text(sidebar)
    made(tmp_path, "page.html")
    assert '<summary aria-label="Pages below Methods"><span' in (tmp_path / "other.html").read_text()
