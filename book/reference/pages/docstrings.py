"""The parts of the docstring of a method or metric, from which its page is made."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

from sphinx.ext.napoleon import Config, GoogleDocstring

_CONFIG = Config(napoleon_use_param=True)
_FORMULA = re.compile(r"\s*\$\$(.+?)\$\$\s*", re.DOTALL)


@dataclass(frozen=True)
class Docstring:
    """The parts of a docstring, as Markdown with formulas between dollars.

    Attributes:
        sentence: the first paragraph.
        formula: the paragraph with the first formula and the meaning of its letters; empty without one.
        notes: the paragraphs after it: the implementation, and where it departs from the paper.
        arguments: the description of each, by name.
        example: the lines of its example.
    """

    sentence: str
    formula: str
    notes: tuple[str, ...]
    arguments: dict[str, str]
    example: str = ""


class _Sections(GoogleDocstring):
    """Google's sections as napoleon reads them, arguments and example kept apart."""

    def __init__(self, text: str | list[str], config: Config = _CONFIG) -> None:
        self.arguments: dict[str, str] = {}
        self.example = ""
        super().__init__(text, config, what="function")

    def _parse_parameters_section(self, section: str) -> list[str]:
        for names, _, lines in self._consume_fields():
            said = " ".join(line.strip() for line in lines).strip()
            # Arguments that share a line have the same description.
            self.arguments |= dict.fromkeys(re.split(r",\s*", names.replace(r"\_", "_")), said)
        return []

    def _parse_examples_section(self, section: str) -> list[str]:
        self.example = inspect.cleandoc("\n".join(self._consume_to_next_section())).strip()
        return []

    def _parse_returns_section(self, section: str) -> list[str]:
        self._consume_to_next_section()
        return []

    def _parse_raises_section(self, section: str) -> list[str]:
        self._consume_to_next_section()
        return []


def docstring(function: Callable) -> Docstring:
    """The docstring of a function.

    Raises:
        ValueError: the function has none.

    Example:
        >>> docstring(METHODS["fake_cam"].fn).sentence
        'Ones everywhere, with the top-left pixel zero: it explains nothing, and exposes metrics.'
    """
    if not function.__doc__:
        raise ValueError(f"{function.__module__}.{function.__name__} has no docstring")
    sections = _Sections(inspect.cleandoc(function.__doc__))
    prose = "\n".join(sections.lines()).strip()
    sentence, *paragraphs = (set_apart(part) for part in re.split(r"\n{2,}", prose))
    formula = ""
    if paragraphs and "$$" in paragraphs[0]:
        formula, *paragraphs = paragraphs
    return Docstring(
        " ".join(sentence.split()), formula, tuple(paragraphs), sections.arguments, sections.example
    )


def set_apart(text: str) -> str:
    """Markdown in which each formula between double dollars is on lines of its own."""
    return _FORMULA.sub(lambda found: f"\n\n$$\n{found[1].strip()}\n$$\n\n", text).strip()
