"""The page that says how to get, run and cite the book, done word for word with a ResNet-50 on tiny images."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet50

from lib import data, manifests
from lib.paths import ROOT

PAGE = (ROOT / "book/get.md").read_text("utf-8")
SIZE = 64  # pixels: a ResNet-50 ends in a grid of 2 x 2


def blocks(heading: str, language: str) -> list[str]:
    """The code under a heading, in order."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)


def execute(command: list[str], folder: Path, fails: bool = False) -> str:
    environment = os.environ | {
        "PWD": str(folder),
        "CAMS_BUILD": str(folder / "build"),
        "PYTHONPATH": str(ROOT),
    }
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert fails or run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr * fails


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A user's folder, with photographs, weights, and the network of the page at a small size."""
    folder = tmp_path_factory.mktemp("home")
    for record, name in zip(data.load("imagenet_embedded", limit=2).records, ("cat", "dog")):
        (folder / "pictures" / name).mkdir(parents=True)
        shutil.copy(record.path, folder / "pictures" / name)
    [code] = blocks("Your ResNet-50, your images", "python")
    assert '"input_size": 224' in code
    (folder / "resnet.py").write_text(code.replace('"input_size": 224', f'"input_size": {SIZE}'))
    torch.manual_seed(0)
    torch.save(resnet50(num_classes=2).state_dict(), folder / "resnet50.pth")
    return folder


def test_a_resnet_50_of_ones_own_becomes_a_page(home):
    command = blocks("Your ResNet-50, your images", "bash")[0].replace(
        "\\\n", ""
    )  # as a shell joins lines
    program, *arguments = shlex.split(command)
    assert program == "python"
    execute([sys.executable, *arguments], home)
    [path] = re.findall(r"The page is `(.+?)`", PAGE)
    text = re.sub("<.*?>", "", (home / path).read_text("utf-8"))
    assert "resnet:build, target layer" in text and "on 2 images of folder" in text


def test_the_commands_on_data(monkeypatch, tmp_path):
    monkeypatch.setenv("CAMS_DATA", str(tmp_path))
    listed, where = blocks("Data and weights", "bash")[0].splitlines()
    assert "imagenet" in execute([sys.executable, *shlex.split(listed, comments=True)[1:]], ROOT)
    told = execute([sys.executable, *shlex.split(where, comments=True)[1:]], ROOT, fails=True)
    assert "imagenet" in told  # where to get it
    fetch, verify = blocks("Data and weights", "bash")[1].splitlines()
    *_, name = shlex.split(fetch, comments=True)
    assert f"python -m lib data fetch {name}" in manifests.how(manifests.entry(name))
    lines = execute([sys.executable, *shlex.split(verify, comments=True)[1:]], ROOT)
    assert "imagenet_embedded: 120 samples" in lines


def test_the_library_alone(home):
    [code] = blocks("The library alone", "python")
    code = code.replace('"score_cam"', '"grad_cam"')  # the same, but for a second
    assert "tensor(" in execute([sys.executable, "-c", code], home)
