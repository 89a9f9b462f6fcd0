import json

import numpy as np
import pandas as pd
import pytest

from book.report import MIN_IMAGES, Claim, claims, judge, separation
from book.report.claims import read_claims
from book.report.labels import method_title, metric_label
from book.report.published import NETWORKS, printed_methods, published
from lib.errors import UnknownName

VALID = {"id": "x", "place": "Table 1", "text": "X.", "networks": "CNN", "kind": "better"}
VALID |= {"metric": "average_gain", "method": "opti_cam"}

# The claims that the papers' own tables do not bear out, with the network and the verdict on them.
CONTRADICTED = {
    ("opticam-fake-cam-gains-as-little", "ResNet50", "fails"),  # AG 1.6, where the text has 0.7
    ("opticam-fake-cam-beats-the-others", "ResNet50", "fails"),  # AI 46.0, Score-CAM's 49.4
    ("opticam-no-slower-than-score-cam", "VGG16", "fails"),  # T 3.94, Score-CAM 3.11
    ("opticam-no-slower-than-ablation-cam", "VGG16", "fails"),  # T 3.94, Ablation-CAM 2.98
    ("opticam-no-winner-transformer", "DeiT-B", "fails"),  # TIBAV wins both
    ("opticam-tibav-transformer", "ViT-B", "fails"),  # I 66.1, Score-CAM 66.5
    ("opticam-low-deletion", "VGG16", "fails"),  # lower, so better, than Grad-CAM's
    ("opticam-gradient-shap-deletion", "ResNet50", "fails"),  # the best deletion of all
    ("opticam-gradient-shap-deletion", "VGG16", "fails"),
    ("opticam-sigmoid-worse-diff", "VGG16", "fails"),  # AD 6.5, range 7.1, maximum 6.8
    # AG 18.3, Diff with range 18.5
    ("opticam-objective-matters-more-average-gain", "VGG16", "fails"),
    ("opticam-best-official-metric", "ResNet50", "equal"),  # OM 72.2, Score-CAM 72.2
    ("opticam-poor-pixel-f1", "VGG16", "fails"),  # third best of seven
    ("opticam-poor-saliency-metric", "VGG16", "fails"),  # the best of all but Fake-CAM
    ("opticam-suffers-most-second", "ResNet50", "fails"),  # AD up by 27.0, Grad-CAM's by 84.1
    ("opticam-suffers-most-least", "ResNet50", "fails"),  # AD up by 27.7, Grad-CAM's by 84.1
    # AG 26.9, true class 26.6
    ("opticam-most-probable-score-cam", "ResNet50", "fails"),
    # where the text says that all results improve
    ("opticam-normalised-extremal-perturbation", "ResNet50", "fails"),
    ("opticam-normalised-extremal-perturbation", "VGG16", "fails"),
    # p₊ of the weighted and of the original map
    # zeros 0.794, and 0.80, the number with two digits
    ("contrast-equal-positive-linear-approximation-t2", "VGG16 Food-101", "fails"),
}


@pytest.mark.parametrize("paper", ["opticam", "liftcam", "contrast", "calm"])
def test_the_committed_claims_speak_of_what_exists(paper):
    methods = set(published(paper)["method"])
    for claim in claims(paper):
        for metric in claim.metrics:
            metric_label(metric)
        rivals = [] if claim.rivals == "others" else claim.rivals
        named = {claim.method} - {None} | {*rivals, *claim.excluding}
        if claim.rivals == "others" and claim.kind not in ("above", "below", "untested"):
            assert printed_methods(paper, claim.place, claim.networks), claim.id
        assert all(name in methods or method_title(name) != name for name in named), claim.id
        assert claim.networks in {*NETWORKS, *(entry["kind"] for entry in NETWORKS.values())}
        assert claim.id.startswith(paper) and claim.text.endswith(".")


def cells_of(paper, table):
    """The cells of a table, with further cells that claims about it need."""
    cells = published(paper, table)
    if paper == "contrast":
        apart = separation(cells.assign(dataset="", image="", group=""))
        return pd.concat([cells, apart[["network", "method", "metric", "value"]].assign(unit="")])
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
    """An evaluation frame in which every image has the printed value, but for a rounding of its own:
    what is the same on every image would still have an interval."""
    network = [NETWORKS[name]["here"] for name in cells["network"]]
    value = cells["value"] / cells["unit"].map({"%": 100, "": 1, "s": 1})
    cells = cells.assign(network=network, dataset="", value=value)
    images = pd.DataFrame({"image": range(MIN_IMAGES), "group": range(MIN_IMAGES)})
    found = cells.merge(images, how="cross")
    return found.assign(
        value=found["value"] + 1e-7 * np.random.default_rng(0).normal(size=len(found))
    )


@pytest.mark.parametrize(
    ("paper", "table"),
    [(p, table) for p in ("opticam", "contrast") for table in published(p)["table"].unique()],
)
def test_the_printed_numbers_bear_the_claims_out_but_for_a_few(paper, table):
    made = [
        claim
        for claim in claims(paper)
        if claim.place.startswith(f"Table {table},") and claim.kind != "untested"
    ]
    judged = judge(made, as_frame(cells_of(paper, table)))
    others = judged[judged["verdict"] != "holds"]
    found = set(zip(others["id"], others["network"], others["verdict"]))
    names = {claim.id for claim in made}
    assert found == {
        (name, NETWORKS[n]["here"], how) for name, n, how in CONTRADICTED if name in names
    }


def written(entries, folder):
    path = folder / "paper.yaml"
    path.write_text(json.dumps(entries))
    return path


def test_a_claim_about_each_of_several_methods(tmp_path):
    about = VALID | {
        "id": "x-{each}-in-box",
        "text": "{title} is worse.",
        "each": ["grad_cam", "opti_cam"],
    }
    about |= {"method": "{each}_in_box", "rivals": ["{each}_outside_box"]}
    one, other = read_claims(written([about], tmp_path))
    assert (one.id, one.text) == ("x-grad-cam-in-box", "Grad-CAM is worse.")
    assert (other.method, other.rivals) == ("opti_cam_in_box", ["opti_cam_outside_box"])
    assert one.statement == other.statement == "x-in-box"


def test_a_claim_is_a_statement_of_its_own_unless_it_says_so(tmp_path):
    found = read_claims(written([VALID, VALID | {"id": "y", "statement": "x"}], tmp_path))
    assert [claim.statement for claim in found] == ["x", "x"]


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
    with pytest.raises(ValueError, match="'x'.*reason"):
        Claim("paper", **VALID | {"kind": "untested", "method": None, "metric": []})
    with pytest.raises(ValueError, match="'x'.*factor"):
        Claim("paper", **VALID | {"factor": 2})
    with pytest.raises(ValueError, match="'x'.*metric"):
        Claim("paper", **VALID | {"metric": []})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {id: x, colour: red}", "'x'.*'colour'"),
        ("- {id: x, place: Table 1}", "'x'.*missing.*'text'"),
        ("- {id: x, id: y}", "key 'id' repeated"),
        (f"- &a {json.dumps(VALID)}\n- *a", "repeated claim id x"),
        (json.dumps([VALID | {"each": ["grad_cam"]}]), "'x' is about each.*its id needs {each}"),
    ],
)
def test_wrong_files_are_named(text, message, tmp_path):
    path = tmp_path / "paper.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_claims(path)
