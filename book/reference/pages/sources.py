"""The code of a function as a page shows it, without its docstring."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path

from lib.paths import ROOT


def code(function: Callable) -> str:
    """The source of a function with its decorators, without its docstring.

    Example:
        >>> code(METHODS["fake_cam"].fn).splitlines()[0]
        'def fake_cam(net, x: Tensor, target: Tensor) -> Tensor:'
    """
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    lines = source.splitlines()
    [node] = ast.parse(source).body
    if ast.get_docstring(node) is not None:
        said = node.body[0]
        # The body of a function, such as that of a metric, may be the docstring alone.
        del lines[said.lineno - 1 : said.end_lineno]
    return "\n".join(lines).strip()


def place(function: Callable) -> str:
    """The path of a function's file, from the project's root.

    Example:
        >>> place(METHODS["fake_cam"].fn)
        'lib/methods/fake_cam.py'
    """
    path = Path(inspect.getsourcefile(inspect.unwrap(function)))
    return path.relative_to(ROOT).as_posix()


def block(function: Callable) -> str:
    """The code as a highlighted block in Markdown, under the name of its file."""
    return f"```{{code-block}} python\n:caption: {place(function)}\n\n{code(function)}\n```\n"
