"""The parameters of a notebook, and the refusal of unknown ones.

papermill only warns of a parameter that the notebook does not have, and runs on with the default.
A misspelt name would cost hours, so it is an error here.
"""

import ast
import math
from collections.abc import Mapping
from typing import Any

from lib.errors import unknown

PROFILES = ("smoke", "embedded", "paper")

# Parameters that every notebook has without declaring them, with their defaults. They say where it
# runs, and change no number.
WHERE = {"scheduler": ""}  # as of `lib.cluster.workers`; empty: this process

PATHS = ("network", "weights", "root", "reference")  # parameters that may name a file or a folder

# The beginning of the cell that papermill injects after the parameters cell.
_INJECTED = "# Parameters\n"


def assigned(source: str) -> dict[str, Any]:
    """The names and literals that a parameters cell assigns.

    Raises:
        ValueError: the cell does something else than assign literals to names. papermill replaces the
            values after the cell, so that a value computed in the cell would keep the default.

    Example:
        >>> assigned("n_images: int = 20  # photographs")
        {'n_images': 20}
    """
    values = {}
    for statement in ast.parse(source).body:
        try:
            target = (
                statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
            )
            values[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            line = ast.unparse(statement)
            raise ValueError(
                f"a parameters cell assigns literals, one per line; move {line!r} below it"
            ) from None
    return values


def check(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse parameters that the notebook does not have, or that have another type.

    Raises:
        UnknownName: no such parameter, or no such profile; the message lists the valid ones.
        ValueError: a value has another type than the default (True is no number), or a number is less
            than 0, or less than 1 where the default is not 0.

    Example:
        >>> check({"sed": 5}, {"seed": 0})
        Traceback (most recent call last):
        lib.errors.UnknownName: unknown parameter 'sed' (did you mean 'seed'?); valid: seed
    """
    defaults = {**defaults, **WHERE}
    for name, value in given.items():
        if name not in defaults:
            raise unknown("parameter", name, defaults)
        _check_type(name, value, defaults[name])
    if "profile" in given and given["profile"] not in PROFILES:
        raise unknown("profile", given["profile"], PROFILES)


def _check_type(name: str, value: Any, default: Any) -> None:
    if value is None or default is None:
        return
    # By exact type, since a bool is an int to Python.
    if type(value) is not type(default) and (type(default), type(value)) != (float, int):
        # papermill and YAML read a text such as 2024 or yes as another type.
        remedy = (
            ": write a path so that it is a text, such as ./2024"
            if isinstance(default, str)
            else ""
        )
        expected = type(default).__name__
        raise ValueError(
            f"parameter {name!r} is of type {expected} (such as {default!r}), got {value!r}{remedy}"
        )
    if type(default) is int and value < (least := min(default, 1)):
        raise ValueError(f"parameter {name!r} is at least {least}, got {value}")
    if type(default) is float and not math.isfinite(value):
        raise ValueError(
            f"parameter {name!r} is a finite number (such as {default!r}), got {value}"
        )


def check_given(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a notebook, after a `check` of those that papermill injected.

    Args:
        namespace: the `globals()` of the notebook. The parameters are those of the cell before the
            injected one, or of the first cell that assigns a profile.

    Returns:
        The values in force, by name.
    """
    history = namespace.get("In", [])
    declared = {}
    for i, source in enumerate(history):
        if source.startswith(_INJECTED):
            declared = assigned(history[i - 1])
            check(assigned(source), declared)
        elif source.startswith("profile: str") and not declared:
            declared = assigned(source)
    found = {name: namespace[name] for name in [*declared, *WHERE] if name in namespace}
    if found.get("profile", PROFILES[0]) not in PROFILES:  # set by hand, in an open notebook
        raise unknown("profile", found["profile"], PROFILES)
    return found
