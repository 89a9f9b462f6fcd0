"""Fetching: resumed, verified, unpacked apart, and moved to its place when it is complete."""

import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import warnings
from zipfile import ZipFile

import pytest
from filelock import FileLock

from lib import manifests
from lib.errors import UnknownName
from lib.manifests import fetching, unpacking
from lib.manifests.download import CHUNK
from lib.manifests.finding import UNFINISHED
from lib.paths import ROOT

CONTENT = bytes(range(256)) * 2048
SHA256 = hashlib.sha256(CONTENT).hexdigest()

WEIGHTS = """\
network: net
source: {{url: '{address}/net.pth', file: net.pth}}
sha256: "{sha256}"
tensors: by name
input_size: 224
mean: [0.5, 0.5, 0.5]
std: [0.5, 0.5, 0.5]
licence: MIT
citation: someone
"""

DATASET = """\
name: photographs
title: Photographs
depicts: photographs
source: {{folder: photographs}}
size: 8
splits: [test, train]
downloads:
  - url: {address}/lists.zip
    md5: "{lists}"
    into: meta/data
  - url: {address}/version-2
    file: test.tar
    sha256: "{test}"
    splits: [test]
  - url: {address}/train.tar
    splits: [train]
  - url: {address}/labels.mat
obtain: Ask someone.
licence: MIT
citation: null
"""


def zipped(**files):
    stream = io.BytesIO()
    with ZipFile(stream, "w") as file:
        for name, content in files.items():
            file.writestr(f"{name}.txt", content)
    return stream.getvalue()


def tarred(**files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        for name, content in files.items():
            info = tarfile.TarInfo(f"images/{name}.jpg")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return stream.getvalue()


FILES = {
    "lists.zip": zipped(one="1", two="2"),
    "version-2": tarred(a=b"a" * CHUNK, b=b"b" * CHUNK),
    "train.tar": tarred(c=b"c", d=b"d"),
    "labels.mat": b"labels",
}
ALWAYS = {"meta/data/one.txt", "meta/data/two.txt", "labels.mat"}
TEST, TRAIN = {"images/a.jpg", "images/b.jpg"}, {"images/c.jpg", "images/d.jpg"}


def write_manifest(kind, name, text):
    (manifests.reading.MANIFESTS / kind / f"{name}.yaml").write_text(text)


@pytest.fixture
def weights(home, web):
    """Where the file of weights that the server has will lie."""
    web.files["net.pth"] = CONTENT
    write_manifest("weights", "net", WEIGHTS.format(address=web.address, sha256=SHA256[:8]))
    return home / "weights/net.pth"


@pytest.fixture
def dataset(home, web):
    """Where the dataset that the server has will lie."""
    web.files |= FILES
    test = hashlib.sha256(FILES["version-2"]).hexdigest()
    lists = hashlib.md5(FILES["lists.zip"]).hexdigest()
    text = DATASET.format(address=web.address, lists=lists, test=test)
    write_manifest("datasets", "photographs", text)
    return home / "datasets/photographs"


def files(folder):
    """The files of a folder, without the lists of checksums."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] != ".checksums"}


def asked(web):
    """The paths that were asked for since the last call."""
    paths = [path for path, _ in web.asked]
    web.asked.clear()
    return paths


# Weights


def test_a_cut_download_of_weights_goes_on(weights, web):
    web.cut = len(CONTENT) // 2
    with pytest.raises(OSError, match=r"net cannot .*/net.pth: the connection was cut; try again .*"
                       "same command goes on"):  # fmt: skip
        manifests.fetch("net")
    assert not weights.exists() and files(weights.parent) == {
        "net.pth.part",
        "net.pth.part.version",
    }
    web.cut = None
    assert manifests.fetch("net") == weights
    assert weights.read_bytes() == CONTENT and web.asked[-1][1].startswith("bytes=")
    assert files(weights.parent) == {"net.pth"}


def test_a_download_goes_on_after_its_verification_was_interrupted(weights, web, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetching, "wrong_checksum", interrupted)
        manifests.fetch("net")
    assert manifests.fetch("net") == weights
    assert web.asked[-1] == ("net.pth", f"bytes={len(CONTENT)}-"), (
        "only asked whether there is more"
    )


def test_a_wrong_checksum_names_the_file_and_the_remedy_and_leaves_nothing(weights, web):
    web.files["net.pth"] = CONTENT[::-1]
    got = hashlib.sha256(CONTENT[::-1]).hexdigest()
    with pytest.raises(ValueError, match=f"(?s)wrong checksum of {weights}.part: expected SHA-256 "
                       f"{SHA256[:8]}, got {got}.*removed. Try again"):  # fmt: skip
        manifests.fetch("net")
    assert files(weights.parent) == set()


def test_one_process_at_a_time_downloads_a_file(weights, web):
    with (
        FileLock(f"{weights}.lock"),
        pytest.raises(ValueError, match="another process is downloading net; wait"),
    ):
        manifests.fetch("net")
    assert web.asked == []


SCRIPT = """
import sys
from pathlib import Path
from lib.manifests import reading
reading.MANIFESTS = Path(sys.argv[1])
from lib.__main__ import main
main(["data", "fetch", "net"])
"""


def test_sigint_keeps_what_has_come(weights, web):
    web.hold = threading.Event()
    command = [sys.executable, "-c", SCRIPT, str(manifests.reading.MANIFESTS)]
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen(command, **how) as process:
        part = weights.with_name("net.pth.part")
        while not (part.exists() and part.stat().st_size >= CHUNK):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == ""
    assert err == "interrupted; what has come is kept, and the same command goes on from it\n"
    assert not weights.exists()
    had = part.stat().st_size
    web.hold.set()
    web.hold = None
    assert manifests.fetch("net").read_bytes() == CONTENT
    assert web.asked[-1] == ("net.pth", f"bytes={had}-") and had >= CHUNK


# Datasets


def test_a_dataset_is_unpacked_for_its_first_split(dataset, web):
    assert manifests.fetch("photographs") == dataset
    assert files(dataset) == ALWAYS | TEST
    assert (dataset / "images/b.jpg").read_bytes() == b"b" * CHUNK
    assert files(dataset.parent) == {f"photographs/{file}" for file in files(dataset)} | {
        f"photographs/.checksums/{name}.sha256" for name in ("lists.zip", "test.tar", "labels.mat")
    }


def test_a_dataset_is_downloaded_once(dataset, web):
    manifests.fetch("photographs")
    assert asked(web) == ["lists.zip", "version-2", "labels.mat"]
    manifests.fetch("photographs", ["test"])
    assert asked(web) == []


def test_what_has_changed_is_downloaded_again(dataset, web):
    manifests.fetch("photographs", ["test", "train"])
    (dataset / "images/a.jpg").write_bytes(b"another")
    (dataset / "images/c.jpg").unlink()
    (dataset / "images/mine.jpg").touch()
    asked(web)
    manifests.fetch("photographs")
    assert asked(web) == ["version-2", "train.tar"], "of every split that is here"
    assert files(dataset) == ALWAYS | TEST | TRAIN | {"images/mine.jpg"}
    assert (dataset / "images/a.jpg").read_bytes() == b"a" * CHUNK


def test_further_splits_are_added(dataset, web):
    manifests.fetch("photographs")
    asked(web)
    manifests.fetch("photographs", ["train"])
    assert asked(web) == ["train.tar"] and files(dataset) == ALWAYS | TEST | TRAIN


def test_several_splits_at_once(dataset):
    manifests.fetch("photographs", ["test", "train"])
    assert files(dataset) == ALWAYS | TEST | TRAIN


def test_an_unknown_split_lists_the_valid_ones(dataset, web, weights):
    with pytest.raises(UnknownName, match="split of photographs 'tets' .did you mean 'test'"):
        manifests.fetch("photographs", ["tets"])
    with pytest.raises(UnknownName, match="split of net 'test'; valid: none"):
        manifests.fetch("net", ["test"])
    assert web.asked == []


def test_a_cut_download_of_a_dataset_goes_on_with_the_same_archive(dataset, web):
    web.cut = CHUNK + CHUNK // 2  # the lists are shorter
    with pytest.raises(OSError, match="photographs cannot be downloaded from .*/version-2: .* cut"):
        manifests.fetch("photographs")
    assert not dataset.exists()
    with pytest.raises(FileNotFoundError, match="python -m lib data fetch photographs"):
        manifests.where("photographs")
    asked(web)
    web.cut = None
    manifests.fetch("photographs")
    assert web.asked[0] == ("version-2", f"bytes={CHUNK}-") and files(dataset) == ALWAYS | TEST


def test_a_wrong_archive_is_removed(dataset, web):
    web.files["version-2"] = FILES["train.tar"]
    with pytest.raises(ValueError, match="(?s)wrong checksum of .*test.tar.*version-2 is removed"):
        manifests.fetch("photographs")
    assert not dataset.exists()
    assert not [path for path in dataset.parent.rglob("*") if path.name.startswith("test.tar")]
    web.files["version-2"] = FILES["version-2"]
    asked(web)
    manifests.fetch("photographs")
    assert asked(web) == ["version-2", "labels.mat"], "what was intact is not downloaded again"


def test_an_archive_that_cannot_be_unpacked_is_removed(dataset, web):
    web.files["train.tar"] = b"<html>gone</html>"
    with pytest.raises(ValueError, match="photographs: train.tar cannot be unpacked.*is removed"):
        manifests.fetch("photographs", ["train"])
    assert not dataset.exists()
    web.files["train.tar"] = FILES["train.tar"]
    manifests.fetch("photographs", ["train"])
    assert files(dataset) == ALWAYS | TRAIN


def stopping_after(n):
    """A `tqdm` after n items of which the user presses Ctrl-C."""

    def shown(items, **options):
        for i, item in enumerate(items):
            if i == n:
                raise KeyboardInterrupt
            yield item

    return shown


@pytest.mark.parametrize("n", [0, 1])
def test_an_interrupted_unpacking_leaves_no_folder_and_needs_no_download(
    dataset, web, monkeypatch, n
):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(unpacking, "tqdm", stopping_after(n))
        manifests.fetch("photographs")
    assert not dataset.exists() and asked(web) == ["lists.zip"]
    manifests.fetch("photographs")
    assert asked(web) == ["version-2", "labels.mat"] and files(dataset) == ALWAYS | TEST


def test_a_split_that_is_interrupted_does_not_disturb_the_first(dataset, web, monkeypatch):
    manifests.fetch("photographs")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(unpacking, "tqdm", stopping_after(1))
        manifests.fetch("photographs", ["train"])
    assert manifests.where("photographs") == [dataset] and files(dataset) == ALWAYS | TEST
    manifests.fetch("photographs", ["test"])
    assert files(dataset) == ALWAYS | TEST, "half an archive is never moved"
    asked(web)
    manifests.fetch("photographs", ["train"])
    assert asked(web) == [] and files(dataset) == ALWAYS | TEST | TRAIN
    assert not dataset.with_name("photographs.part").exists()


@pytest.mark.parametrize("moves", range(1, 8))
def test_a_folder_that_is_not_completely_moved_is_not_there(dataset, web, monkeypatch, moves):
    replace, left = os.replace, iter(range(moves))

    def interrupted(source, target):
        if str(target).startswith(f"{dataset}/") and next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", interrupted)
        manifests.fetch("photographs")
    assert (dataset / UNFINISHED).exists()
    for look in (manifests.where, manifests.verify):
        with pytest.raises(
            FileNotFoundError, match=r"not completely unpacked.\n.*fetch photographs f"
        ):
            look("photographs")
    [line] = [line for line in manifests.status() if line.name == "photographs"]
    assert line.state == "missing"
    asked(web)
    manifests.fetch("photographs")
    assert asked(web) == [] and files(dataset) == ALWAYS | TEST
    assert not list(manifests.changed(manifests.unpacked(dataset)))
    assert not dataset.with_name("photographs.part").exists()


def test_a_folder_of_ones_own_is_left_alone(dataset, web):
    dataset.mkdir()
    with pytest.warns(UserWarning, match="put there by hand, .* data verify photographs"):
        assert manifests.fetch("photographs") == dataset
    assert files(dataset) == set() and web.asked == []


def test_there_has_to_be_room_for_the_archive_and_its_content(dataset, web, monkeypatch):
    class Usage:
        free = 2 * len(FILES["version-2"]) - 1  # enough for the lists

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage)
    with pytest.raises(OSError, match="has room for .* and .* are needed"):
        manifests.fetch("photographs")
    Usage.free += 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manifests.fetch("photographs")
    assert files(dataset) == ALWAYS | TEST


def test_unpacked_files_are_known_by_their_checksums(dataset):
    manifests.fetch("photographs")
    known = manifests.unpacked(dataset)
    assert {path.relative_to(dataset).as_posix() for path in known} == ALWAYS | TEST
    assert known[dataset / "labels.mat"] == hashlib.sha256(b"labels").hexdigest()
    assert list(manifests.changed(known)) == []
    (dataset / "labels.mat").write_bytes(b"label")
    (dataset / "images/a.jpg").unlink()
    lines = "\n".join(sorted(manifests.changed(known)))
    assert re.fullmatch(
        f"no file {dataset}/images/a.jpg\nwrong checksum of {dataset}/labels.mat: .*", lines
    )


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="there is no sha256sum")
def test_the_lists_are_those_of_sha256sum(dataset):
    manifests.fetch("photographs")
    command = ["sha256sum", "--check", ".checksums/test.tar.sha256"]
    run = subprocess.run(command, cwd=dataset, capture_output=True, text=True, check=True)
    assert run.stdout == "images/a.jpg: OK\nimages/b.jpg: OK\n"


# The project's own manifests

FETCHED = {name: one for name, one in manifests.read("datasets").items() if "downloads" in one}


@pytest.mark.parametrize("name", FETCHED)
def test_downloads_are_well_formed(name):
    entry = FETCHED[name]
    names = []
    for one in entry["downloads"]:
        names.append(one.get("file", one["url"].rpartition("/")[2]))
        assert re.fullmatch(r"https?://[\w.-]+/[\w./~-]+", one["url"])
        assert re.fullmatch(r"[\w.-]+\.(zip|tar|tgz|tar\.gz|mat)", names[-1])
        assert re.fullmatch("[0-9a-f]{32}", one.get("md5", "0" * 32))
        assert re.fullmatch("[0-9a-f]{64}", one.get("sha256", "0" * 64))
        assert {*one.get("splits", [])} <= {*entry["splits"]}
        assert name == "kvasir" or {"md5", "sha256"} & one.keys()
    assert len({*names}) == len(names)
    assert entry["obtain"] and "data fetch" in manifests.how(entry)


def test_what_has_no_public_address_says_how_to_obtain_it():
    for kind in ("datasets", "weights"):
        for entry in manifests.read(kind).values():
            assert {"package", "generator", "url"} & entry["source"].keys() or entry["obtain"]
    assert not {"imagenet", "stanford_cars", "wsol_cub", "wsol_openimages"} & FETCHED.keys()
