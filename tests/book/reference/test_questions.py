"""What to use when: each answer by its rule."""

import pytest
from bs4 import BeautifulSoup

from book.reference.questions import Answers, against_blind, below, sanity


def net(leads, means=None):
    names = ["fake_cam", *leads]
    return {
        "network": "tf_efficientnet_lite0", "dataset": "imagenet_embedded", "rests_on": "photographs",
        "methods": [{"name": name, "title": name} for name in names],
        "leads": {f"fake_cam {name}": [lead] for name, lead in leads.items()},
        "means": means or {name: [[50.0, 40.0, 60.0, 40]] for name in names},
        "costs": {"grad_cam": {"seconds": [0.04, 0.03, 0.05, 5], "passes": 1.26}},
    }  # fmt: skip


def test_against_a_blind_map_with_a_correction_over_the_methods():
    leads = {
        "grad_cam": [-5.0, -8.0, -2.0, 40, 0.001],  # Fake-CAM's lead: negative speaks for Grad-CAM
        "opti_cam": [5.0, 2.0, 8.0, 40, 0.001],
        "lime": [-5.0, -9.0, -1.0, 40, 0.03],  # 0.03 twice is not certain
        "rollout": [-5.0, -9.0, -1.0, 40, 0.03],
    }
    found = against_blind(net(leads), 0)
    assert {m: side for m, (side, _) in found.items()} == {
        "grad_cam": "yes", "opti_cam": "no", "lime": "undecided", "rollout": "undecided",
    }  # fmt: skip


def test_equal_values_and_few_images_answer_nothing():
    found = against_blind(
        net({"cam": [0.0, -1.0, 1.0, 40, None], "lime": [-5.0, -8, -2, 10, 0.001]}), 0
    )
    assert found["cam"][0] == "undecided" and found["lime"][0] == "few"


@pytest.mark.parametrize(
    "low, high, n, side",
    [
        (0.1, 0.4, 40, "yes"),
        (0.6, 0.9, 40, "no"),
        (0.4, 0.6, 40, "undecided"),
        (0.1, 0.2, 19, "few"),
    ],
)
def test_below_a_threshold(low, high, n, side):
    assert below([(low + high) / 2, low, high, n], 0.5) == side


def test_the_sanity_check_needs_all_measures():
    low, high, between = [0.1, 0.0, 0.2, 20], [0.8, 0.7, 0.9, 20], [0.5, 0.4, 0.6, 20]
    assert sanity([low, low]) == ("yes", low)
    assert sanity([low, high, between]) == ("no", high)
    assert sanity([between, low]) == ("undecided", between)


def test_the_table():
    data = {
        "metrics": [{"name": "insertion"}],
        "networks": [net({"grad_cam": [-5.0, -8.0, -2.0, 40, 0.001]})],
    }
    html = Answers(
        data, {"needs no class head": {"fake_cam": True, "grad_cam": False}}
    )._repr_html_()
    blind, grad = BeautifulSoup(html, "html.parser").select("tbody tr")
    assert grad.select("td")[0].text == "✓ 50[40, 60]" and grad.select("td")[0]["class"] == ["yes"]
    assert blind.select("td")[0].text.strip() == "50[40, 60]"
    assert "0.04 s" in grad.text and "1.26 passes" in grad.text
    assert grad.select("td")[-1].text == "✗" and blind.select("td")[-1].text == "✓"
