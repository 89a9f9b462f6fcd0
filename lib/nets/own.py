"""A user's own network, named by the function that makes it, as "file.py:function"."""

import importlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from torch import nn

from ..errors import unknown
from ..paths import given, standing
from .classifier import Classifier
from .copies import copied
from .weights import TORCHVISION, fill, read_state

OPTIONS = ("mean", "std", "input_size", "classes")
RETURN = 'return (model, {"mean": ..., "std": ..., "input_size": ..., "classes": [...]})'


def is_own(name: str) -> bool:
    """Whether a name has the form of a function, "module:function" or "file.py:function"."""
    return ":" in name and not name.startswith(TORCHVISION)


def short(name: str) -> str:
    """The name without folder and suffix.

    Example:
        >>> short("../models/mine.py:build")
        'mine:build'
    """
    place, _, function = name.rpartition(":")
    return f"{Path(place).stem if place.endswith('.py') else place}:{function}"


def build_own(name: str, weights: Path | str | None) -> tuple[nn.Module, dict[str, Any]]:
    """The network that a function makes, and the options of its `Classifier`.

    Args:
        name: "module:function", for a module that Python finds or that is in the user's folder, or
            "path/of/a/file.py:function". The function takes no argument. It returns
            `(model, options)`, with `mean` and `std` and optionally `input_size` and `classes`; or
            a network of timm, which has them; or a `Classifier`.
        weights: None for the weights that the function gave, or the path of a state dict.

    Raises:
        FileNotFoundError: there is no such module or file.
        UnknownName: it has no such function, or an option is unknown; the message lists valid
            names.
        ValueError: the function cannot be imported, called or used; the message gives the reason.
    """
    if weights == "random":
        raise ValueError(
            f"weights='random' is not for {name!r}, whose function decides its weights: leave "
            "weights out, or give the path of a state dict"
        )
    model, options = _described(name, _call(name))
    model = copied(model)  # the function may keep the original and return it again
    if weights is not None:
        fill(model, name, read_state(Path(weights), name), Path(weights))
    return model, options


# What the function returns ----------------------------------------------------------------------


def _described(name: str, returned: Any) -> tuple[nn.Module, dict[str, Any]]:
    """The bare network, and the options that come with it."""
    if isinstance(returned, Classifier):
        return returned.model, returned.settings
    model, options = returned if _is_pair(returned) else (returned, {})
    if not isinstance(model, nn.Module) or not isinstance(options, dict):
        raise ValueError(f"{name} returned {_what(returned)}, not a network: {RETURN}")
    for option in options:
        if option not in OPTIONS:
            raise unknown(f"option returned by {name}", option, OPTIONS)
    options = _of_timm(model) | options
    if missing := [option for option in ("mean", "std") if option not in options]:
        raise ValueError(f"{name} returned a network without {' and '.join(missing)}: {RETURN}")
    return model, options


def _is_pair(returned: Any) -> bool:
    return isinstance(returned, (tuple, list)) and len(returned) == 2


def _what(returned: Any) -> str:
    if _is_pair(returned):
        return "({}, {})".format(*(type(one).__name__ for one in returned))
    return f"an object of type {type(returned).__name__}"


def _of_timm(model: nn.Module) -> dict[str, Any]:
    """The preprocessing options that a timm network declares; empty for other networks."""
    config = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None)
    if not isinstance(config, dict) or not {"mean", "std", "input_size"} <= config.keys():
        return {}
    return {"mean": config["mean"], "std": config["std"], "input_size": config["input_size"][-1]}


# Where the function lies ------------------------------------------------------------------------


def _call(name: str) -> Any:
    place, _, function = name.rpartition(":")
    if not (place and function):
        raise ValueError(f"network {name!r}: give module:function, or file.py:function")
    module = _from_file(name, given(place)) if place.endswith(".py") else _named(name, place)
    if not hasattr(module, function):
        raise unknown(f"function of {place}", function, _functions(module))
    make = getattr(module, function)
    if not callable(make):
        raise ValueError(
            f"{name} is {type(make).__name__}, not a function: name one that takes no argument "
            "and makes the network"
        )
    try:
        return make()
    except Exception as error:  # it is the user's code, which may raise anything
        raise ValueError(f"{name}, called without arguments, raised {_said(error)}") from error


def _named(name: str, place: str) -> ModuleType:
    """A module that Python finds, or else one in the user's folder."""
    for folder in (standing(), Path.cwd()):
        _reach(folder)
    try:
        return importlib.import_module(place)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{place}.".startswith(f"{error.name}."):
            raise FileNotFoundError(
                f"network {name!r}: no module {place!r} is installed or in {standing()}; give "
                "module:function, path/of/a/file.py:function, a timm name or torchvision:<name>"
            ) from None
        raise _no_import(place, error) from error


def _from_file(name: str, path: Path) -> ModuleType:
    """The module of a file, read anew each time, so that a changed file can be loaded again."""
    if not path.is_file():
        raise FileNotFoundError(f"network {name!r}: there is no file {path}")
    _reach(path.parent)  # it may import modules from its own folder
    title = path.stem
    if title in sys.modules and getattr(sys.modules[title], "__file__", None) != str(path):
        title = f"{title} of {path.parent}"  # another module has that name
    loader = _Anew(title, str(path))
    spec = importlib.util.spec_from_file_location(title, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(title)
    sys.modules[title] = module  # pickle looks here for the file's classes
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        if before is None:
            del sys.modules[title]
        else:
            sys.modules[title] = before
        raise _no_import(path, error) from error
    return module


class _Anew(SourceFileLoader):
    """Compiles a file at each import, since Python's cache confuses two texts of equal length that
    are written within one second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _reach(folder: Path) -> None:
    """Adds a folder at the end of Python's module path."""
    importlib.invalidate_caches()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _no_import(place: str | Path, error: Exception) -> ValueError:
    return ValueError(f"{place} cannot be imported: it raised {_said(error)}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _functions(module: ModuleType) -> list[str]:
    """The names of the callables that a module defines."""
    return [
        name
        for name, one in vars(module).items()
        if callable(one) and name[0] != "_" and getattr(one, "__module__", "") == module.__name__
    ]
