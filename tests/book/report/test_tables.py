import json

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from book import report
from book.report import VERDICTS_MIME, changed, claims, claims_table, comparison, cross, measured

from .frames import frame, several

NOISE = np.random.default_rng(0).normal(scale=0.002, size=20)
METRICS = ("average_drop", "average_gain", "average_increase")


def means(network="tf_efficientnet_lite0", **methods):
    """A frame from method=(AD, AG, AI)."""
    values = {
        (method, metric): value + NOISE
        for method, triple in methods.items()
        for metric, value in zip(METRICS, triple)
    }
    return frame(values, network=network)


FRAME = means(fake_cam=(0.001, 0.001, 0.4), grad_cam=(0.13, 0.09, 0.2), opti_cam=(0.004, 0.8, 0.95))


def cell(table, method, metric):
    rows = table.frame
    return rows[(rows["method"] == method) & (rows["metric"] == metric)].iloc[0]


def rows_of(table):
    """The text of each cell, by the row's title, of the first network's table."""
    body = BeautifulSoup(table.html, "html.parser").find("tbody")
    return {row.th.text: row.find_all("td") for row in body.find_all("tr")}


def test_values_are_in_printed_units():
    table = comparison("opticam", 1, FRAME)
    assert cell(table, "grad_cam", "average_drop")["mean"] == pytest.approx(13, abs=0.2)
    times = frame({("grad_cam", "seconds"): 0.5 + NOISE[:5]})
    timed = comparison("opticam", 1, pd.concat([FRAME, times]))
    assert cell(timed, "grad_cam", "seconds")["mean"] == pytest.approx(0.5, abs=0.01)
    assert (
        cell(timed, "grad_cam", "seconds")["n"] == 5
        and cell(timed, "grad_cam", "average_drop")["n"] == 20
    )
    assert cell(table, "grad_cam", "average_drop")["paper"] == {"ResNet50": "12.2", "VGG16": "14.2"}


def test_what_the_paper_does_not_have_is_in_printed_units_too():
    ours = report.measured(FRAME).set_index(["method", "metric"])
    table = comparison("opticam", 1, FRAME)
    for (method, metric), row in ours.iterrows():
        theirs = cell(table, method, metric)
        assert list(row[["network", "title", "n"]]) == list(theirs[["network", "title", "n"]])
        for bound in ("mean", "low", "high"):
            assert row[bound] == pytest.approx(theirs[bound], abs=0.05)
    assert len(ours) == 9 and not any(ours["paper"])


def test_verdicts():
    table = comparison("opticam", 1, FRAME)
    assert cell(table, "grad_cam", "average_drop")["verdict"] == "agrees"
    assert cell(table, "grad_cam", "average_gain")["verdict"] == "below"
    assert cell(table, "opti_cam", "average_gain")["verdict"] == "above"
    assert cell(table, "lime", "average_gain")["verdict"] == "not run"
    assert cell(table, "opti_cam", "seconds")["verdict"] == ""


def test_the_very_network_compares_with_itself_alone():
    table = comparison("opticam", 1, means("torchvision:vgg16_bn", grad_cam=(0.08, 0.1, 0.4)))
    grad_cam = cell(table, "grad_cam", "average_drop")
    assert grad_cam["paper"] == {"VGG16": "14.2"}
    assert grad_cam["verdict"] == "below"  # 14.2 - 5; of ResNet50, 12.2, it would agree


@pytest.mark.parametrize(
    ("network", "dataset", "expected"),
    [
        ("tf_efficientnet_lite0", "imagenet_embedded", "agrees"),
        ("tf_efficientnet_lite0", "folder", ""),
        ("scenes_vgg", "scenes", ""),
    ],
)
def test_numbers_are_compared_on_data_of_the_same_sort_alone(network, dataset, expected):
    here = means(network, grad_cam=(0.13, 0.1, 0.4)).assign(dataset=dataset)
    assert cell(comparison("opticam", 1, here), "grad_cam", "average_drop")["verdict"] == expected


def test_rows_that_see_fewer_images_say_so_and_nothing_is_bold_across_samples():
    few = FRAME[
        (FRAME["method"] != "grad_cam") | FRAME["image"].isin([f"image{i}" for i in range(12)])
    ]
    soup = BeautifulSoup(comparison("opticam", 1, few).html, "html.parser")
    titles = [th.text for th in soup.select("tbody th")]
    assert "Grad-CAM n = 12" in titles and "Opti-CAM" in titles
    assert [b.text for b in soup.select("tbody td:nth-child(2n+3) b")] == []
    assert "20 images" in soup.caption.text


def test_rows_in_the_order_of_the_paper_then_ours():
    table = comparison("opticam", 1, means(cam=(0.1, 0.1, 0.1), opti_cam=(0.1, 0.1, 0.1)))
    titles = list(rows_of(table))
    assert titles[:3] == ["Fake-CAM", "Grad-CAM", "Grad-CAM++"]
    assert titles[-2:] == ["Opti-CAM", "CAM"]
    assert "–" in rows_of(table)["CAM"][0].text


def test_html_says_every_verdict_in_words():
    cells = rows_of(comparison("opticam", 1, FRAME))
    assert cells["Grad-CAM"][1].find(class_="agrees").text == "✓ agrees"
    assert cells["Grad-CAM"][3].find(class_="below").text == "▼ below"
    assert cells["LIME"][1].text == "– not run"


def test_best_is_bold_but_never_fake_cam():
    cells = rows_of(comparison("opticam", 1, FRAME))
    bold = {title: [b.text for td in tds for b in td.find_all("b")] for title, tds in cells.items()}
    assert [text for title, texts in bold.items() if title != "Opti-CAM" for text in texts] == []
    assert bold["Opti-CAM"][:3] == ["1.5", "1.3", "0.36"]  # as meaningful as its interval is short


def test_a_table_a_network_and_scrolling():
    two = several(FRAME, means("tf_efficientnet_lite1", grad_cam=(0.1, 0.1, 0.1)))
    soup = BeautifulSoup(comparison("opticam", 1, two).html, "html.parser")
    captions = [caption.code.text for caption in soup.find_all("caption")]
    assert captions == ["tf_efficientnet_lite0", "tf_efficientnet_lite1"]
    assert len(soup.select("div.table-scroll > table")) == 2
    assert not soup.find_all(["script", "img", "link"])


def test_networks_of_another_kind_are_left_out():
    both = pd.concat([FRAME, FRAME.assign(network="mnist_vit")])
    table = comparison("opticam", 2, both)  # transformers only
    assert set(table.frame["network"]) == {"mnist_vit"}
    cnn = comparison("opticam", 3, FRAME).frame
    assert "rollout" not in set(cnn["method"])


def test_without_a_network_of_its_kind_our_numbers_stand_alone():
    table = comparison("opticam", 2, FRAME)  # transformers only
    assert set(table.frame["verdict"]) == {""} and set(table.frame["network"]) == {
        "tf_efficientnet_lite0"
    }
    assert cell(table, "opti_cam", "average_gain")["n"] == 20
    caption = BeautifulSoup(table.html, "html.parser").caption.text
    assert "Paper: no network of this kind." in caption
    assert "not run" in repr(comparison("opticam", 2, FRAME[:0]))


def test_fractions_have_three_decimals_and_variants_their_titles():
    metric, values = "cosine_similarity", np.linspace(0.9, 0.99, 20)
    here = frame({("lift_cam", metric): values, ("shap_cam_10", metric): values})
    table = comparison("liftcam", 2, here)
    assert cell(table, "lift_cam", metric)["mean"] == pytest.approx(0.945)
    assert cell(table, "lift_cam", metric)["paper"]["VGG16 COCO"] == "0.924"
    rows = rows_of(table)
    assert rows["LIFT-CAM"][0].get_text(" ") == "0.980 0.918 0.924"
    assert rows["LIFT-CAM"][1].text.startswith("0.945 [0.93")
    assert "agrees" in rows["LIFT-CAM"][1].text
    assert "0.980 · 0.918 · 0.924 0.945" in repr(table)
    assert list(rows)[-1] == "SHAP-CAM₁₀"
    assert "cos ↑" in table.html


def test_the_claims_carry_their_verdicts():
    table = claims_table(claims("opticam", "Table 1"), FRAME)
    bundle, metadata = table._repr_mimebundle_()
    best = next(r for r in bundle[VERDICTS_MIME] if r["id"] == "opticam-best-average-gain")
    assert set(best) == {
        "paper", "id", "statement", "place", "text", "network", "rests_on", "verdict", "evidence",
    }  # fmt: skip
    assert best["rests_on"] == "photographs"
    assert (best["verdict"], best["network"]) == ("holds", "tf_efficientnet_lite0")
    assert "opticam-best-average-gain" in bundle["text/plain"]
    compared = metadata["differences"][bundle[VERDICTS_MIME].index(best)]
    assert [d["rival"] for d in compared if d["decides"]] == ["grad_cam"]
    assert "differences" not in bundle["text/plain"]
    json.dumps([bundle, metadata], allow_nan=False)  # as a notebook takes it
    html = BeautifulSoup(bundle["text/html"], "html.parser")
    row = next(tr for tr in html.tbody.find_all("tr") if "gains the most" in tr.text)
    assert row.find(class_="holds").text == "✓ holds" and "against Grad-CAM" in row.text


def test_comparisons_carry_no_claims():
    assert VERDICTS_MIME not in comparison("opticam", 1, FRAME)._repr_mimebundle_()[0]


def test_names_are_escaped():
    html = comparison("opticam", 1, means("<b>net", grad_cam=(0.1, 0.1, 0.1))).html
    assert "&lt;b&gt;net" in html and "<b>net" not in html


def test_means_as_tables_call_and_scale_them():
    values = {
        ("opti_cam", "average_gain"): [0.5, 0.7],
        ("opti_cam", "max_sensitivity"): [0.2, 0.4],
        ("a variant", "average_gain"): [0.1, 0.3],
    }
    found = report.means(frame(values, network="net"), ["max_sensitivity", "average_gain"])
    assert list(found.columns) == ["MS", "AG"]
    assert found.loc[("net", "Opti-CAM")].tolist() == pytest.approx([0.3, 60])
    assert found.at[("net", "a variant"), "AG"] == pytest.approx(20)
    assert np.isnan(found.at[("net", "a variant"), "MS"])


def test_means_cross_as_texts():
    table = cross(measured(FRAME), rows="title", columns="metric")
    assert table.loc["Grad-CAM", "average_drop"].startswith("12.96 [") and len(table) == 3
    one = measured(FRAME[FRAME["image"] == "image0"].query("metric == 'average_gain'"))
    text = cross(one.assign(column="here"), ["network", "title"], "column", decimals=2)
    assert "[" not in text.loc[("tf_efficientnet_lite0", "Grad-CAM"), "here"]


def test_a_change_is_told_with_its_interval():
    shaken = FRAME.assign(value=FRAME["value"] + 1e-5 * np.arange(len(FRAME)) % 3e-5)
    text = changed(shaken, "tf_efficientnet_lite0", "average_drop", "grad_cam", "opti_cam")
    assert text == "13.0 → 0.4 [−12.6, −12.6]"
    assert changed(FRAME, "tf_efficientnet_lite0", "average_drop", "cam", "opti_cam") == ""


def test_only_networks_on_the_same_sort_of_data_where_it_is_asked():
    frame = pd.DataFrame([
        {"network": "tf_efficientnet_lite0", "dataset": "imagenet_embedded", "image": str(i), "group": str(i),
         "method": "cam", "metric": "max_box_acc_v2", "value": i % 2} for i in range(24)
    ])  # fmt: skip
    every, same = (comparison("calm", "B", frame, same_data=s).frame for s in (False, True))
    [paper] = same.query("method == 'cam' and metric == 'max_box_acc_v2'")["paper"]
    assert list(paper) == [f"{net} ImageNet localisation" for net in ("VGG", "Inception", "ResNet")]
    [paper] = every.query("method == 'cam' and metric == 'max_box_acc_v2'")["paper"]
    assert len(paper) == 6


def test_a_table_as_numbers_has_a_column_for_each_network_of_the_paper():
    table = report.plain(comparison("opticam", 1, FRAME).frame)
    row = table[(table["method"] == "grad_cam") & (table["metric"] == "average_drop")].iloc[0]
    assert (row["paper, ResNet50"], row["paper, VGG16"], row["unit"]) == ("12.2", "14.2", "%")
    assert row["low"] <= row["mean"] <= row["high"] and row["n"] == 20
    ours = report.plain(report.measured(FRAME))
    assert not [name for name in ours if name.startswith("paper")] and "verdict" not in ours
