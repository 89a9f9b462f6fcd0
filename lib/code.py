"""A hash of source code by its meaning: it changes with the code, but not with comments."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock

_PACKAGES = ("lib", "testbeds", "book")
_PARSING = Lock()  # Python 3.11 parses in one thread at a time, or fails
_ABOVE = __package__.removesuffix("lib")  # empty in a checkout; a wheel has one package around them


@cache
def code_key(*modules: str, outside: tuple[str, ...] = (), but: tuple[str, ...] = ()) -> str:
    """A hash of these modules and of all that they import from this project.

    Comments, docstrings and layout do not count. A checkout and a wheel have the same hash.

    Args:
        modules: full names, or names from this project's root.
        outside: modules and packages, named from this project's root, that are not followed because
            their effect is hashed elsewhere.
        but: modules in `outside` that are followed all the same.

    Example:
        >>> code_key("lib.methods.grad_cam", outside=("lib.nets",))
    """
    found: dict[str, str] = {}
    todo = [_ABOVE + name.removeprefix(_ABOVE) for name in modules]
    while todo:
        name = todo.pop()
        if name not in found and (_lies_in(name, but) or not _lies_in(name, outside)):
            tree, package = _parsed(name)
            found[name] = ast.dump(tree).replace(f"module='{_ABOVE}", "module='")
            todo += _imported(tree, package)
    text = "\n".join(f"{own_name(name)} {found[name]}" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def own_name(name: str) -> str:
    """A module's name from this project's root."""
    return name.removeprefix(_ABOVE)


def _lies_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(f"{own_name(name)}.".startswith(f"{package}.") for package in packages)


@cache
def _parsed(name: str) -> tuple[ast.Module, str]:
    """The module's syntax tree without docstrings, and the package its imports are relative to."""
    spec = importlib.util.find_spec(name)
    with _PARSING:
        tree = without_docstrings(ast.parse(Path(spec.origin).read_bytes()))
    return tree, name if spec.submodule_search_locations else name.rpartition(".")[0]


def without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
    return tree


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """The modules of this project that a module imports anywhere in its code."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        if not node.level and own_name(base).split(".")[0] not in _PACKAGES:
            continue
        for alias in node.names:  # a submodule, or a name in the module
            below = f"{base}.{alias.name}"
            yield below if _is_module(below) else base


@cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
