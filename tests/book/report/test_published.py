import pandas as pd
import pytest

from book.report import published
from book.report.labels import metric_label
from book.report.published import (
    NETWORKS,
    architectures,
    concerns,
    counterparts,
    kind,
    printed_range,
)
from lib.errors import UnknownName

# Rows read once more from the papers, one per table and network.
ROWS = {
    ("opticam", 1, "ResNet50", "score_cam"): "8.6 26.6 56.7 15.22",
    ("opticam", 1, "VGG16", "gradient_shap"): "94.0 0.1 2.9 0.60",
    ("opticam", 2, "ViT-B", "hires_cam"): "98.4 0.0 0.7 0.03",
    ("opticam", 2, "DeiT-B", "opti_cam"): "0.9 26.0 83.5 15.17",
    ("opticam", 3, "ResNet50", "extremal_perturbation"): "70.7 15.0",
    ("opticam", 3, "VGG16", "layer_cam"): "58.3 6.4",
    ("opticam", 3, "ViT-B", "tibav"): "66.1 14.1",
    ("opticam", 3, "DeiT-B", "rollout"): "56.7 32.8",
    ("opticam", 4, "ResNet50", "layer_cam"): "13.0 1.22 61.1",
    ("opticam", 4, "VGG16", "opti_cam"): "8.9 1.06 70.0",
    ("opticam", 5, "VGG16", "box"): "67.2 2.3 9.2",
    ("opticam", 5, "VGG16", "xgrad_cam"): "14.3 15.1 42.1",
    ("opticam", 5, "VGG16", "opti_cam_in_box"): "62.5 8.7 18.6",
    ("opticam", 5, "VGG16", "score_cam_outside_box"): "50.5 6.3 20.8",
    ("opticam", 6, "VGG16", "score_cam"): "12.5 16.1 42.6",
    ("opticam", 6, "VGG16", "opti_cam_mask_max"): "1.6 66.2 90.3",
    ("opticam", 6, "VGG16", "opti_cam_diff_sigmoid"): "6.5 10.0 45.3",
    ("opticam", "A7", "ResNet50", "extremal_perturbation"): "73.6 66.6 37.5 44.2 64.8 38.2 1.59",
    ("opticam", "A7", "VGG16", "ablation_cam"): "71.3 62.6 43.2 56.2 65.7 32.7 1.39",
    ("opticam", "A8", "ViT-B", "raw_attention"): "72.4 64.8 18.5 50.4 55.4 31.6 1.68",
    ("opticam", "A8", "DeiT-B", "opti_cam"): "62.3 55.1 53.9 48.0 55.1 28.8 0.84",
    ("opticam", "A9", "ResNet50", "grad_cam_plus_plus_most"): "15.81 15.2 38.8",
    ("opticam", "A9", "ResNet50", "grad_cam_second"): "96.26 0.0 2.2",
    ("opticam", "A9", "ResNet50", "opti_cam_most_misclassified"): "64.45 2.2 16.2",
    ("opticam", "A10", "ResNet50 Chest X-ray", "layer_cam"): "24.5 23.4 39.1",
    ("opticam", "A10", "VGG16 Kvasir", "opti_cam"): "0.0 93.5 98.1",
    ("opticam", "A11", "VGG16 Chest X-ray", "ablation_cam"): "92.0 73.1",
    ("opticam", "A11", "ResNet50 Kvasir", "score_cam"): "80.6 33.4",
    ("opticam", "A12", "VGG16", "fake_cam"): "0.5 0.7 42.1",
    ("opticam", "A12", "VGG16", "opti_cam_iodiff"): "25.9 7.6 42.6",
    ("opticam", "A13", "VGG16", "opti_cam_layer_26"): "1.7 80.1 93.7",
    ("opticam", "A13", "VGG16", "opti_cam_layer_9"): "4.3 44.2 71.9",
    ("opticam", "A14", "ResNet50", "extremal_perturbation"): "51.2 6.9 26.1 15.67",
    ("opticam", "A14", "VGG16", "opti_cam"): "1.5 52.7 92.1 3.95",
    ("liftcam", 1, "VGG16 ImageNet", "shap_cam_10"): "26.2 27.54 32.99",
    ("liftcam", 1, "VGG16 COCO", "shap_cam_100"): "41.4 18.27 27.65",
    ("liftcam", 2, "VGG16 COCO", "xgrad_cam"): "0.350",
    ("liftcam", 3, "VGG16 ImageNet", "lift_cam"): "25.2 29.15 32.95",
    ("liftcam", 3, "VGG16 VOC", "score_cam"): "29.4 17.49 14.12",
    ("liftcam", 3, "VGG16 COCO", "ablation_cam"): "35.0 23.99 26.75",
    ("liftcam", 4, "VGG16 ImageNet", "grad_cam_plus_plus"): "0.4350 0.0969",
    ("liftcam", 5, "VGG16 ImageNet", "score_cam"): "51.14",
    ("liftcam", 6, "VQA", "lift_cam"): "43.39 14.14 9.58",
    ("contrast", 2, "AlexNet CUB-200", "grad_cam_t1"): "0.698 0.762 0.415 0.727 0.426 0.758 0.420",
    ("contrast", 2, "AlexNet FGVC", "grad_cam_weighted_t2"): "0.815 0.157 0.733 0.264 0.785 0.213",
    ("contrast", 2, "AlexNet Food-101", "grad_cam_t2"): "0.292 0.628 0.377 0.637 0.408 0.646 0.394",
    ("contrast", 2, "AlexNet Flower-102", "linear_approximation_weighted_t1"):
        "0.819 0.234 0.737 0.296 0.760 0.264",
    ("contrast", 2, "AlexNet Stanford Cars", "linear_approximation_t2"):
        "0.302 0.647 0.412 0.656 0.419 0.662 0.421",
    ("contrast", 3, "VGG16 CUB-200", "linear_approximation_weighted_t2"):
        "0.728 0.187 0.706 0.221 0.723 0.200",
    ("contrast", 3, "VGG16 FGVC", "grad_cam_weighted_t1"): "0.854 0.204 0.801 0.262 0.821 0.238",
    ("contrast", 3, "VGG16 Food-101", "linear_approximation_t2"):
        "0.286 0.699 0.280 0.80 0.317 0.688 0.308",
    ("contrast", 3, "VGG16 Flower-102", "linear_approximation_t1"):
        "0.715 0.756 0.367 0.655 0.353 0.647 0.371",
    ("contrast", 3, "VGG16 Stanford Cars", "grad_cam_t1"):
        "0.721 0.73 0.424 0.775 0.423 0.773 0.422",
    ("calm", "B", "ResNet CUB localisation", "calm_em_superset"): "71.0",
    ("calm", "B", "Inception OpenImages localisation", "cutmix"): "62.6",
    ("calm", "B", "VGG ImageNet localisation", "adl"): "59.9",
    ("calm", "B means", "Mean CUB", "inca"): "63.4",
}  # fmt: skip
SIZES = {
    "opticam": {
        "1": 12 * 8,
        "2": 14 * 8,
        "3": 14 * 8 - 16,
        "4": 8 * 6,
        "5": 9 * 9 + 2 * 3,
        "6": 8 * 3 + 6 * 3,
        "A7": 2 * 9 * 7,
        "A8": 2 * 11 * 7,
        "A9": 4 * 15,
        "A10": 2 * 9 * 6,
        "A11": 6 * 8,
        "A12": 8 * 3 + 4 * 3,
        "A13": 11 * 3,
        "A14": 9 * 8,
    },
    "liftcam": {"1": 3 * 9, "2": 6 * 3, "3": 6 * 9, "4": 6 * 2, "5": 6, "6": 2 * 3},
    "contrast": {"2": 5 * 4 * 13, "3": 5 * 4 * 13},
    "calm": {"B": 10 * 9 - 3, "B means": 10 * 4 - 2},
}
PLACES = {"opticam": "section [45]", "liftcam": "section [45]", "contrast": "appendix [FG]",
          "calm": "appendix G"}  # fmt: skip


@pytest.mark.parametrize(("cell", "printed"), ROWS.items())
def test_rows_as_printed(cell, printed):
    paper, table, network, method = cell
    cells = published(paper, table).query("network == @network and method == @method")
    assert " ".join(cells["printed"]) == printed


@pytest.mark.parametrize(("paper", "sizes"), SIZES.items())
def test_complete(paper, sizes):
    assert {table: len(published(paper, table)) for table in sizes} == sizes
    assert len(published(paper)) == sum(sizes.values())


@pytest.mark.parametrize("paper", SIZES)
def test_each_cell_once_and_well_formed(paper):
    cells = published(paper)
    assert not cells.duplicated(["table", "network", "method", "metric"]).any()
    assert cells["value"].tolist() == [float(text) for text in cells["printed"]]
    assert set(cells["network"]) <= set(NETWORKS)
    assert [metric_label(name).unit for name in cells["metric"]] == cells["unit"].tolist()
    for table, places in cells.groupby("table")["place"]:
        part = "appendix [B-H]" if table.startswith("A") else PLACES[paper]
        assert places.nunique() == 1 and places.str.match(rf"Table {table}, {part}").all()


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


def test_gains_and_drops_are_within_the_images_that_increase_and_those_that_do_not():
    cells = published("opticam").set_index(["table", "network", "method", "metric"])["value"]
    wide = cells.unstack("metric").dropna(subset="average_increase")
    gain = wide["average_gain"] > wide["average_increase"]
    assert list(wide.index[gain]) == [("2", "ViT-B", "grad_cam_plus_plus")]  # so it is printed
    assert (wide["average_drop"] <= 100 - wide["average_increase"]).all()


@pytest.mark.parametrize(
    ("tables", "network", "differing"),
    [
        (["1", "A9"], "ResNet50", set()),
        (["6", "A12"], "VGG16", set()),
        (["5", "6"], "VGG16", {"fake_cam", "score_cam"}),  # AI 42.0 and 42.1, 42.5 and 42.6
    ],
)
def test_what_is_printed_twice(tables, network, differing):
    cells = published("opticam").query("network == @network and table in @tables")
    twice = cells.pivot(index=["method", "metric"], columns="table", values="printed").dropna()
    apart = twice[twice[tables[0]] != twice[tables[1]]]
    assert len(twice) >= 12 and set(apart.index) == {
        (name, "average_increase") for name in differing
    }


def test_the_probabilities_of_two_classes_sum_to_one_but_for_one_printed_pair():
    p = published("contrast").query("metric == 'relative_probability'")
    of = p["method"].str.replace("_t[12]$", "", regex=True)
    sums = p.groupby(["table", "network", of])["value"].sum().round(3)
    assert len(sums) == 20
    assert sums[sums != 1].to_dict() == {("2", "AlexNet Food-101", "grad_cam"): 0.999}


# In thousandths, summed down the page: p_t, then original and weighted for each column.
COLUMN_SUMS = {
    2: [9999, 14080, 15808, 7896, 4297, 13373, 14491, 8436, 5658, 13775, 15208, 8203, 4970],
    3: [10000, 13478, 16383, 7612, 3681, 13311, 15777, 7978, 4302, 13228, 15974, 7851, 4087],
}


@pytest.mark.parametrize(("table", "sums"), COLUMN_SUMS.items())
def test_sums_of_columns(table, sums):
    cells = published("contrast", table)
    weighted = cells["method"].str.contains("weighted")
    columns = cells.groupby(["metric", weighted])["value"].sum()
    printed = [(metric, of) for metric in cells["metric"].unique() for of in (False, True)]
    assert [round(1000 * columns[key]) for key in printed if key in columns] == sums


def test_the_means_of_table_b_are_those_of_its_columns_but_for_one():
    cells, means = published("calm", "B"), published("calm", "B means")
    data = cells["network"].str.split(" ").str[1]
    found = cells.groupby(["method", "Mean " + data])["value"].mean()
    whole = found.groupby("method").mean()[lambda m: m.index != "inca"]
    whole.index = pd.MultiIndex.from_product([whole.index, ["Mean"]])
    printed = means.set_index(["method", "network"])["value"]
    off = (pd.concat([found, whole]).sort_index() - printed.sort_index()).abs()
    assert len(off) == 38 and off[off > 0.11].round(1).to_dict() == {("cam_superset", "Mean"): 1.2}


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
    assert counterparts("vit_tiny_patch16_224", printed, "transformer") == ["ViT-B", "DeiT-B"]
    assert counterparts("mobilevit_s", printed) == ["ResNet50", "VGG16"]  # whatever its name says
    assert counterparts("deit_base_patch16_224", printed) == ["DeiT-B"]
    assert counterparts("vit_tiny_patch16_224", ["ResNet50"], "transformer") == []
    assert kind("DeiT-B") == kind("mnist_deit") == kind("mine", "transformer") == "transformer"
    assert concerns("CNN", "torchvision:resnet50") and not concerns("CNN", "ViT-B")
    assert concerns("ResNet50", "torchvision:resnet50")
    assert not concerns("ResNet50", "tf_efficientnet_lite0")


def test_networks_that_answer_questions_compare_with_each_other_alone():
    printed = list(published("liftcam")["network"].unique())
    for network in ("scenes_vqa, larger", "scenes_vqa"):
        assert counterparts(network, printed) == ["VQA"]
        assert concerns("VQA", network) and not concerns("CNN", network)
    for network in ("tf_efficientnet_lite0, before its last convolution", "scenes_vgg"):
        assert counterparts(network, printed) == printed[:3]
        assert concerns("CNN", network) and not concerns("VQA", network)


def test_the_same_network_on_another_dataset_is_another_column():
    printed = ["VGG16 ImageNet", "VGG16 VOC", "VGG16 COCO"]
    assert counterparts("torchvision:vgg16", printed) == printed[:1]
    assert counterparts("torchvision:vgg16, coco", printed) == printed[2:]


def test_networks_on_medical_data_compare_with_their_own_architecture_on_such_data():
    printed = [
        f"{name} {data}" for data in ("Chest X-ray", "Kvasir") for name in ("ResNet50", "VGG16")
    ]
    expected = dict(zip(("radiographs_resnet", "radiographs_vgg", "endoscopy_resnet"), printed))
    expected |= {"endoscopy_vgg_quick": printed[3], "kvasir_resnet50": printed[2]}
    for network, only in expected.items():
        assert counterparts(network, printed) == [only]
        assert concerns(only.split(" ", 1)[1], network) and not concerns("CNN", network)
    assert (
        counterparts("scenes_vgg", printed) == counterparts("torchvision:vgg16_bn", printed) == []
    )
    assert concerns(printed[3], "endoscopy_vgg") and not concerns(printed[3], "endoscopy_resnet")
    assert concerns("VGG16 Kvasir", "kvasir_vgg16_bn")


def test_networks_trained_on_fine_grained_data_compare_with_their_own_where_it_is_printed():
    alexnets, vggs = (list(published("contrast", table)["network"].unique()) for table in (2, 3))
    assert counterparts("birds_alexnet", alexnets) == ["AlexNet CUB-200"]
    assert counterparts("birds_vgg_quick", vggs) == ["VGG16 CUB-200"]
    assert counterparts("stanford_cars_vgg16", vggs) == ["VGG16 Stanford Cars"]
    for network, printed in [
        ("birds_vgg", alexnets), ("birds_alexnet", vggs), ("tf_efficientnet_lite0", alexnets)
    ]:  # fmt: skip
        assert counterparts(network, printed) == printed
        assert concerns("CNN", network)


def test_the_architecture_is_what_the_frame_says():
    frame = pd.DataFrame({"network": ["a", "b", "b"], "architecture": ["transformer", None, None]})
    assert architectures(frame) == {"a": "transformer", "b": "CNN"}
    assert architectures(frame[["network"]]) == {"a": "CNN", "b": "CNN"}
    derived = pd.concat([frame, frame[["network"]]])  # rows that a page adds say nothing
    assert architectures(derived) == {"a": "transformer", "b": "CNN"}
