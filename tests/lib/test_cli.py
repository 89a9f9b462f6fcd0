"""The command line: help, data, evaluation, and errors as one line."""

import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from lib import nets
from lib.__main__ import _run, main
from lib.statistics import mean_ci

from ..testbeds import tiny

FEW = [
    "evaluate",
    "--limit",
    "2",
    "--method",
    "grad_cam",
    "--method",
    "fake_cam",
    "--metric",
    "average_drop",
]


def invoke(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["book"],
        ["data"],
        ["evaluate"],
        ["train"],
        ["survey"],
        *(["survey", name] for name in ("make", "score")),
        *(["data", name] for name in ("list", "where", "verify", "fetch")),
    ],
)
def test_every_command_explains_itself(command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0 and result.output.startswith("Usage:")


def test_data_list_names_everything_and_how_to_get_it():
    output = invoke("data", "list").output
    assert (
        "imagenet_embedded" in output
        and "tf_efficientnet_lite0" in output
        and "fetch torchvision:resnet50" in output
    )


def test_data_where_and_verify():
    assert invoke("data", "where", "tf_efficientnet_lite0").output.strip().endswith(".pth")
    assert "20 file(s) as published" in invoke("data", "verify", "imagenet_embedded").output


def test_evaluate_prints_the_means_of_the_table_it_writes_and_resumes_from_its_store(tmp_path):
    first, second = tmp_path / "first.parquet", tmp_path / "second.csv"
    printed = invoke(*FEW, "--store", tmp_path / "store", "--out", first).output
    frame = pd.read_parquet(first)
    assert len(frame) == 4 and set(frame["method"]) == {"grad_cam", "fake_cam"}
    mean = 100 * mean_ci(frame[frame["method"] == "grad_cam"]["value"]).mean
    assert f"Grad-CAM  {mean:.1f} [" in printed and "AD ↓" in printed
    assert invoke(*FEW, "--store", tmp_path / "store", "--out", second).output == printed
    # the seconds too: nothing was measured again
    assert second.read_text("utf-8") == frame.to_csv(index=False)


def test_train_trains_once_and_prints_the_accuracy(monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path)
    first, second = (invoke("train", "tiny") for _ in range(2))
    accuracy = nets.recipe("tiny").train().accuracy
    assert f"tiny: test accuracy {accuracy:.1%}, trained in" in first.stdout == second.stdout
    assert "training tiny" in first.stderr and not second.stderr


def test_an_image_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path):
    from PIL import Image

    (tmp_path / "a").mkdir()
    Image.new("RGB", (32, 32), "red").save(tmp_path / "a/fine.png")
    (tmp_path / "a/broken.png").write_bytes(b"not an image")
    output = invoke(*FEW, "--dataset", "folder", "--root", tmp_path).output
    assert "no value for" in output and "broken" in output and "Grad-CAM" in output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--method", "gradcam"], "unknown method 'gradcam' .did you mean 'grad_cam'"),
        (["--metric", "drop"], "unknown metric 'drop'"),
        (["--network", "resnet5000"], "unknown network 'resnet5000'"),
        (["--dataset", "imagnet"], "unknown dataset 'imagnet' .did you mean 'imagenet'"),
        (["--out", "table.xlsx"], r"table.xlsx: its name ends in .csv or .parquet"),
    ],
)
def test_wrong_input_is_an_error_that_names_it(arguments, message):
    with pytest.raises(ValueError, match=message):
        invoke("evaluate", "--limit", "1", *arguments)


def test_an_unknown_profile_lists_the_valid_ones():
    result = invoke("book", "--profile", "full")
    assert result.exit_code == 2 and "'smoke', 'embedded', 'paper'" in result.output


def test_an_error_is_one_line_and_a_status(monkeypatch):
    """Python prints the text of a SystemExit, and ends with status 1."""
    monkeypatch.setattr(sys, "argv", ["lib", "data", "where", "nothing"])
    with pytest.raises(SystemExit, match="^error: unknown dataset or weights 'nothing'") as end:
        _run()
    assert isinstance(end.value.code, str) and "\n" not in end.value.code


def test_what_an_installation_lacks_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "book.commands", None)
    monkeypatch.setattr(sys, "argv", ["lib", "book"])
    with pytest.raises(SystemExit, match="^error: .*book.commands.*install the extra `book`"):
        _run()
