"""Formulas as MathML, which browsers typeset by themselves, without a script."""

import re
from html import escape, unescape
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from docutils.nodes import Element, SkipNode
from fontTools import subset
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

SOURCE = {"package": "ziamath", "version": "0.13", "file": "ziamath/fonts/STIXTwoMath-Regular.ttf"}
FONT = "math.woff"  # among the static files; custom.css asks for it
_MATH, _TAG = re.compile("<math.*?</math>", re.DOTALL), re.compile("<[^>]*>")
# Commands that the converter does not know, with replacements that it knows.
_KNOWN = {r"\arg": r"\operatorname{arg}", "{aligned}": "{align*}", "{gathered}": "{matrix}"}
# "\big\|": the converter would show its backslash.
_LARGE_NORM = re.compile(r"(\\[bB]igg?[lr]?)\\\|")
_LIMITS = {"max", "min", "sup", "inf", "lim"}  # their range is set below them
_NOT_UNDERSTOOD = re.compile(r">\s*(\\[A-Za-z]+|&)\s*<")
_log = logging.getLogger(__name__)


def mathml(tex: str, block: bool = False) -> str:
    """The MathML of a formula.

    Args:
        tex: without delimiters.
        block: whether it is set on lines of its own, in several elements where it is several formulas.

    Raises:
        ValueError: a command in it is not understood.

    Example:
        >>> mathml("w_k")
        '<math ...><mrow><msub><mi>w</mi><mi>k</mi></msub></mrow></math>'
    """
    plain = tex
    for unknown, known in _KNOWN.items():
        plain = plain.replace(unknown, known)
    plain = _LARGE_NORM.sub(r"\1‖", plain)
    try:
        math = convert(plain, display="block" if block else "inline")
    except Exception as error:  # the errors of the converter have no common class
        raise ValueError(f"no formula: {tex} ({type(error).__name__})") from error
    if left := _NOT_UNDERSTOOD.search(math):
        raise ValueError(f"{left[1]} is not understood in the formula {tex}")
    root = ElementTree.fromstring(math.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))
    _set_marks(root)
    _set_names(root, block)
    parts = _apart(root) if block else [root]
    return "".join(
        ElementTree.tostring(part, "unicode", short_empty_elements=False) for part in parts
    )


def _apart(math: ElementTree.Element) -> list[ElementTree.Element]:
    """A formula for each of those that quads keep apart, so that a narrow page can break the line between them."""
    parts, row = [], None
    for child in math[0]:
        if child.tag == "mspace" and child.get("width") in ("1em", "2em"):
            row = None
            continue
        if row is None:
            parts.append(ElementTree.Element("math", math.attrib))
            row = ElementTree.SubElement(parts[-1], "mrow")
        row.append(child)
    return parts


def _set_names(element: ElementTree.Element, block: bool) -> None:
    """Set names such as "max" as TeX does: as operands with a thin space on either side, except next to
    brackets and operators; in a block, with their range below."""
    for child in [*element]:
        _set_names(child, block)
        name = child[0] if child.tag in ("msub", "msup", "msubsup") else child
        if not (name.tag in ("mi", "mo") and re.fullmatch(r"[A-Za-z ]{2,}", name.text or "")):
            continue
        name.tag = "mi"
        if child.tag == "msub" and block and name.text in _LIMITS:
            child.tag = "munder"
        if element.tag not in ("mrow", "mtd", "math"):
            continue  # as the base of a script
        place = [*element].index(child)
        if place + 1 < len(element) and not _is_mark(element[place + 1], "("):
            element.insert(place + 1, ElementTree.Element("mspace", width="0.167em"))
        if place and (
            element[place - 1].tag not in ("mo", "mspace") or _is_mark(element[place - 1], ")]")
        ):
            element.insert(place, ElementTree.Element("mspace", width="0.167em"))


# What the converter takes for letters, as the operators they are.
_OPERATORS = {"~": "∼", "⧵": "⧵", ":": ":", ";": ";"}
_ORDINARY = "|‖/…⋯"  # TeX sets no space around them
_BARS = "|‖"
_ACCENTS = {"^": "ˆ", "¯": "ˉ", "~": "˜", "˙": "˙"}
_AXIS = 0.25  # em above the line; what is large is centred on it


def _set_marks(element: ElementTree.Element) -> None:
    """Set operators, bars, accents and brackets as TeX does."""
    for child in [*element]:
        _set_marks(child)
        if child.tag == "mi" and child.text in _OPERATORS and len(element) > 1:
            child.tag, child.text = "mo", _OPERATORS[child.text]
            if child is element[0]:
                child.attrib |= {"lspace": "0", "rspace": "0"}
        if child.tag == "mo" and child.text in _ORDINARY:
            child.attrib |= {"lspace": "0", "rspace": "0"}
            if child.text in _BARS and "form" not in child.attrib:
                child.set("stretchy", "true" if "minsize" in child.attrib else "false")
        if child.tag == "mover" and child[1].tag == "mo" and child[1].text in _ACCENTS:
            child.set("accent", "true")
            child[1].text = _ACCENTS[child[1].text]
            child[1].set("stretchy", "false")
    for left, right in zip([*element], [*element][1:]):
        if left.tag == right.tag == "mo" and (left.text, right.text) == (":", "="):
            element.remove(left)
            right.text = ":="
    for child in [*element]:
        if child.tag in ("msub", "msup", "msubsup"):
            _set_scripts(element, child)


def _set_scripts(parent: ElementTree.Element, scripts: ElementTree.Element) -> None:
    """Set the scripts of a closing bracket beside it, and those of a letter with an accent as of the letter."""
    base = scripts[0]
    if base.tag == "mo" and (base.text or " ") in ")]}|‖":
        # Within the scripts it is not as large as its partner, and pushes them out of their place.
        size = float(base.get("minsize", "1em").removesuffix("em"))
        strut = {
            "height": f"{size / 2 + _AXIS:g}em",
            "depth": f"{size / 2 - _AXIS:g}em",
            "width": "0",
        }
        scripts[0] = ElementTree.Element("mspace", strut)
        parent.insert([*parent].index(scripts), base)
    if base.tag == "mover" and base.get("accent") == "true":
        scripts[0] = ElementTree.Element("mpadded", {"height": "0.65em"})
        scripts[0].append(base)


def _is_mark(element: ElementTree.Element, marks: str) -> bool:
    return element.tag == "mo" and (element.text or "") in marks


def font(characters: str) -> bytes:
    """The mathematical font as WOFF, reduced to these characters."""
    options = subset.Options(flavor="woff", layout_features=["*"])
    whole = subset.load_font(
        str(distribution(SOURCE["package"]).locate_file(SOURCE["file"])), options
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters)
    subsetter.subset(whole)
    file = BytesIO()
    subset.save_font(whole, file, options)
    return file.getvalue()


def _write(writer, node: Element, block: bool) -> None:
    try:
        math = mathml(node.astext(), block)
    except ValueError as error:
        _log.warning(str(error), location=node)
        math = escape(node.astext())
    tag = "div" if block else "span"
    writer.body.append(writer.starttag(node, tag, "", CLASS="math") + math + f"</{tag}>")
    raise SkipNode


def write_font(html: Path) -> None:
    """Write the font with the characters of all formulas of a built book."""
    pages = (path.read_text("utf-8") for path in html.rglob("*.html"))
    formulas = (unescape(formula) for page in pages for formula in _MATH.findall(page))
    used = {*"0123456789√", *(c for formula in formulas for c in _TAG.sub("", formula))}
    (html / "_static" / FONT).write_bytes(font("".join(sorted(used))))


def setup(app: Sphinx) -> None:
    """Register the renderer, under the name that `html_math_renderer` has."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(lambda writer, node: _write(writer, node, block=False), None),
        block_renderers=(lambda writer, node: _write(writer, node, block=True), None),
    )
