"""Which method to use when: questions about a method, and the measurements that answer them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from lib.statistics import holm

from ..report.labels import bounds, meaningful, metric_label, number
from ..report.verdicts import LEVEL
from .comparison import Found, enough, interval_of, lead_of, places

BLIND = "fake_cam"  # a map that does not depend on image and network
ALIKE = 0.5  # from this correlation on, two maps count as alike

# Question, the metric that answers it, and how: by comparison with the blind map, or by whether two maps
# are alike.
QUESTIONS = (
    ("faithful as pixels are added", "insertion", "against a blind map"),
    ("faithful as pixels are removed", "deletion", "against a blind map"),
    ("localises", "energy_pointing_game", "against a blind map"),
    ("tells classes apart", "correlation_between_classes", "alike"),
)
SANITY = ("rank_correlation", "rank_correlation_absolute", "hog_similarity", "ssim")
_YES = {True: "✓", False: "✗"}
_SIGNS = {"yes": "✓", "no": "✗", "undecided": "?", "few": "…", "": ""}


@dataclass(frozen=True)
class Answers:
    """The table of methods and questions on each network, as a notebook shows it."""

    data: Mapping[str, Any]
    abilities: Mapping[str, Mapping[str, bool]]

    def __repr__(self) -> str:
        return "\n".join(
            f"{net['network']}: {', '.join(title for title, *_ in QUESTIONS)}, sanity, fast"
            for net in self.data["networks"]
        )

    def _repr_html_(self) -> str:
        return "".join(_table(self.data, net, self.abilities) for net in self.data["networks"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}


def against_blind(net: Mapping[str, Any], place: int) -> dict[str, tuple[str, Found]]:
    """For each method, whether it is better than the blind map in the metric at an index: "yes", "no" or
    "undecided", after Holm's correction over the methods; and by how much.

    Example:
        >>> against_blind(data["networks"][0], places(data)["insertion"])["grad_cam"][0]
        'yes'
    """
    leads = {m["name"]: lead_of(net, m["name"], BLIND) for m in net["methods"]}
    found = {m: of[place] for m, of in leads.items() if of and of[place]}
    # For values that are the same on every image there is nothing to test.
    p = dict(zip(found, holm([1.0 if of[4] is None else of[4] for of in found.values()])))
    return {m: (_side(of, p[m]), of) for m, of in found.items()}


def _side(found: Found, p: float) -> str:
    if found[3] < enough(""):
        return "few"
    return "undecided" if p > LEVEL else "yes" if found[0] > 0 else "no"


def below(found: Found, threshold: float) -> str:
    """Whether a mean is certainly below a threshold ("yes") or above it ("no"), or "undecided".

    Example:
        >>> below([0.2, 0.1, 0.3, 40], 0.5)
        'yes'
    """
    _, low, high, n = found
    if n < enough(""):
        return "few"
    return "yes" if high < threshold else "no" if low > threshold else "undecided"


def sanity(means: Iterable[Found]) -> tuple[str, Found]:
    """Whether maps change when the weights of the network become random, and the largest similarity. By the
    rule of the page on the sanity check, every similarity has to be below one half.

    Example:
        >>> sanity([[0.1, 0.0, 0.2, 20], [0.7, 0.6, 0.8, 20]])
        ('no', [0.7, 0.6, 0.8, 20])
    """
    means = list(means)
    sides = [below(found, ALIKE) for found in means]
    worst = max(means, key=lambda found: found[0])
    for side in ("few", "no", "undecided"):
        if side in sides:
            return side, worst
    return "yes", worst


def _table(data: Mapping, net: Mapping, abilities: Mapping[str, Mapping[str, bool]]) -> str:
    place = places(data)
    blind = {
        metric: against_blind(net, place[metric])
        for _, metric, how in QUESTIONS
        if how == "against a blind map" and metric in place
    }
    rows = []
    for method, title in ((one["name"], one["title"]) for one in net["methods"]):
        means, cells = net["means"][method], []
        for _, metric, _ in QUESTIONS:
            found = means[place[metric]] if metric in place else None
            if metric in blind:
                side = blind[metric].get(method, ("", None))[0]
            else:
                side = below(found, ALIKE) if found else ""
            cells.append(_cell(side, metric, found))
        similar = [means[place[m]] for m in SANITY if m in place and means[place[m]]]
        side, worst = sanity(similar) if similar else ("", None)
        cells.append(_cell(side, "ssim", worst))
        cells.append(_fast(net["costs"].get(method)))
        cells += [f"<td>{_YES[of[method]]}</td>" for of in abilities.values()]
        rows.append(f'<tr><th scope="row">{escape(title)}</th>{"".join(cells)}</tr>')
    asked = [f"{title}<br><small>{metric_label(m).heading}</small>" for title, m, _ in QUESTIONS]
    asked += ["passes the sanity check<br><small>largest similarity ↓</small>"]
    asked += ["fast<br><small>T, passes ↓</small>", *map(escape, abilities)]
    head = "".join(f'<th scope="col">{title}</th>' for title in asked)
    return (
        f'<div class="table-scroll" tabindex="0"><table class="cams questions"><caption><code>'
        f"{escape(net['network'])}</code> on {escape(net['dataset'])} ({net['rests_on']})"
        f'</caption><thead><tr><th scope="col">method</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(side: str, metric: str, found: Found) -> str:
    if not found:
        return "<td>–</td>"
    interval = interval_of(found)
    digits = meaningful(interval, metric_label(metric))
    n = f" n = {interval.n}" if side == "few" else ""
    return (
        f'<td class="{side}">{_SIGNS[side]} {number(interval.mean, digits)}<br>'
        f"<small>{bounds(interval, digits)}{n}</small></td>"
    )


def _fast(cost: Mapping | None) -> str:
    if not cost:
        return "<td>–</td>"
    seconds = f"{cost['seconds'][0]:.2g} s<br>" if cost["seconds"] else ""
    return f"<td>{seconds}<small>{cost['passes']:.3g} passes</small></td>"
