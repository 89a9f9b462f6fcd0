"""Reading the manifests, strictly: an unknown, missing or repeated key is an error."""

import importlib
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

import yaml

from ..errors import unknown
from ..paths import MANIFESTS

Entry = Mapping[str, Any]

ABOVE = __package__.removesuffix("lib.manifests")  # a wheel has one package around this project's

# kind: (the key that names an entry, required keys, optional keys)
SCHEMAS: dict[str, tuple[str, set[str], set[str]]] = {
    "datasets": (
        "name",
        {"name", "title", "depicts", "source", "size", "licence", "citation"},
        {"sort", "further", "annotations", "files", "boxes", "splits", "layout", "downloads"}
        | {"obtain", "note", "images", "bytes"},
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
OF_A_DOWNLOAD = {"url"}, {"file", "sha256", "md5", "into", "splits"}


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
    for download in entry.get("downloads", []):
        _check_keys(path, download, *OF_A_DOWNLOAD)
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
    return attrgetter(name)(importlib.import_module(ABOVE + module))


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
