"""Verdicts made by hand, as executed notebooks carry them."""

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book.building.executed import Executed
from book.building.scoreboard import judged
from book.report import VERDICTS_MIME


def difference(rival="grad_cam", mean=10.0, low=5.0, high=15.0, **fields):
    """A difference as `report.evidence.record` returns it: the AG of Opti-CAM minus that of a rival."""
    own = {
        "metric": "average_gain",
        "method": "opti_cam",
        "rival": rival,
        "times": 1.0,
        "n": 40,
        "p": 0.01,
    }
    placed = {
        "mean": mean,
        "low": low,
        "high": high,
        "side": "above",
        "line": 0.0,
        "same": False,
        "decides": False,
    }
    return own | placed | fields


def verdict(
    name="a", what="holds", network="net", page="notebooks/mini/one", paper="opticam", **fields
):
    """A verdict as `scoreboard.verdicts` returns it."""
    told = {"place": "Table 1", "text": f"Claim {name} < all.", "evidence": f"because {name}"}
    about = {"paper": paper, "id": name, "statement": name, "rests_on": "photographs"}
    return {**about, "network": network, "verdict": what, "page": page, **told, **fields}


def rows(*verdicts):
    """The rows of `scoreboard.judged`."""
    return judged(verdicts).to_dict("records")


def page(
    *verdicts,
    cells=(),
    name="notebooks/mini/one",
    stale=False,
    commit="abc",
    device="a CPU",
    **book,
):
    """An executed page whose last cell judges."""
    records = [{key: value for key, value in one.items() if key != "page"} for one in verdicts]
    table = new_output("display_data", data={"text/html": "<table>", VERDICTS_MIME: records})
    footer = new_output(
        "display_data",
        data={"text/html": "x"},
        metadata={"provenance": {"commit": commit, "versions": {"lib": "0.1.0"}, "device": device}},
    )
    title = new_markdown_cell("# One page\n\nIts text.")
    judging = [new_code_cell("verdicts", outputs=[table])] if records else []
    notebook = new_notebook(
        cells=[title, *cells, *judging, new_code_cell("footer", outputs=[footer])]
    )
    notebook.metadata["book"] = book
    return Executed(name, notebook, stale)
