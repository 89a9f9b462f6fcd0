"""What readers call things, for the search."""

import json

import pytest

from book.building.concordance import Item
from book.building.concordance import items as listed
from book.building.names import items, registries, script

from .verdicts import page

SHOWN = Item("opticam", "Figure A4", "AD by exponent.", at=("opticam/11_selectivity#figure-a4", "opticam/09_x#y"))
NOT_RUN = Item("calm", "Table 2", "Scores.", not_run="The data are not at hand.")


def test_an_item_leads_to_each_page_that_recomputes_it():
    pages = [page(name="notebooks/opticam/11_selectivity")]
    (one,) = items([SHOWN], pages)
    assert (one.page, one.anchor) == ("notebooks/opticam/11_selectivity", "figure-a4")
    assert one.title == f"Opti-CAM, figure A4: {pages[0].title}"
    assert {"Figure A4", "Opti-CAM Figure A4"} <= {*one.called}


@pytest.mark.parametrize("one", [SHOWN, NOT_RUN])
def test_what_no_page_has_leads_to_its_row_in_the_concordance(one):
    (found,) = items([one], [])
    assert (found.page, found.anchor) == ("book/concordance", one.anchor)
    assert found.title == f"{one.title}: not run"


def test_every_item_has_a_name():
    assert len(items(listed(), [])) == len(listed())


def test_methods_and_metrics_are_found_by_title_name_and_symbol():
    called = {one.page: one.called for one in registries()}
    assert {"Score-CAM", "score_cam"} <= {*called["book/methods/score_cam"]}
    assert {"AG", "average gain", "average_gain"} <= {*called["book/metrics/average_gain"]}


def test_the_script_gives_them_to_the_search():
    text = script(registries())
    assert text.startswith("named([[") and text.endswith("]]);\n")
    assert ["Score-CAM", "book/methods/score_cam", ""] in [one[:3] for one in json.loads(text[6:-3])]
