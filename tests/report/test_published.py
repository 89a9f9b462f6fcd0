import pytest

from lib.errors import UnknownName
from lib.report import published
from lib.report.labels import metric_label
from lib.report.published import NETWORKS, concerns, counterparts, kind, printed_range

# Rows read once more from the papers, one a table and network.
ROWS = {
    ("opticam", 1, "ResNet50", "score_cam"): "8.6 26.6 56.7 15.22",
    ("opticam", 1, "VGG16", "gradient_shap"): "94.0 0.1 2.9 0.60",
    ("opticam", 2, "ViT-B", "hires_cam"): "98.4 0.0 0.7 0.03",
    ("opticam", 2, "DeiT-B", "opti_cam"): "0.9 26.0 83.5 15.17",
    ("opticam", 3, "ResNet50", "extremal_perturbation"): "70.7 15.0",
    ("opticam", 3, "VGG16", "layer_cam"): "58.3 6.4",
    ("opticam", 3, "ViT-B", "tibav"): "66.1 14.1",
    ("opticam", 3, "DeiT-B", "rollout"): "56.7 32.8",
    ("liftcam", 1, "VGG16 ImageNet", "shap_cam_10"): "26.2 27.54 32.99",
    ("liftcam", 1, "VGG16 COCO", "shap_cam_100"): "41.4 18.27 27.65",
    ("liftcam", 2, "VGG16 COCO", "xgrad_cam"): "0.350",
    ("liftcam", 3, "VGG16 ImageNet", "lift_cam"): "25.2 29.15 32.95",
    ("liftcam", 3, "VGG16 VOC", "score_cam"): "29.4 17.49 14.12",
    ("liftcam", 3, "VGG16 COCO", "ablation_cam"): "35.0 23.99 26.75",
    ("liftcam", 4, "VGG16 ImageNet", "grad_cam_plus_plus"): "0.4350 0.0969",
    ("liftcam", 5, "VGG16 ImageNet", "score_cam"): "51.14",
    ("liftcam", 6, "VQA", "lift_cam"): "43.39 14.14 9.58",
}
SIZES = {
    "opticam": [12 * 8, 14 * 8, 14 * 8 - 16],
    "liftcam": [3 * 9, 6 * 3, 6 * 9, 6 * 2, 6, 2 * 3],
}


@pytest.mark.parametrize(("cell", "printed"), ROWS.items())
def test_rows_as_printed(cell, printed):
    paper, table, network, method = cell
    cells = published(paper, table).query("network == @network and method == @method")
    assert " ".join(cells["printed"]) == printed


@pytest.mark.parametrize(("paper", "sizes"), SIZES.items())
def test_complete(paper, sizes):
    assert [len(published(paper, 1 + i)) for i in range(len(sizes))] == sizes
    assert len(published(paper)) == sum(sizes)


@pytest.mark.parametrize("paper", SIZES)
def test_each_cell_once_and_well_formed(paper):
    cells = published(paper)
    assert not cells.duplicated(["table", "network", "method", "metric"]).any()
    assert cells["value"].tolist() == [float(text) for text in cells["printed"]]
    assert set(cells["network"]) <= set(NETWORKS)
    assert [metric_label(name).unit for name in cells["metric"]] == cells["unit"].tolist()
    places = "Table " + cells["table"] + ", section "
    assert all(map(str.startswith, cells["place"], places))


def test_the_best_values_are_those_that_the_paper_claims():
    cells = published("opticam", 1).query("method != 'fake_cam'")
    for network in ("ResNet50", "VGG16"):
        here = cells[cells["network"] == network].set_index("method")
        assert here[here["metric"] == "average_drop"]["value"].idxmin() == "opti_cam"
        assert here[here["metric"] == "average_gain"]["value"].idxmax() == "opti_cam"


def test_the_best_values_are_those_that_the_paper_prints_in_bold():
    best = {}
    for (table, network, metric), column in published("liftcam").groupby(
        ["table", "network", "metric"]
    ):
        values = column.set_index("method")["value"]
        higher = metric_label(metric).higher_is_better
        best[table, network, metric] = values.idxmax() if higher else values.idxmin()
    assert best.pop(("3", "VGG16 COCO", "average_drop_in_deletion")) == "ablation_cam"
    assert all(
        name == ("shap_cam_100" if key[0] == "1" else "lift_cam") for key, name in best.items()
    )


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


def test_networks_that_answer_questions_compare_with_each_other_alone():
    printed = list(published("liftcam")["network"].unique())
    for network in ("VQA on drawn scenes", "scenes_vqa"):
        assert counterparts(network, printed) == ["VQA"]
        assert concerns("VQA", network) and not concerns("CNN", network)
    for network in ("tf_efficientnet_lite0, before its last convolution", "scenes_vgg"):
        assert counterparts(network, printed) == printed[:3]
        assert concerns("CNN", network) and not concerns("VQA", network)


def test_the_same_network_on_another_dataset_is_another_column():
    printed = ["VGG16 ImageNet", "VGG16 VOC", "VGG16 COCO"]
    assert counterparts("torchvision:vgg16", printed) == printed[:1]
    assert counterparts("torchvision:vgg16, coco", printed) == printed[2:]
