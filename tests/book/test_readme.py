"""The README's commands for your own images and networks, run word for word."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib import data
from lib.paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def blocks(heading: str, language: str) -> list[str]:
    """The code under a heading, in order."""
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A user's folder, with photographs in class folders and the network of the README."""
    folder = tmp_path_factory.mktemp("home")
    records = data.load("imagenet_embedded", limit=4).records
    for record, name in zip(records, ("cat", "dog", "cat", "dog")):
        (folder / "pictures" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(record.path, folder / "pictures" / name)
    shutil.copy(records[0].path, folder / "dog.jpg")
    (folder / "mine.py").write_text(blocks("Your network, your images", "python")[0])
    return folder


def execute(command: list[str], folder: Path) -> str:
    """Run a command of the README in a folder, with a separate folder of results."""
    environment = os.environ | {"PWD": str(folder), "CAMS_BUILD": str(folder / "build")}
    environment["PYTHONPATH"] = str(ROOT)
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_a_network_of_ones_own_becomes_a_page(home):
    install, own = blocks("Your network, your images", "bash")
    assert install.splitlines()[0] == "make env && . .venv/bin/activate"
    program, *arguments = shlex.split(own)
    assert program == "python"
    execute([sys.executable, *arguments], home)
    page = home / "mine/html/notebooks/opticam/01_classification_metrics.html"
    text = re.sub("<.*?>", "", page.read_text("utf-8"))
    assert "mine:build, target layer" in text and "on 4 images of folder" in text
    told = text.partition("What runs here")[2].partition("Departures")[0]
    assert "photographs" not in told.replace("(photographs)", "")  # what verdicts rest on


def test_photographs_alone_bring_a_network_of_their_classes(home):
    command = blocks("Your network, your images", "bash")[0].splitlines()[1]
    flat = home / "flat"
    (flat / "pictures").mkdir(parents=True)
    shutil.copy(home / "dog.jpg", flat / "pictures")
    execute([sys.executable, *shlex.split(command)[1:]], flat)
    text = (flat / "mine/html/notebooks/opticam/01_classification_metrics.html").read_text("utf-8")
    assert "tf_efficientnet_lite0" in text and "The images have no labels" in text


def test_the_maps_of_three_methods_become_a_picture(home):
    code = blocks("The library", "python")[1]
    execute([sys.executable, "-c", code], home)
    assert (home / "maps.png").stat().st_size > 10_000
