import re
from io import BytesIO

import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from book.building.html.mathml import FONT, font, mathml, write_font


def symbols(tex, block=False):
    return [
        leaf.text for leaf in BeautifulSoup(mathml(tex, block), "html.parser")(["mi", "mo", "mn"])
    ]


def test_letters_numbers_and_scripts():
    assert symbols(r"w_k^{(2)} = 0.5") == ["w", "k", "(", "2", ")", "=", "0.5"]
    assert 'display="inline"' in mathml("x") and 'display="block"' in mathml("x", block=True)


@pytest.mark.parametrize(
    ("tex", "apart"),
    [
        (r"\max A", 1),
        (r"\max_k w_k", 1),
        (r"\operatorname{up}(A)", 0),
        (r"\arg\max f", 2),
        (r"\log\max(a, b)", 1),
        (r"x^{\max}", 0),
        (r"p(x)\log p", 2),
        (r"a = \log p", 1),
    ],
)
def test_a_name_is_an_operand_with_thin_spaces_but_to_brackets_and_operators(tex, apart):
    math = mathml(tex)
    assert re.search("<mi>(max|up|arg|log)</mi>", math) and not re.search("<mo>[a-z]", math)
    assert math.count("0.167em") == apart


def test_what_a_name_ranges_over_stands_below_it_in_a_block():
    assert "<munder>" in mathml(r"\max_k w_k", block=True) and "<munder>" not in mathml(
        r"\max_k w_k"
    )
    assert "<munder>" not in mathml(r"\operatorname{up}_k w_k", block=True)


@pytest.mark.parametrize(
    "tex", ["f(x)_c", r"\big(x\big)_c", "[x]_+", r"\|x\|^2", r"\big\|x\big\|^2"]
)
def test_a_closing_bracket_stands_beside_its_scripts_not_within(tex):
    math = BeautifulSoup(mathml(tex), "html.parser")
    scripts = math.find(["msub", "msup"])
    opening, closing = [mark for mark in math("mo") if mark.text in "()[]‖"]
    assert scripts.find_previous_sibling() is closing and not scripts.find(
        "mo", string=closing.text
    )
    strut = scripts.find("mspace")
    size = float(opening.get("minsize", "1em")[:-2])
    assert float(strut["height"][:-2]) + float(strut["depth"][:-2]) == pytest.approx(size)


def test_a_bracket_of_the_size_of_what_it_holds_keeps_its_scripts():
    (scripts,) = BeautifulSoup(mathml(r"\left(\frac{a}{b}\right)^{-1}"), "html.parser")("msup")
    assert "(" in scripts.text


@pytest.mark.parametrize(
    ("tex", "operator"),
    [(r"a \sim b", "∼"), ("S := B", ":="), (r"O \setminus D", "⧵"), ("S(x; u)", ";")],
)
def test_operators_are_no_letters(tex, operator):
    assert operator in [mark.text for mark in BeautifulSoup(mathml(tex), "html.parser")("mo")]


@pytest.mark.parametrize("tex", ["|a|", r"\|a\|", r"\lVert a \rVert", "a/b"])
def test_bars_and_strokes_have_no_space_around_them(tex):
    marks = BeautifulSoup(mathml(tex), "html.parser")("mo")
    assert marks and all(mark["lspace"] == mark["rspace"] == "0" for mark in marks)
    assert all(mark.get("stretchy") == "false" for mark in marks if mark.text != "/")


@pytest.mark.parametrize(("tex", "bar"), [(r"\big| a \big|", "|"), (r"\Big\| a \Big\|", "‖")])
def test_large_bars_are_large_on_either_side(tex, bar):
    marks = BeautifulSoup(mathml(tex), "html.parser")("mo")
    assert [(mark["stretchy"], mark.text) for mark in marks] == [("true", bar)] * 2


@pytest.mark.parametrize(
    ("tex", "accent"), [(r"\hat A", "ˆ"), (r"\bar A", "ˉ"), (r"\tilde x", "˜")]
)
def test_an_accent_is_one_and_does_not_lift_the_scripts(tex, accent):
    over = BeautifulSoup(mathml(f"{tex}^k"), "html.parser").find("mover")
    assert over["accent"] == "true" and over.mo.text == accent and over.mo["stretchy"] == "false"
    assert over.parent.name == "mpadded" and over.parent.parent.name == "msup"


def test_formulas_that_quads_keep_apart_may_stand_on_lines_of_their_own():
    tex = r"a = b, \quad c = d, \qquad e = f"
    assert len(BeautifulSoup(mathml(tex, block=True), "html.parser")("math")) == 3
    assert len(BeautifulSoup(mathml(tex), "html.parser")("math")) == 1


@pytest.mark.parametrize("environment", ["aligned", "split", "gathered"])
def test_lines_become_rows(environment):
    tex = rf"\begin{{{environment}}} a &= b, \\ c &= d \end{{{environment}}}"
    tex = tex.replace("&", "") if environment == "gathered" else tex
    rows = BeautifulSoup(mathml(tex, block=True), "html.parser")("mtr")
    assert [row.text.replace("=", " = ").split()[0][0] for row in rows] == ["a", "c"]


@pytest.mark.parametrize("tex", [r"a \nosuch b", "a & b", r"\frac"])
def test_what_is_not_understood_is_named(tex):
    with pytest.raises(ValueError, match=re.escape(tex)):
        mathml(tex)


def test_the_font_has_the_characters_that_are_asked_for_and_the_table_of_mathematics():
    made = TTFont(BytesIO(font("x∑")))
    assert {ord("x"), ord("∑")} <= set(made.getBestCmap()) and ord("Ж") not in made.getBestCmap()
    assert "MATH" in made and made.flavor == "woff"


def test_the_font_of_a_book_has_the_sign_of_a_root(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "page.html").write_text(mathml(r"\sqrt{x}"))
    write_font(tmp_path)
    assert ord("√") in TTFont(tmp_path / "_static" / FONT).getBestCmap()
