import re
from io import BytesIO

import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from book.building.html.mathml import font, mathml


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
