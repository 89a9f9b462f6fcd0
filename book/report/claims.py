"""The claims of the papers, as data: `data_manifests/claims/<paper>.yaml`."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from lib.errors import unknown
from lib.manifests import StrictLoader
from lib.paths import MANIFESTS

KINDS = {
    "better": "than each rival, in the sense of the metric",
    "worse": "than each rival, in the sense of the metric",
    "larger": "than each rival",
    "smaller": "than each rival",
    "above": "the threshold",
    "below": "the threshold",
    "no_winner": "no method is better than all others in every metric",
}


@dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    Attributes:
        place: where the paper makes it, e.g. "Table 1, section 5.3.1".
        text: the claim in our words, one sentence.
        networks: which it is about: a kind ("CNN", "transformer", "VQA", "Chest X-ray",
            "Kvasir"), or one printed network.
        kind: one of `KINDS`.
        metric: one or several; the claim needs them all.
        rivals: methods, or "others": all of the frame but those of `excluding`.
        threshold: a fraction for metrics in per cent: 0.02 is 2 %.
        where: conditions [method, metric, "above" or "below", threshold] that select the images.
    """

    paper: str
    id: str
    place: str
    text: str
    networks: str
    kind: str
    metric: str | list[str]
    method: str | None = None
    rivals: str | list[str] = "others"
    excluding: list[str] = field(default_factory=list)
    threshold: float | None = None
    where: list[list] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown(f"kind in claim {self.id!r}:", self.kind, KINDS)
        if (self.method is None) != (self.kind == "no_winner"):
            raise ValueError(f"claim {self.id!r}: give a method, except for the kind no_winner")
        if (self.threshold is None) == (self.kind in ("above", "below")):
            raise ValueError(f"claim {self.id!r}: give a threshold if the kind is above or below")

    @property
    def metrics(self) -> list[str]:
        return [self.metric] if isinstance(self.metric, str) else self.metric


def claims(paper: str, *items: str) -> list[Claim]:
    """The claims of a paper, or only those that some of its tables, figures or sections make.

    Raises:
        UnknownName: no claims of that paper, or none made there.
        ValueError: a claim has a wrong field or lacks one, or two have the same id.

    Example:
        >>> claims("opticam", "Table 3")[0].id
        'opticam-low-insertion'
    """
    papers = {path.stem: path for path in sorted((MANIFESTS / "claims").glob("*.yaml"))}
    if paper not in papers:
        raise unknown("paper", paper, papers)
    found = read_claims(papers[paper])
    places = [claim.place.split(",")[0] for claim in found]
    for item in items:
        if item not in places:
            raise unknown(f"place of claims in {paper}", item, dict.fromkeys(places))
    return [claim for claim, place in zip(found, places) if not items or place in items]


def read_claims(path: Path) -> list[Claim]:
    """The claims of one file, whose name is the paper's key; errors as in `claims`."""
    with path.open(encoding="utf-8") as file:
        found = [_claim(path.stem, entry) for entry in yaml.load(file, StrictLoader)]
    ids = [claim.id for claim in found]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise ValueError(f"{path}: repeated claim id {', '.join(sorted(twice))}; rename one")
    return found


def _claim(paper: str, entry: dict[str, Any]) -> Claim:
    valid = [f.name for f in fields(Claim) if f.name != "paper"]
    for key in entry:
        if key not in valid:
            raise unknown(f"field in claim {entry.get('id')!r}:", key, valid)
    try:
        return Claim(paper, **entry)
    except TypeError as error:  # names the fields that are missing
        raise ValueError(f"claim {entry.get('id')!r} of {paper}: {error}") from None
