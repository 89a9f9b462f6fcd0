"""Errors that name the offending value and the remedy."""

from collections.abc import Iterable
from difflib import get_close_matches


class UnknownName(ValueError, KeyError):
    """A name that is not in one of the project's registries; the message lists the valid names."""

    __str__ = ValueError.__str__  # KeyError would print the repr


def unknown(kind: str, name: object, valid: Iterable[str]) -> UnknownName:
    """The error for a name that is not valid.

    Example:
        >>> raise unknown("method", "gradcam", ["cam", "grad_cam"])
        Traceback (most recent call last):
        lib.errors.UnknownName: unknown method 'gradcam' (did you mean 'grad_cam'?); valid: cam, grad_cam
    """
    valid = list(valid)
    close = get_close_matches(str(name), valid, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return UnknownName(f"unknown {kind} {name!r}{hint}; valid: {', '.join(valid) or 'none'}")
