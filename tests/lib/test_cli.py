"""The command line: help, data, evaluation, and errors as one line."""

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import requests
import torch
from click.testing import CliRunner
from PIL import Image

from lib import manifests, nets
from lib.__main__ import _run, main
from lib.data import load
from lib.paths import ROOT
from lib.saliency import explain
from lib.statistics import mean_ci
from lib.verification import Line

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
        ["explain"],
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
        "imagenet_embedded        embedded   photographs\n" in output
        and "tf_efficientnet_lite0    embedded\n" in output
        and "fetch torchvision:resnet50" in output
    )
    assert "      /" in output and "\n/" not in output, "every path is indented"


def test_data_where_and_verify():
    assert invoke("data", "where", "tf_efficientnet_lite0").output.strip().endswith(".pth")
    first, second = invoke("data", "where", "imagenet_embedded").output.split()
    output = invoke("data", "verify", "imagenet_embedded").output
    assert f"{first}: 20 file(s) as published\n{second}: 100 file(s) as published\n" in output
    assert "Nine labels are doubtful: imagenet_12_741" in output


def test_evaluate_prints_the_means_of_the_table_it_writes_and_resumes_from_its_store(tmp_path):
    first, second = tmp_path / "first.parquet", tmp_path / "second.csv"
    printed = invoke(*FEW, "--store", tmp_path / "store", "--out", first).output
    frame = pd.read_parquet(first)
    assert len(frame) == 4 and set(frame["method"]) == {"grad_cam", "fake_cam"}
    mean = 100 * mean_ci(frame[frame["method"] == "grad_cam"]["value"]).mean
    assert f"Grad-CAM  {mean:.1f} [" in printed and "AD ↓" in printed
    assert invoke(*FEW, "--store", tmp_path / "store", "--out", second).output == printed
    # the seconds are equal too, so nothing was measured again
    assert second.read_text("utf-8") == frame.to_csv(index=False)


def test_train_trains_once_and_prints_the_accuracy(monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path)
    first, second = (invoke("train", "tiny") for _ in range(2))
    accuracy = nets.recipe("tiny").train().accuracy
    assert f"tiny: test accuracy {accuracy:.1%}, trained in" in first.stdout == second.stdout
    assert "training tiny" in first.stderr and not second.stderr


def test_an_image_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path):
    from PIL import Image

    Image.new("RGB", (32, 32), "red").save(tmp_path / "fine.png")
    (tmp_path / "broken.png").write_bytes(b"not an image")
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
        (["--network", "nowhere_at_all:build"], "no module 'nowhere_at_all'"),
        (["--device", "quux", "--network", "resnet5000"], "there is no device 'quux' here"),
    ],
)
def test_wrong_input_is_an_error_that_names_it(arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        invoke("evaluate", "--limit", "1", *arguments)


def test_training_asks_for_the_device_first(monkeypatch):
    monkeypatch.setattr(nets, "recipe", lambda name: pytest.fail("trained first"))
    with pytest.raises(ValueError, match="there is no device 'quux' here"):
        invoke("train", "scenes_vgg", "--device", "quux")


def test_one_image_alone_is_explained(tmp_path):
    from PIL import Image

    Image.new("RGB", (32, 32), "red").save(tmp_path / "dog.png")
    out = tmp_path / "table.csv"
    invoke(*FEW, "--root", tmp_path / "dog.png", "--out", out)
    frame = pd.read_csv(out)
    assert set(frame["dataset"]) == {"folder"} and set(frame["image"]) == {"dog.png"}
    assert frame["value"].notna().all()


def test_paths_may_begin_at_home_and_what_was_used_is_printed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32), "red").save(tmp_path / "dog.png")
    printed = invoke(*FEW, "--root=~/dog.png", "--store=~/maps", "--out=~/table.csv").output
    assert (tmp_path / "maps").is_dir() and (tmp_path / "table.csv").is_file()
    assert (
        f"1 images in {tmp_path}/dog.png\n" in printed and f"results in {tmp_path}/maps" in printed
    )
    assert not (tmp_path / "~").exists()


def test_a_network_of_ones_own(tmp_path):
    (tmp_path / "of_mine.py").write_text(
        "import timm\ndef build():\n    return timm.create_model('test_resnet')\n"
    )
    out = tmp_path / "table.csv"
    invoke(*FEW, "--network", tmp_path / "of_mine.py:build", "--out", out)
    assert set(pd.read_csv(out)["network"]) == {"of_mine:build"}


def test_data_where_of_all_says_how_to_get_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("CAMS_DATA", str(tmp_path))
    (tmp_path / "datasets/coco").mkdir(parents=True)
    output = invoke("data", "where").output
    assert output == invoke("data", "where", "--all").output
    assert f"\ncoco: {tmp_path}/datasets/coco\n" in output
    assert "\nvoc: not here. Download it: python -m lib data fetch voc " in output
    assert "\nimagenet: not here. Register at https://image-net.org" in output
    assert len(output.splitlines()) == len(manifests.status())


def test_data_verify_of_all_ends_with_status_1_if_anything_is_wrong(monkeypatch):
    lines = [Line("sound"), Line("damaged", wrong=True), Line("sound too")]
    monkeypatch.setattr("lib.verification.all_verified", lambda: iter(lines))
    for arguments in ([], ["--all"]):
        result = invoke("data", "verify", *arguments)
        assert (result.exit_code, result.output) == (1, "sound\ndamaged\nsound too\n")
    del lines[1]
    assert invoke("data", "verify").exit_code == 0


def test_data_verify_of_one_names_what_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("CAMS_DATA", str(tmp_path))
    (tmp_path / "datasets/coco").mkdir(parents=True)
    result = invoke("data", "verify", "coco")
    assert result.exit_code == 1 and "\ncoco, split val: nothing at " in result.output
    assert "One sample per class" in result.output, "its note"


@pytest.mark.parametrize("command", ["where", "verify"])
def test_a_name_and_all_exclude_each_other(command):
    result = invoke("data", command, "mnist", "--all")
    assert result.exit_code == 2 and "either mnist or --all" in result.output


def test_data_fetch_takes_splits(monkeypatch):
    monkeypatch.setattr("lib.manifests.fetch", lambda name, splits: f"{name} {splits}")
    output = invoke("data", "fetch", "voc", "--split", "test", "--split", "train").output
    assert output == "voc ('test', 'train')\n"


def test_nothing_is_downloaded_but_by_fetch(monkeypatch, tmp_path):
    monkeypatch.setenv("CAMS_DATA", str(tmp_path))
    monkeypatch.setattr(requests, "get", lambda *args, **options: pytest.fail("downloaded"))
    monkeypatch.setattr("lib.data.load", lambda name, split=None: [0])
    for command in ("list", "where", "verify"):
        invoke("data", command)
    with pytest.raises(FileNotFoundError, match="data fetch torchvision:resnet50"):
        nets.load("torchvision:resnet50")
    with pytest.raises(FileNotFoundError, match="data fetch kvasir"):
        load("kvasir")
    assert not list(tmp_path.iterdir())


class Answer:
    status_code = 404


@pytest.mark.parametrize(
    "error, why",
    [(requests.ConnectionError("HTTPSConnectionPool(...)"), "there is no connection"),
     (requests.HTTPError("404 Client Error", response=Answer()), "it answers 404")],
)  # fmt: skip
def test_a_download_that_fails_is_one_sentence(monkeypatch, tmp_path, error, why):
    def get(*args, **options):
        raise error

    monkeypatch.setenv("CAMS_DATA", str(tmp_path))
    monkeypatch.setattr(requests, "get", get)
    with pytest.raises(OSError, match=f"^torchvision:resnet50 cannot .* from https:.*: {why}; try"):
        invoke("data", "fetch", "torchvision:resnet50")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("stored", [False, True])
def test_an_interruption_is_a_line_and_the_status_of_one(monkeypatch, tmp_path, stored):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("lib.evaluate.evaluate", interrupted)
    result = invoke(*FEW, *(["--store", tmp_path] if stored else []))
    assert result.exit_code == 130 and result.output.count("\n") == 1
    kept = f"kept in {tmp_path}, and the same command" if stored else "with --store FOLDER"
    assert result.output.startswith("interrupted; ") and kept in result.output


def test_any_command_may_be_interrupted(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("lib.manifests.status", interrupted)
    result = invoke("data", "list")
    assert result.exit_code == 130 and result.output == "interrupted\n"


SLOW = """
import time
import timm

def build():
    print("built", flush=True)
    time.sleep(60)
"""


def test_sigint_ends_a_process_without_traceback_or_leak(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "lib", "evaluate", "--network", f"{tmp_path}/slow.py:build"]
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen(command, **how, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        assert process.stdout.readline() == "built\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == ""
    assert err.startswith("interrupted; nothing was kept") and err.count("\n") == 1


def test_an_unknown_profile_lists_the_valid_ones():
    result = invoke("book", "--profile", "full")
    assert result.exit_code == 2 and "'smoke', 'embedded', 'paper'" in result.output


def test_an_error_is_one_line_and_a_status(monkeypatch):
    """On a SystemExit with a text, Python prints the text and exits with status 1."""
    monkeypatch.setattr(sys, "argv", ["lib", "data", "where", "nothing"])
    with pytest.raises(SystemExit, match="^error: unknown dataset or weights 'nothing'") as end:
        _run()
    assert isinstance(end.value.code, str) and "\n" not in end.value.code


def test_what_an_installation_lacks_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "book.commands", None)
    monkeypatch.setattr(sys, "argv", ["lib", "book"])
    with pytest.raises(SystemExit, match="^error: .*book.commands.*install the extra `book`"):
        _run()
    monkeypatch.setitem(sys.modules, "lib.metrics", None)
    monkeypatch.setattr(sys, "argv", ["lib", *FEW])
    with pytest.raises(SystemExit, match="^error: .*lib.metrics.*; install the package that has"):
        _run()


def test_too_little_memory_for_one_image_is_a_line(monkeypatch):
    def evaluate(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...")

    monkeypatch.setattr("lib.evaluate.evaluate", evaluate)
    monkeypatch.setattr(sys, "argv", ["lib", *FEW])
    with pytest.raises(SystemExit, match="^error: the device has not enough memory for one image"):
        _run()


def test_explain_writes_a_grey_picture_of_each_map(tmp_path):
    few = ["explain", "--limit", "2", "--method", "grad_cam", "--option", "contrast=weighted"]
    result = invoke(*few, "--signed", "--out", tmp_path / "maps")
    assert result.stdout == f"2 maps in {tmp_path / 'maps'}\n"
    net, images = nets.load("tf_efficientnet_lite0"), load("imagenet_embedded", limit=2)
    for sample in images:
        S = explain(
            "grad_cam", net, sample.image[None], sample.target, contrast="weighted", signed=True
        )
        with Image.open(tmp_path / "maps" / f"{sample.id}.png") as picture:
            grey = torch.from_numpy(np.array(picture)).double()
        assert grey.shape == (224, 224)
        assert (grey / 255 * 2 - 1 - S[0]).abs().max() < 0.01


@pytest.mark.parametrize(
    "option, message", [("contrast=heavy", "unknown contrast 'heavy'"), ("n=3", "unknown option")]
)
def test_explain_names_a_bad_option(option, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        invoke("explain", "--limit", "1", "--option", option, "--out", tmp_path)
