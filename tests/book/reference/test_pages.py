"""The pages made from data: every method and metric has one, and says what it must."""

import json
import re
from types import SimpleNamespace

import nbformat
import pytest
import torch
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output

from book.building.usage import Page
from book.reference import write
from book.reference.comparison import COMPARED_MIME
from book.reference.maps import MAPS_MIME, Maps, of_network
from book.reference.pages import bibliography, cite, methods, metrics, parts, sources
from book.reference.pages.known import Known
from book.report.labels import metric_title
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.paths import ROOT

NETWORK = "tf_efficientnet_lite0"


def shown():
    net = SimpleNamespace(name=NETWORK, layer="bn2")
    images = [SimpleNamespace(id=f"p{i}", image=torch.rand(3, 16, 16)) for i in range(4)]
    maps = {"score_cam": torch.rand(4, 16, 16)}
    return Maps(
        (of_network(net, images, ["hare", "cab", "fox", "hen"], maps, probabilities=[0.5] * 4),)
    )


COMPARED = {
    "baseline": "grad_cam", "groups": [], "metrics": [], "metric_passes": {"average_drop": 2.0},
    "networks": [{
        "network": NETWORK, "dataset": "imagenet_embedded", "rests_on": "photographs", "methods": [],
        "means": {}, "leads": {},
        "costs": {"score_cam": {"seconds": [19.68, 19.0, 20.5, 5], "passes": 627.0}},
    }],
}  # fmt: skip
VERDICTS = [
    {"paper": "opticam", "id": name, "statement": name, "place": "Table 1", "text": "t", "network": NETWORK,
     "rests_on": "photographs", "verdict": "holds", "evidence": "e", "page": "notebooks/opticam/01_x"}
    for name in ("opticam-best-average-drop", "opticam-near-zero-average-drop")
]  # fmt: skip


@pytest.fixture(scope="module")
def known():
    page = Page(
        "notebooks/opticam/01_x",
        "The first page",
        frozenset({"score_cam"}),
        frozenset({"average_drop"}),
        (),
    )
    data = {"networks": list(shown().networks)}
    return Known([page], VERDICTS, data, COMPARED, frozenset({"opticam-best-average-drop"}))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_page(name, known):
    text = methods.page(name, known)
    assert text.startswith(f"# {METHODS[name].title}\n")
    headings = re.findall(r"^## (.+)$", text, re.M)
    assert {"Use", "Options", "Cost", "Where the book uses it", "Source", "Cite"} <= set(headings)
    assert f"def {METHODS[name].fn.__name__}(" in text
    assert all(f"`{option} = " in text for option in METHODS[name].options)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_page(name, known):
    text, metric = metrics.page(name, known), METRICS[name]
    assert text.startswith(f"# {metric_title(metric)}\n")
    headings = re.findall(r"^## (.+)$", text, re.M)
    assert {"Equation", "What is measured", "Options", "Cost", "Source", "Cite"} <= set(headings)
    assert f"def {metric.measure.__name__}(" in text and f"def {name}(" in text


def test_what_the_book_knows_of_a_method_stands_on_its_page(known):
    text = methods.page("score_cam", known)
    assert "* Opti-CAM: [The first page](../../notebooks/opticam/01_x)" in text
    assert f"<code>{NETWORK}</code></th><td>20 <small>[19, 20]</small></td><td>627</td>" in text
    assert text.count('<img src="../../_static/maps/') == methods.SHOWN
    assert (
        "../claims/opticam-best-average-drop.html" in text
    )  # of others, that are compared with it
    assert "opticam-near-zero" not in text and "Verdicts on the method" not in text


def test_verdicts_lead_to_their_evidence(known):
    text = methods.page("opti_cam", known)
    assert "## Verdicts on the method" in text
    assert 'href="../claims/opticam-best-average-drop.html"' in text
    assert 'href="../../notebooks/opticam/01_x.html"' in text  # a claim without a page of its own
    decided = metrics.page("average_drop", known)
    assert decided.count("cams-verdict holds") == 2 and "2 forward passes" in decided
    assert "cams-verdict" not in metrics.page("insertion", known)


def test_many_claims_fold(known):
    many = Known(known.pages, VERDICTS, claim_pages=known.claim_pages)
    folded = parts.listed(many, [many.claims[0]] * 20)
    assert folded.startswith(":::{dropdown} 20 claims: holds 20\n<div") and folded.endswith(
        "</div>\n:::\n"
    )


def test_a_copy_without_maps_and_times_says_so():
    text = methods.page("score_cam", Known())
    assert "Not measured in this copy" in text and "<img" not in text


def test_the_tables_of_all(known):
    table = methods.index(known)
    assert re.findall(r'href="methods/(\w+)\.html"', table) == [*METHODS]
    assert "627 passes" in table and table.count("<img") == 1
    assert '<img src="../_static/maps/' in table
    table = metrics.index(known)
    assert re.findall(r'href="metrics/(\w+)\.html"', table) == [*METRICS]


def test_defaults_are_readable():
    assert parts.shown(1 / 49) == "0.02041" and parts.shown("logit") == "'logit'"
    assert parts.shown(tuple("abcdefgh")) == "('a', 'b', 'c', …)"


def test_source_without_docstring():
    code = sources.code(METHODS["grad_cam"].fn)
    assert code.startswith("@combination\ndef grad_cam(") and '"""' not in code
    assert "activation_and_gradient" in code
    assert sources.place(METHODS["grad_cam"].fn) == "lib/methods/grad_cam.py"


@pytest.mark.parametrize(
    "paper", sorted({of.paper for of in (*METHODS.values(), *METRICS.values())})
)
def test_every_paper_can_be_cited(paper):
    assert bibliography.bibtex(paper).startswith("@")
    assert bibliography.link("opticam") == "https://doi.org/10.1016/j.cviu.2024.104101"
    with pytest.raises(ValueError, match="unknown reference 'nobody'"):
        bibliography.entry("nobody")


def test_bibtex_of_the_book_and_of_a_page():
    of = {"title": "The book", "version": 1, "authors": [
        {"name": "The authors"}, {"family-names": "Noether", "given-names": "Emmy"},
    ], "repository-code": "https://example.org/book"}  # fmt: skip
    whole = cite.bibtex(of)
    assert "author = {{The authors} and Noether, Emmy}" in whole
    assert "url = {https://example.org/book}" in whole and "note" not in whole
    page = cite.bibtex(of, "Localisation", "notebooks/opticam/07_localization")
    assert "_07_localization,\n" in page and "title = {Localisation, in: The book}" in page
    assert cite.bibtex(cite.citation()).startswith("@software{")


# Staged -----------------------------------------------------------------------------------------


@pytest.fixture
def staged(tmp_path):
    """A staged tree with a gallery and a comparison, as a notebook has them on disk."""
    outputs = [
        new_output(
            "display_data",
            {MAPS_MIME: shown()._repr_mimebundle_()[MAPS_MIME], "text/html": "grids"},
        ),
        new_output("display_data", {COMPARED_MIME: json.dumps(COMPARED), "text/html": "tables"}),
    ]
    path = tmp_path / "notebooks/reference/01.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=[new_code_cell("show()", outputs=outputs)]), path)
    return tmp_path


def outputs(staged):
    notebook = nbformat.read(staged / "notebooks/reference/01.ipynb", as_version=4)
    return [output.data for output in notebook.cells[0].outputs]


def test_a_staged_book_has_all_pages(staged):
    write(staged, [])
    for kind, registry in (("methods", METHODS), ("metrics", METRICS)):
        assert {path.stem for path in (staged / "book" / kind).glob("*.md")} == set(registry)
    generated = {path.stem for path in (staged / "book/_generated").glob("*.md")}
    assert generated == {"methods", "metrics", "errata", "cite"}


def test_maps_become_files_and_the_comparison_a_download(staged):
    write(staged, [])
    gallery, comparison = outputs(staged)
    assert set(gallery) == set(comparison) == {"text/html"}
    found = re.findall(r'src="\.\./\.\./(_static/maps/[^"]+)"', gallery["text/html"])
    assert len(found) == 4 and all((staged / "book" / path).is_file() for path in found)
    assert "data:" not in gallery["text/html"]
    assert 'href="../../book/methods/score_cam.html"' in gallery["text/html"]
    assert json.loads((staged / "book/_static/compare.json").read_text()) == COMPARED
    within = re.search(
        r'<script type="application/json"[^>]*>(.*?)</script>', comparison["text/html"]
    )
    assert json.loads(within[1]) == COMPARED


def test_some_pages_alone_have_no_links_to_others(staged):
    write(staged, [], whole=False)
    gallery, comparison = outputs(staged)
    assert "book/methods" not in gallery["text/html"] + comparison["text/html"]
    assert not (staged / "book/methods").exists()


def test_the_contents_list_the_pages():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    sections = {c["file"]: c.get("sections") for c in chapters}
    for kind in ("methods", "metrics"):
        assert sections[f"book/{kind}"] == [{"glob": f"book/{kind}/*"}]
