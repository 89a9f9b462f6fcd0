"""What a page shows: published numbers beside ours, computed verdicts, figures, provenance."""

from lib.statistics import Interval, by_image, mean_ci, paired_difference

from .claims import PAPERS, Claim, claims
from .contrast import changes, median_image, over_classes, separation, show_changes
from .display import show
from .gallery import draw, draw_boxes, gallery, grid, in_colour, key, outline, overlay
from .labels import Variant, method_title, symbols, variant_of
from .plots import curves, forest
from .protocol import Box, departures, protocol
from .provenance import Provenance, provenance
from .published import published
from .style import COLOURS, MARKERS, style
from .tables import (
    VERDICTS_MIME,
    Table,
    changed,
    claims_table,
    comparison,
    cross,
    leaders,
    means,
    measured,
    plain,
    scrolled,
)
from .verdicts import (
    MIN_IMAGES,
    MIN_REPETITIONS,
    RULE,
    SYMBOLS,
    cell_verdict,
    combine,
    judge,
    verdicts_by,
)

__all__ = [
    "Box",
    "COLOURS",
    "MARKERS",
    "MIN_IMAGES",
    "MIN_REPETITIONS",
    "PAPERS",
    "RULE",
    "SYMBOLS",
    "VERDICTS_MIME",
    "Claim",
    "Interval",
    "Provenance",
    "Table",
    "Variant",
    "by_image",
    "cell_verdict",
    "changed",
    "changes",
    "claims",
    "claims_table",
    "combine",
    "comparison",
    "cross",
    "curves",
    "departures",
    "draw",
    "draw_boxes",
    "forest",
    "gallery",
    "grid",
    "in_colour",
    "judge",
    "key",
    "leaders",
    "mean_ci",
    "means",
    "measured",
    "median_image",
    "method_title",
    "outline",
    "over_classes",
    "overlay",
    "paired_difference",
    "plain",
    "protocol",
    "provenance",
    "published",
    "scrolled",
    "separation",
    "show",
    "show_changes",
    "style",
    "symbols",
    "variant_of",
    "verdicts_by",
]
