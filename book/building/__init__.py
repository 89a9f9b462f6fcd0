"""The book: notebooks executed by papermill, staged beside the hand-written pages, built as HTML.

_toc.yml -> execute (build/<profile>/executed) -> stage (.../source) -> publish (.../html)
"""

from .build import BookError, build, stale

__all__ = ["BookError", "build", "stale"]
