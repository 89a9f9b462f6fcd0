import json

import pandas as pd
import pytest

from lib.errors import UnknownName
from lib.report import MIN_IMAGES, Claim, claims, judge
from lib.report.claims import KINDS, read_claims
from lib.report.evidence import _KINDS
from lib.report.labels import method_title, metric_label
from lib.report.published import NETWORKS, published

VALID = {"id": "x", "place": "Table 1", "text": "X.", "networks": "CNN", "kind": "better"}
VALID |= {"metric": "average_gain", "method": "opti_cam"}

# The claims that Opti-CAM's own tables do not bear out, with the network and the verdict on them.
CONTRADICTED = {
    ("no-slower-than-score-cam", "VGG16", "fails"),  # T 3.94, Score-CAM 3.11
    ("no-slower-than-ablation-cam", "VGG16", "fails"),  # T 3.94, Ablation-CAM 2.98
    ("no-winner-transformer", "DeiT-B", "fails"),  # TIBAV wins both
    ("tibav-transformer", "ViT-B", "fails"),  # I 66.1, Score-CAM 66.5
    ("sigmoid-worse-diff", "VGG16", "fails"),  # AD 6.5, range 7.1, maximum 6.8
    ("objective-matters-more-average-gain", "VGG16", "fails"),  # AG 18.3, Diff with range 18.5
    ("best-official-metric", "ResNet50", "equal"),  # OM 72.2, Score-CAM 72.2
    ("poor-pixel-f1", "VGG16", "fails"),  # third best of seven
    ("poor-saliency-metric", "VGG16", "fails"),  # the best of all but Fake-CAM
    ("score-cam-most-probable", "ResNet50", "fails"),  # AG 26.9, true class 26.6
    ("suffers-most-second", "ResNet50", "fails"),  # AD up by 27.0, Grad-CAM's by 84.1
    ("suffers-most-least", "ResNet50", "fails"),  # AD up by 27.7, Grad-CAM's by 84.1
}


@pytest.mark.parametrize("paper", ["opticam", "liftcam"])
def test_the_committed_claims_speak_of_what_exists(paper):
    methods = set(published(paper)["method"])
    for claim in claims(paper):
        for metric in claim.metrics:
            metric_label(metric)
        rivals = [] if claim.rivals == "others" else claim.rivals
        named = {claim.method} - {None} | set(rivals) | set(claim.excluding)
        assert all(name in methods or method_title(name) != name for name in named), claim.id
        assert claim.networks in {*NETWORKS, *(kind for _, kind in NETWORKS.values())}
        assert claim.id.startswith(paper) and claim.text.endswith(".")


def cells_of(table):
    """The cells of a table of Opti-CAM, with what the claims made of it need besides."""
    cells = published("opticam", table)
    if table == "A14":  # corresponds to table 1
        cells["method"] += "_unnormalized"
        return pd.concat([cells, published("opticam", 1)])
    if table == "A9":  # the change against the map of the true class
        true = cells["method"].str.replace("_(most|second|least).*", "", regex=True)
        values = cells.set_index(["method", "metric"])["value"]
        change = cells["value"] - values[list(zip(true, cells["metric"]))].to_numpy()
        return pd.concat([cells, cells.assign(method=cells["method"] + "_change", value=change)])
    return cells


def as_frame(cells):
    """An evaluation frame in which every image has the printed value."""
    times = cells[cells["metric"] == "seconds"].set_index(["network", "method"])["value"]
    cells = cells[cells["metric"] != "seconds"]
    seconds = [times.get(key) for key in zip(cells["network"], cells["method"])]
    network = [NETWORKS[name][0] for name in cells["network"]]
    value = cells["value"] / cells["unit"].map({"%": 100, "": 1})
    cells = cells.assign(network=network, dataset="", value=value, seconds=seconds)
    images = pd.DataFrame({"image": range(MIN_IMAGES), "group": range(MIN_IMAGES)})
    return cells.merge(images, how="cross")


@pytest.mark.parametrize("table", published("opticam")["table"].unique())
def test_the_printed_numbers_bear_the_claims_out_but_for_a_few(table):
    made = [claim for claim in claims("opticam") if claim.place.startswith(f"Table {table},")]
    cells = cells_of(table)
    judged = judge(made, as_frame(cells))
    others = judged[judged["verdict"] != "holds"]
    found = set(zip(others["id"], others["network"], others["verdict"]))
    names = {claim.id for claim in made}
    expected = {(f"opticam-{name}", *rest) for name, *rest in CONTRADICTED}
    assert found == {(name, NETWORKS[n][0], how) for name, n, how in expected if name in names}


def test_every_kind_is_judged():
    assert list(KINDS) == list(_KINDS)


def test_chosen_by_place():
    places = {claim.place.split(",")[0] for claim in claims("opticam", "Table 3", "Figure 3")}
    assert places == {"Table 3", "Figure 3"}
    with pytest.raises(UnknownName, match="Table 1, Table 2"):
        claims("opticam", "Table 7")
    with pytest.raises(UnknownName, match="unknown paper"):
        claims("nobody")


def test_wrong_claims_are_named():
    with pytest.raises(UnknownName, match="'x'.*'best'.*better"):
        Claim("paper", **VALID | {"kind": "best"})
    with pytest.raises(ValueError, match="'x'.*threshold"):
        Claim("paper", **VALID | {"kind": "below"})
    with pytest.raises(ValueError, match="'x'.*threshold"):
        Claim("paper", **VALID | {"threshold": 0.5})
    with pytest.raises(ValueError, match="'x'.*method"):
        Claim("paper", **VALID | {"method": None})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {id: x, colour: red}", "'x'.*'colour'"),
        ("- {id: x, place: Table 1}", "'x'.*missing.*'text'"),
        ("- {id: x, id: y}", "key 'id' repeated"),
        (f"- &a {json.dumps(VALID)}\n- *a", "repeated claim id x"),
    ],
)
def test_wrong_files_are_named(text, message, tmp_path):
    path = tmp_path / "paper.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_claims(path)
