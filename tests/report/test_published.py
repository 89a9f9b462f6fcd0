import pytest

from lib.errors import UnknownName
from lib.report import published
from lib.report.labels import metric_label
from lib.report.published import NETWORKS, concerns, counterparts, kind, printed_range

# Rows read once more from the paper, one a table and network.
ROWS = {
    ("1", "ResNet50", "score_cam"): "8.6 26.6 56.7 15.22",
    ("1", "VGG16", "gradient_shap"): "94.0 0.1 2.9 0.60",
    ("2", "ViT-B", "hires_cam"): "98.4 0.0 0.7 0.03",
    ("2", "DeiT-B", "opti_cam"): "0.9 26.0 83.5 15.17",
    ("3", "ResNet50", "extremal_perturbation"): "70.7 15.0",
    ("3", "VGG16", "layer_cam"): "58.3 6.4",
    ("3", "ViT-B", "tibav"): "66.1 14.1",
    ("3", "DeiT-B", "rollout"): "56.7 32.8",
}


@pytest.mark.parametrize(("cell", "printed"), ROWS.items())
def test_rows_as_printed(cell, printed):
    table, network, method = cell
    cells = published("opticam", table).query("network == @network and method == @method")
    assert " ".join(cells["printed"]) == printed


@pytest.mark.parametrize(("table", "cells"), [(1, 12 * 8), (2, 14 * 8), (3, 14 * 8 - 16)])
def test_complete(table, cells):
    assert len(published("opticam", table)) == cells
    assert len(published("opticam")) == 96 + 112 + 96


def test_each_cell_once_and_well_formed():
    cells = published("opticam")
    assert not cells.duplicated(["table", "network", "method", "metric"]).any()
    assert cells["value"].tolist() == [float(text) for text in cells["printed"]]
    assert set(cells["network"]) <= set(NETWORKS)
    assert {metric_label(name).unit for name in cells["metric"]} == {"%", "s"}


def test_the_best_values_are_those_that_the_paper_claims():
    cells = published("opticam", 1).query("method != 'fake_cam'")
    for network in ("ResNet50", "VGG16"):
        here = cells[cells["network"] == network].set_index("method")
        assert here[here["metric"] == "average_drop"]["value"].idxmin() == "opti_cam"
        assert here[here["metric"] == "average_gain"]["value"].idxmax() == "opti_cam"


def test_unknown_names():
    with pytest.raises(UnknownName, match="opticam"):
        published("optcam")
    with pytest.raises(UnknownName, match="valid: 1, 2, 3"):
        published("opticam", 9)


def test_a_copy_is_handed_out():
    cells = published("opticam")
    cells.loc[0, "value"] = -1
    assert published("opticam").loc[0, "value"] == 0.8


def test_range_is_widened_by_half_a_unit_of_the_last_digit():
    assert printed_range(["12.2", "14.2"]) == (12.15, 14.25)
    assert printed_range(["0.30", "0.4"]) == (0.295, 0.45)
    assert printed_range(["7"]) == (6.5, 7.5)


def test_what_compares_with_what():
    printed = ["ResNet50", "VGG16", "ViT-B", "DeiT-B"]
    assert counterparts("tf_efficientnet_lite0", printed) == ["ResNet50", "VGG16"]
    assert counterparts("torchvision:vgg16_bn", printed) == ["VGG16"]
    assert counterparts("vit_tiny_patch16_224", printed) == ["ViT-B", "DeiT-B"]
    assert counterparts("deit_base_patch16_224", printed) == ["DeiT-B"]
    assert counterparts("vit_tiny_patch16_224", ["ResNet50"]) == []
    assert kind("DeiT-B") == kind("deit_tiny_patch16_224") == "transformer"
    assert concerns("CNN", "torchvision:resnet50") and not concerns("CNN", "ViT-B")
    assert concerns("ResNet50", "torchvision:resnet50")
    assert not concerns("ResNet50", "tf_efficientnet_lite0")
