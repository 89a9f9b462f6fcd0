import json

import pytest

from lib.errors import UnknownName
from lib.report import Claim, claims
from lib.report.claims import KINDS, read_claims
from lib.report.evidence import _KINDS
from lib.report.labels import method_title, metric_label
from lib.report.published import NETWORKS, published

VALID = {"id": "x", "place": "Table 1", "text": "X.", "networks": "CNN", "kind": "better"}
VALID |= {"metric": "average_gain", "method": "opti_cam"}


@pytest.mark.parametrize("paper", ["opticam", "liftcam"])
def test_the_committed_claims_speak_of_what_exists(paper):
    methods = set(published(paper)["method"])
    for claim in claims(paper):
        for metric in claim.metrics:
            metric_label(metric)
        rivals = [] if claim.rivals == "others" else claim.rivals
        named = {claim.method} - {None} | set(rivals) | set(claim.excluding)
        assert all(name in methods or method_title(name) != name for name in named), claim.id
        assert claim.networks in {"CNN", "transformer", "VQA", *NETWORKS}
        assert claim.id.startswith(paper) and claim.text.endswith(".")


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
