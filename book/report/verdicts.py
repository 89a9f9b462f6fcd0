"""Verdicts by a written rule: on a published number beside ours, and on a claim."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.statistics import Interval, by_image, column, holm

from .claims import Claim
from .evidence import Evidence, evidence, excess, lead, leaders, record, selected
from .published import architectures, concerns, printed_methods, printed_range, rests_on

MIN_IMAGES = 20  # or groups of images
MIN_REPETITIONS = 5  # of a measured time
LEVEL = 0.05
POINTS = 5.0  # how far a number in per cent may be off
SHARE = 0.1  # how far any other number may be off, as a share of the printed one

RULE = f"""\
Every mean has a 95 % confidence interval over images. Where several images are crops of one
photograph, the interval is over photographs. [The page on intervals](../notebooks/statistics/01_intervals)
shows which interval was chosen, and how often it misses the true mean.

**A number** is compared with the paper's numbers for networks of the same kind, or for the same network
where the paper has it. Only numbers for data of the same sort are compared: nothing that was measured on
drawings or digits is compared with a number for ImageNet. The range of the printed numbers is widened by
{POINTS:g} points, or by {100 * SHARE:g} % where the unit is not per cent. A number *agrees* if our interval lies
within this range. It is *above* or *below* if the interval lies wholly outside, and *undecided* if the
interval lies across a bound.

**A claim** is judged on per-image differences between the method and each of its rivals. It *holds* if
the interval of every difference that it needs lies on the claimed side of zero. It *fails* if one
difference lies on the other side after Holm's correction over all differences. It is *equal* if only
rivals with the same values on every image keep it from holding, and *undecided* otherwise. The rivals are
those that the paper compares with. Where some of them did not run, the verdict says how many did. A claim
that a mean is above or below a threshold is judged on the interval of this mean. A claim that two formulas
are the same is judged on the largest difference over all images.

**What it rests on** is part of a verdict: the *published setting*, *photographs*, or a *test bed* of
drawings or digits. A test bed can support a claim, but cannot refute one: a claim that would fail on a
test bed is *doubted*.

**Over several networks** a claim holds if it holds on every network that could test it, and fails if it
fails on any of them. A network where it is equal does not count if the claim is decided on another.

With fewer than {MIN_IMAGES} images the verdict is *not enough images*. Times are measured in at least
{MIN_REPETITIONS} repetitions, and not over images. A claim is *not testable here* if its condition does not
arise, or if the book does not measure it; the verdict then says why. A claim is *not run* if the method,
the metric or a network of its kind did not run.
"""

SYMBOLS = {
    "agrees": "✓",
    "above": "▲",
    "below": "▼",
    "holds": "✓",
    "fails": "✗",
    "doubted": "~",
    "equal": "=",
    "undecided": "?",
    "not enough images": "…",
    "not testable here": "∅",
    "not run": "–",
}
_OPPOSITE = {"holds": "fails", "fails": "holds"}
_COLUMNS = "paper id statement place text network rests_on verdict evidence differences".split()
# Verdicts that do not count while another network or claim has any other; the weakest comes first.
_UNDECIDING = ("not run", "not testable here", "not enough images", "equal")


def cell_verdict(printed: Sequence[str], ours: Interval, unit: str = "%") -> str:
    """The verdict on a number.

    Args:
        printed: the number as printed, for each of the paper's networks.
        ours: in the same unit.

    Example:
        >>> cell_verdict(["12.2", "14.2"], Interval(13.3, 10.0, 16.1, 120))
        'agrees'
    """
    if ours.n < MIN_IMAGES:
        return "not enough images" if ours.n else "not run"
    low, high = printed_range(printed)
    off = (POINTS, POINTS) if unit == "%" else (SHARE * abs(low), SHARE * abs(high))
    low, high = low - off[0], high + off[1]
    if ours.low > high:
        return "above"
    if ours.high < low:
        return "below"
    return "agrees" if low <= ours.low and ours.high <= high else "undecided"


def judge(claims: Iterable[Claim], frame: pd.DataFrame) -> pd.DataFrame:
    """The verdict on each claim for each network of an evaluation frame that it is about.

    Returns:
        Columns paper, id, statement, place, text, network (empty where none was run), rests_on,
        verdict, evidence, and differences (all that the verdict is based on, see `evidence.record`).

    Example:
        >>> judge(claims("opticam", "Table 1"), frame).verdict.value_counts()
    """
    tables, bases = {}, {}
    for name, of in frame.groupby("network", sort=False):
        tables[name], bases[name] = by_image(of), rests_on(name, of["dataset"].iloc[0])
    own, rows = architectures(frame), []
    for claim in claims:
        networks = [name for name in tables if concerns(claim.networks, name, own[name])]
        nowhere = f"the claim is about other networks: {claim.networks}" if tables else ""
        verdicts = {"": Decision("not run", nowhere)}
        if claim.kind == "untested":
            verdicts = {"": Decision("not testable here", claim.reason)}
        elif networks:
            verdicts = {n: _decide(claim, tables[n], bases[n]) for n in networks}
        about = (claim.paper, claim.id, claim.statement or claim.id, claim.place, claim.text)
        rows += [
            (*about, n, bases.get(n, ""), verdict, said, [*differences])
            for n, (verdict, said, differences) in verdicts.items()
        ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def verdicts_by(claims: Sequence[Claim], frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The verdicts on claims by several evaluations: one row per claim and network, one column per frame.

    Example:
        >>> verdicts_by(claims("opticam", "Table A7"), {"all images": frame, "small boxes": small})
    """
    judged = [
        judge(claims, frame).set_index(["id", "network"])["verdict"] for frame in frames.values()
    ]
    found = pd.concat(judged, axis=1, keys=frames.keys()).fillna("not run")
    return found.rename_axis(["claim", "network"])


class Decision(NamedTuple):
    """A verdict on one network, the deciding evidence in words, and all differences behind the verdict."""

    verdict: str
    evidence: str = ""
    differences: Sequence[dict[str, Any]] = ()


def _decide(claim: Claim, images: pd.DataFrame, basis: str) -> Decision:
    """The verdict on one network."""
    ran = {metric: _methods(images, metric) for metric in claim.metrics}
    everywhere = set.intersection(*ran.values())
    rivals = _rivals(claim, everywhere)
    missing = [rival for rival in rivals if rival not in everywhere]
    present = [rival for rival in rivals if rival in everywhere]
    if claim.method not in {None, *everywhere} or (rivals and not present):
        return Decision("not run")
    if why := _closed(claim, images):
        return Decision("not testable here", why)
    images = selected(claim.where, images)
    verdict, needed, compared = _judged(claim, images, present)
    n = min((item.claimed.n for item in needed), default=0)
    enough = MIN_REPETITIONS if claim.metrics == ["seconds"] else MIN_IMAGES
    if n < enough:
        everything = _records(compared)
        if claim.where:
            few = f"{n} images meet the condition of the claim, and {enough} are needed"
            return Decision("not testable here", few, everything)
        return Decision("not enough images", f"n = {n}", everything)
    if verdict == "fails" and basis == "test bed":
        verdict = "doubted"
    decisive = _decisive(verdict, needed)
    no_winner = claim.kind == "no_winner"
    said = leaders(images, claim.metrics, present) if no_winner else decisive.text
    counted = "repetitions" if claim.metrics == ["seconds"] else "n"
    of = f", against {len(present)} of {len(rivals)} rivals" if missing else ""
    said = f"{said}, {counted} = {decisive.claimed.n}{of}"
    return Decision(verdict, said, _records(compared, decisive))


def _records(
    compared: Sequence[Evidence], decisive: Evidence | None = None
) -> list[dict[str, Any]]:
    """Each difference that was compared, once: the kind "alike" tests each difference twice."""
    once = {item.of[:3]: item for item in compared}
    return [record(item, decisive is not None and item.of == decisive.of) for item in once.values()]


def _methods(images: pd.DataFrame, metric: str) -> set[str]:
    return {method for name, method in images.dropna(axis="columns", how="all") if name == metric}


def _rivals(claim: Claim, ran: set[str]) -> list[str]:
    """The methods that a claim compares with, whether or not they ran; none against a threshold."""
    if claim.kind in ("above", "below"):
        return []
    if claim.rivals != "others":
        return claim.rivals
    theirs = printed_methods(claim.paper, claim.place, claim.networks) or sorted(ran)
    return [name for name in theirs if name not in {claim.method, *claim.excluding}]


def _closed(claim: Claim, images: pd.DataFrame) -> str:
    """Why a claim cannot be tested: the reason of the first measured gate whose condition is not
    certain."""
    for method, metric, side, threshold, reason in claim.gates:
        if column(images, metric, method).notna().any():
            met = excess(images, method, metric, threshold, 1 if side == "above" else -1)
            if not met.claimed.low > 0:
                return reason
    return ""


def _judged(
    claim: Claim, images: pd.DataFrame, rivals: list[str]
) -> tuple[str, list[Evidence], list[Evidence]]:
    """The verdict, the evidence that it needs, and all evidence that was compared for it."""
    if claim.kind == "no_winner":
        verdict, behind = _no_winner(claim, images, rivals)
        return verdict, behind, behind
    compared = evidence(claim, images, rivals)
    verdict = _all(compared)
    if claim.kind == "beaten":  # the opposite of "better than each"
        compared = [item.against for item in compared]
        return _OPPOSITE.get(verdict, verdict), [_best(compared)], compared
    return verdict, compared, compared


def _no_winner(
    claim: Claim, images: pd.DataFrame, methods: list[str]
) -> tuple[str, list[Evidence]]:
    """Whether for each method some other is better in some metric."""
    behind, verdicts = [], []
    for method in methods:
        ahead = [
            lead(images, metric, method, rival)
            for metric in claim.metrics
            for rival in methods
            if rival != method
        ]
        verdicts.append(_OPPOSITE.get(_all(ahead), "undecided"))
        behind.append(_best([item.against for item in ahead]))
    worst = next((v for v in ("fails", "undecided") if v in verdicts), "holds")
    return worst, behind


def _all(needed: Sequence[Evidence]) -> str:
    """The verdict on evidence that is all needed: does all of it lie on the claimed side, or some of it
    certainly on the other?"""
    adverse = holm([item.p if item.claimed.mean < 0 else 1 for item in needed])
    if (adverse <= LEVEL).any():
        return "fails"
    if any(not (item.same or item.claimed.low > 0) for item in needed):
        return "undecided"
    return "equal" if any(item.same for item in needed) else "holds"


def _best(items: Sequence[Evidence]) -> Evidence:
    """The most favourable evidence, where one case is enough."""
    return max(items, key=lambda item: np.nan_to_num(item.claimed.low, nan=-np.inf))


def _decisive(verdict: str, needed: Sequence[Evidence]) -> Evidence:
    """The least favourable evidence, which decides; of an equal verdict, the least favourable equal one."""
    bound = "high" if verdict in ("fails", "doubted") else "low"
    deciding = [item for item in needed if item.same == (verdict == "equal")] or needed
    return min(deciding, key=lambda item: getattr(item.claimed, bound))


def combine(verdicts: Iterable[str]) -> str:
    """One verdict from those on several networks, or on several claims of one statement.

    Example:
        >>> combine(["holds", "undecided"]), combine(["holds", "equal", "not run"])
        ('undecided', 'holds')
    """
    verdicts = set(verdicts)
    for undeciding in _UNDECIDING:
        verdicts = verdicts - {undeciding} or verdicts
    if len(verdicts) == 1:
        return verdicts.pop()
    return "fails" if "fails" in verdicts else "undecided"
