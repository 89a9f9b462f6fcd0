"""The parts of docstrings: every method and metric says what it is, and what each of its options does."""

import pytest

from book.reference.pages.docstrings import docstring, set_apart
from lib.methods import METHODS
from lib.metrics import METRICS


def example(net, x, *, share=0.5, first=1, second=2):
    r"""One sentence,
    over two lines.

    $$a = b$$ with a the one and b the other.

    A departure, with `code`.

    Another one.

    Args:
        share: of the whole,
            between 0 and 1.
        first, second: numbers.

    Returns:
        Nothing.

    Raises:
        ValueError: never.

    Example:
        >>> example(net, x)
        42
    """


def test_parts():
    found = docstring(example)
    assert found.sentence == "One sentence, over two lines."
    assert found.formula == "$$\na = b\n$$\n\nwith a the one and b the other."
    assert found.notes == ("A departure, with `code`.", "Another one.")
    share = "of the whole, between 0 and 1."
    assert found.arguments == {"share": share, "first": "numbers.", "second": "numbers."}
    assert found.example == ">>> example(net, x)\n42"


def test_a_function_without_a_docstring_is_an_error():
    with pytest.raises(ValueError, match="silent has no docstring"):
        docstring(silent)


def silent():
    pass


def test_formulas_stand_in_lines_of_their_own():
    assert set_apart("so $$a\n= b$$ is") == "so\n\n$$\na\n= b\n$$\n\nis"


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_is(name):
    method, found = METHODS[name], docstring(METHODS[name].fn)
    assert found.sentence.endswith((".", ":")) and "$$" not in found.sentence
    assert set(method.options) <= set(found.arguments)
    assert f'"{name}"' in found.example
    assert found.formula or name == "fake_cam"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_what_it_is(name):
    metric = METRICS[name]
    value, measure = docstring(metric.value), docstring(metric.measure)
    assert value.sentence.endswith(".") and "$$" in value.formula
    assert set(metric.options) <= set(measure.arguments)
    assert all(measure.arguments[option] for option in metric.options)
