"""The book: pages written by hand, and the package that makes the others.

What each page runs (`profiles.yaml`), what its tables and figures show, and how notebooks become
HTML.
"""

from .page import Page, batch, fewer

__all__ = ["Page", "batch", "fewer"]
