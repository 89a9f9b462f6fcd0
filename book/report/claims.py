"""The claims of the papers, as data: `data_manifests/claims/<paper>.yaml`."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from lib.errors import unknown
from lib.manifests import StrictLoader
from lib.paths import MANIFESTS

from .labels import method_title

PAPERS = {  # as the book calls them, in its order
    "opticam": "Opti-CAM",
    "liftcam": "LIFT-CAM",
    "contrast": "Class-contrastive explanations",
    "diffcam": "DiffCAM",
    "calm": "CALM",
}
KINDS = {
    "better": "than each rival, in the sense of the metric",
    "worse": "than each rival, in the sense of the metric",
    "larger": "than each rival",
    "smaller": "than each rival",
    "alike": "differs from each rival by less than the threshold",
    "beaten": "at least one rival is better, in the sense of the metric",
    "above": "the threshold",
    "below": "the threshold",
    "no_winner": "no method is better than all others in every metric",
    "untested": "the paper makes it, and it is not measured here, for a stated reason",
}
_NEEDS_THRESHOLD = ("above", "below", "alike")
_NEEDS_METHOD = KINDS.keys() - {"no_winner", "untested"}
EACH = "{each}"


@dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    Attributes:
        place: where the paper makes it, e.g. "Table 1, section 5.3.1".
        text: the claim in our words, one sentence.
        networks: the networks that it is about: a kind ("CNN", "transformer", "VQA", "Chest X-ray",
            "Kvasir"), or one printed network.
        kind: one of `KINDS`.
        metric: one or several; the claim needs them all.
        rivals: methods, or "others": the methods of the printed table that `place` names, except the
            method itself and those of `excluding`.
        threshold: a fraction for metrics in per cent: 0.02 is 2 %.
        factor: of the kinds larger and smaller: how many times larger or smaller.
        where: conditions [method, metric, "above" or "below", threshold] that select the images.
        gates: conditions of the same form on means, each followed by a reason in words. If one of them
            is not certain, the claim cannot be tested.
        reason: why a claim is untested.
        statement: the name that claims from one sentence of the paper share; they count as one.
    """

    paper: str
    id: str
    place: str
    text: str
    networks: str
    kind: str
    metric: str | list[str] = field(default_factory=list)
    method: str | None = None
    rivals: str | list[str] = "others"
    excluding: list[str] = field(default_factory=list)
    threshold: float | None = None
    factor: float = 1.0
    where: list[list] = field(default_factory=list)
    gates: list[list] = field(default_factory=list)
    reason: str = ""
    statement: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown(f"kind in claim {self.id!r}:", self.kind, KINDS)
        if (self.method is not None) != (self.kind in _NEEDS_METHOD):
            wanted = "give a method" if self.method is None else "a method has no meaning"
            raise ValueError(f"claim {self.id!r}: {wanted} with the kind {self.kind}")
        if (self.threshold is not None) != (self.kind in _NEEDS_THRESHOLD):
            raise ValueError(
                f"claim {self.id!r}: give a threshold with {', '.join(_NEEDS_THRESHOLD)}, and only then"
            )
        if bool(self.reason) != (self.kind == "untested"):
            raise ValueError(f"claim {self.id!r}: give a reason if it is untested, and only then")
        if bool(self.metrics) == (self.kind == "untested"):
            raise ValueError(f"claim {self.id!r}: give a metric, unless it is untested")
        if self.factor != 1 and self.kind not in ("larger", "smaller"):
            raise ValueError(f"claim {self.id!r}: a factor is of larger or smaller")

    @property
    def metrics(self) -> list[str]:
        return [self.metric] if isinstance(self.metric, str) else self.metric


def claims(paper: str, *items: str) -> list[Claim]:
    """The claims of a paper, or only those made in some of its tables, figures or sections.

    Raises:
        UnknownName: there are no claims of this paper, or none made in one of these places.
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
        entries = yaml.load(file, StrictLoader)
    found = [_claim(path.stem, one) for entry in entries for one in _each(entry)]
    ids = [claim.id for claim in found]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise ValueError(f"{path}: repeated claim id {', '.join(sorted(twice))}; rename one")
    return found


def _each(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of a claim about several methods, one entry per method, all of one statement."""
    names = entry.get("each")
    if names is None:
        return [{"statement": entry.get("id", "")} | entry]
    if EACH not in str(entry.get("id")):
        raise ValueError(f"claim {entry.get('id')!r} is about each of {names}: its id needs {EACH}")
    whole = {"statement": entry["id"].replace(f"-{EACH}", "")} | entry
    del whole["each"]
    return [_filled(whole, name) for name in names]


def _filled(value: Any, name: str) -> Any:
    """A value in which the name of a method replaces {each} and its title replaces {title}; in an id, the
    name has hyphens."""
    if isinstance(value, dict):
        spelt = {"id": name.replace("_", "-")}
        return {key: _filled(of, spelt.get(key, name)) for key, of in value.items()}
    if isinstance(value, list):
        return [_filled(one, name) for one in value]
    if isinstance(value, str):
        return value.replace(EACH, name).replace("{title}", method_title(name))
    return value


def _claim(paper: str, entry: dict[str, Any]) -> Claim:
    valid = [f.name for f in fields(Claim) if f.name != "paper"] + ["each"]
    for key in entry:
        if key not in valid:
            raise unknown(f"field in claim {entry.get('id')!r}:", key, valid)
    try:
        return Claim(paper, **entry)
    except TypeError as error:  # names the fields that are missing
        raise ValueError(f"claim {entry.get('id')!r} of {paper}: {error}") from None
