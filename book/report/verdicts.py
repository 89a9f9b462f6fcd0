"""Verdicts by a written rule: on a published number beside ours, and on a claim."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from lib.statistics import Interval, by_image

from .claims import Claim
from .evidence import evidence
from .published import architectures, concerns, printed_range

MIN_IMAGES = 10

RULE = f"""\
Every mean comes with its 95 % interval, from 2,000 bootstrap resamples of the images.

**A number** is compared with the range that the paper prints for its networks of the same kind,
or for the very network where ours is one of the paper's, widened by half a unit of the last
printed digit. It *agrees* if our interval meets that range; otherwise it lies *above* or *below*.

**A claim** is judged on paired differences, image by image. It *holds* if the interval of every
difference that it needs lies on the claimed side of zero, *fails* if one lies wholly on the other
side, is *equal* if only rivals with the very same values on every image keep it from holding, and
is *undecided* otherwise. Over several networks it holds if it holds on each that ran what it needs,
and fails if it fails on one; where it is equal, the other networks decide.

With fewer than {MIN_IMAGES} images the verdict is *not enough images*; without the method, the
metric or such a network, *not run*.
"""

SYMBOLS = {
    "agrees": "✓",
    "above": "▲",
    "below": "▼",
    "holds": "✓",
    "fails": "✗",
    "equal": "=",
    "undecided": "?",
    "not enough images": "…",
    "not run": "–",
}


def cell_verdict(printed: Sequence[str], ours: Interval) -> str:
    """The verdict on a number: as printed for each of the paper's networks, and ours in its unit.

    Example:
        >>> cell_verdict(["12.2", "14.2"], Interval(21.3, 12.0, 31.1, 20))
        'agrees'
    """
    if ours.n < MIN_IMAGES:
        return "not enough images" if ours.n else "not run"
    low, high = printed_range(printed)
    if ours.low > high:
        return "above"
    return "below" if ours.high < low else "agrees"


def judge(claims: Iterable[Claim], frame: pd.DataFrame) -> pd.DataFrame:
    """The verdict on each claim for each network of an evaluation frame that it is about.

    Returns:
        Columns paper, id, place, text, network (empty where none was run), verdict, evidence.

    Example:
        >>> judge(claims("opticam", "Table 1"), frame).verdict.value_counts()
    """
    tables = {name: by_image(rows) for name, rows in frame.groupby("network", sort=False)}
    own, rows = architectures(frame), []
    for claim in claims:
        networks = [name for name in tables if concerns(claim.networks, name, own[name])]
        verdicts = {name: _decide(claim, tables[name]) for name in networks}
        nowhere = {"": ("not run", f"about other networks: {claim.networks}" if tables else "")}
        for network, (verdict, why) in (verdicts or nowhere).items():
            rows.append((claim.paper, claim.id, claim.place, claim.text, network, verdict, why))
    return pd.DataFrame(rows, columns="paper id place text network verdict evidence".split())


def _decide(claim: Claim, images: pd.DataFrame) -> tuple[str, str]:
    needed = evidence(claim, images)
    n = min((item.claimed.n for item in needed), default=0)
    if n == 0 and not (claim.where and _was_run(claim, images)):
        return "not run", ""
    if n < MIN_IMAGES:
        return "not enough images", f"n = {n}"
    sides = [_side(item.claimed) for item in needed]
    verdict = next(side for side in ("fails", "undecided", "equal", "holds") if side in sides)
    # What decides is the least favourable item.
    bound = "high" if verdict == "fails" else "low"
    deciding = [item for item, side in zip(needed, sides) if side == verdict]
    decisive = min(deciding, key=lambda item: getattr(item.claimed, bound))
    return verdict, f"{decisive.text}, n = {n}"


def _was_run(claim: Claim, images: pd.DataFrame) -> bool:
    """Whether there are values at all, of images that need not meet the claim's conditions."""
    needed = evidence(replace(claim, where=[]), images)
    return min((item.claimed.n for item in needed), default=0) > 0


def _side(claimed: Interval) -> str:
    if claimed.low > 0:
        return "holds"
    if claimed.high < 0:
        return "fails"
    return "equal" if claimed.low == claimed.high == 0 else "undecided"


def combine(verdicts: Iterable[str]) -> str:
    """One verdict from those on several networks.

    Example:
        >>> combine(["holds", "undecided"]), combine(["holds", "equal", "not run"])
        ('undecided', 'holds')
    """
    verdicts = set(verdicts)
    for undeciding in ("not run", "equal"):
        verdicts = verdicts - {undeciding} or verdicts
    if len(verdicts) == 1:
        return verdicts.pop()
    return "fails" if "fails" in verdicts else "undecided"
