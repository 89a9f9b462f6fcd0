"""Three packages, arrows one way; and in a wheel one package, which hides nobody's `lib`."""

import ast
import os
import re
import subprocess
import sysconfig
import tarfile
import venv
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path
from zipfile import ZipFile

import pooch
import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from lib import manifests, paths
from lib.__main__ import ELSEWHERE
from lib.code import code_key
from lib.paths import ROOT

from .test_environment import declared, modules_of

UPWARDS = ("lib", "testbeds", "book")  # each may import those before it


# Arrows in the repository -----------------------------------------------------------------------


def _named(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_named(path): path for package in UPWARDS for path in (ROOT / package).rglob("*.py")}


@cache
def _tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_bytes())


def _statements(node: ast.AST, always: bool) -> Iterator[ast.stmt]:
    """The statements of a module; with `always`, without those of functions and for types alone."""
    for child in ast.iter_child_nodes(node):
        apart = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        )
        if not (always and apart):
            yield from _statements(child, always)
    if isinstance(node, ast.stmt):
        yield node


def imported(name: str, *, always: bool) -> set[str]:
    """The modules of the three packages that a module imports; `always`, or anywhere in it."""
    is_package = MODULES[name].name == "__init__.py"
    package = name if is_package else name.rpartition(".")[0]
    found = set()
    for node in _statements(_tree(name), always):
        if isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            places = (f"{base}.{alias.name}" for alias in node.names)
            found |= {place if place in MODULES else base for place in places}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


@pytest.mark.parametrize("package", UPWARDS)
def test_a_package_imports_none_above_it(package):
    above = UPWARDS[UPWARDS.index(package) + 1 :]
    for name in MODULES:
        if name.split(".")[0] == package:
            arrows = imported(name, always=False)
            assert not [other for other in arrows if other.split(".")[0] in above], name


def test_lib_names_what_stands_above_it_in_places_alone():
    """As "module:name", which `manifests.resolve` imports when it is asked for."""
    for name in MODULES:
        if name.split(".")[0] == "lib":
            for node in ast.walk(_tree(name)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    if re.fullmatch(r"(testbeds|book)\.[\w.:]+", node.value):
                        assert ":" in node.value, f"{name}, line {node.lineno}"


def test_no_module_imports_itself_in_a_circle():
    """A module needs those that it imports, and the packages that these lie in."""
    graph = {}
    for name in MODULES:
        around = {name.rsplit(".", n)[0] for n in range(name.count(".") + 1)}
        needed = set()
        for other in imported(name, always=True) - {name}:
            needed |= {other} | {
                other.rsplit(".", n)[0] for n in range(other.count(".") + 1)
            } - around
        graph[name] = needed
    TopologicalSorter(graph).prepare()  # or a CycleError that lists the circle


def test_the_three_are_imported_in_a_way_that_a_wheel_can_rename():
    for name in MODULES:
        for node in ast.walk(_tree(name)):
            if isinstance(node, ast.Import):
                tops = {alias.name.split(".")[0] for alias in node.names}
                assert not tops & set(UPWARDS), f"{name}, line {node.lineno}"


# The wheel --------------------------------------------------------------------------------------


def _built(builder: type, root: Path, folder: Path, version: str = "standard") -> Path:
    [path] = builder(str(root)).build(directory=str(folder), versions=[version])
    return Path(path)


def _files(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {
            name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name
        }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return _built(WheelBuilder, ROOT, tmp_path_factory.mktemp("wheel"))


def test_a_wheel_owns_one_name(wheel):
    assert {name.split("/")[0] for name in _files(wheel)} == {
        "cams_reproduced",
        "cams_reproduced.pth",
    }


def test_a_wheel_has_every_module_and_manifest_and_table_of_settings(wheel):
    needed = [*MODULES.values(), *(ROOT / "book").rglob("*.yaml"), *(ROOT / "lib").rglob("*.yaml")]
    wanted = {f"cams_reproduced/{path.relative_to(ROOT).as_posix()}" for path in needed}
    wanted |= {
        f"cams_reproduced/lib/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "data_manifests").rglob("*.*")
    }
    assert _files(wheel).keys() - wanted == {"cams_reproduced.pth", "cams_reproduced/__init__.py"}
    assert wanted <= _files(wheel).keys()


def test_a_wheel_imports_nothing_by_a_short_name(wheel):
    for name, content in _files(wheel).items():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(content)):
                if isinstance(node, ast.Import):
                    assert not {alias.name.split(".")[0] for alias in node.names} & set(UPWARDS)
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    assert node.module.split(".")[0] not in UPWARDS, f"{name}, line {node.lineno}"


def test_a_wheel_is_not_built_with_an_import_that_cannot_be_renamed(tmp_path):
    for folder in (*UPWARDS, "data_manifests", "distribution"):
        (tmp_path / folder).mkdir()
    for file in ("pyproject.toml", "README.md", "LICENSE", "distribution/hatch_build.py"):
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    (tmp_path / "lib/__init__.py").write_text('__version__ = "1"\n')
    (tmp_path / "book/page.py").write_text("import lib.data\n")
    with pytest.raises(ValueError, match=r"page\.py: write `from lib\.data import \.\.\.`"):
        _built(WheelBuilder, tmp_path, tmp_path)


def test_a_source_distribution_makes_the_same_wheel(wheel, tmp_path):
    with tarfile.open(_built(SdistBuilder, ROOT, tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    [source] = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert _files(_built(WheelBuilder, source, tmp_path)) == _files(wheel)


def test_an_editable_installation_is_the_checkout_alone(tmp_path):
    [(name, content)] = _files(_built(WheelBuilder, ROOT, tmp_path, "editable")).items()
    assert name.endswith(".pth") and content.decode().strip() == str(ROOT)


# An installed copy ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """`python(*arguments, cwd=...)` runs an environment that has the wheel, and not this checkout."""
    environment = tmp_path_factory.mktemp("installed")
    venv.create(environment, symlinks=os.name != "nt")  # without pip: a moment
    scheme = {"base": str(environment), "platbase": str(environment)}
    site = Path(sysconfig.get_path("purelib", "venv", scheme))
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    # What the wheel needs, from where it is here; the .pth files there are not read.
    needed = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (site / "needed.pth").write_text("\n".join(sorted(needed)))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "CAMS_"))
    }
    executable = Path(sysconfig.get_path("scripts", "venv", scheme)) / "python"

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
        command = [executable, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=kept, cwd=cwd)

    return run


def test_the_command_line_works_from_any_folder(python, tmp_path):
    run = python("-m", "lib", "data", "list", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "imagenet_embedded" in run.stdout
    assert f"{ROOT / 'build'}" not in run.stdout and f"{ROOT / 'lib'}" not in run.stdout
    assert not list(tmp_path.iterdir())


INSTALLED = """
import sys

sys.modules |= dict.fromkeys({without})  # cannot be imported

from lib.__main__ import main

main(["--help"], standalone_mode=False)

import cams_reproduced.lib.data
import lib.data
from lib import manifests, nets, paths
from lib.code import code_key
from testbeds.recipe import Recipe

assert lib.data is cams_reproduced.lib.data and nets.RECIPES is cams_reproduced.lib.nets.RECIPES
for name in {places}:
    manifests.resolve(name)
for name in list(sys.modules):
    if name.split(".")[0] in ("lib", "testbeds", "book"):
        assert sys.modules[name] is sys.modules["cams_reproduced." + name], name
assert isinstance(manifests.resolve(nets.RECIPES["birds_vgg"]), Recipe)
assert lib.data.load("scenes", split="test", limit=1)[0].image.shape[0] == 3
print(paths.BUILD, paths.MANIFESTS, *(code_key(name) for name in {modules}), sep="\\n")
"""
HASHED = ["lib.nets", "testbeds.birds"]


def test_an_installed_copy_is_one_set_of_modules_with_manifests_and_keys(python, tmp_path):
    """Also without what only the book needs; captum needs matplotlib."""
    without = sorted(modules_of(declared("book") - declared() - {"matplotlib"}))
    places = [*ELSEWHERE.values(), *(entry["recipe"] for entry in manifests.networks().values())]
    script = INSTALLED.format(without=without, places=places, modules=HASHED)
    run = python("-c", script, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    build, at, *keys = run.stdout.splitlines()[-2 - len(HASHED) :]
    assert build == str(pooch.os_cache("cams") / "build")
    assert Path(at, "networks.yaml").is_file() and not Path(at).is_relative_to(ROOT)
    assert keys == [code_key(name) for name in HASHED]  # results stay known


@pytest.mark.parametrize("theirs", ["lib.py", "lib/__init__.py", "lib/data.py"])
def test_a_lib_of_the_users_own_comes_first(python, tmp_path, theirs):
    (tmp_path / theirs).parent.mkdir(exist_ok=True)
    (tmp_path / theirs).write_text("OWNER = 'user'\nprint(__name__)\n")
    module = theirs.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    script = f"import {module}; assert {module}.OWNER == 'user'"
    run = python("-c", script, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (0, f"{module}\n"), run.stderr


def test_ours_is_there_beside_it(python, tmp_path):
    (tmp_path / "lib").mkdir()
    for name in ("__init__.py", "paths.py"):
        (tmp_path / "lib" / name).write_text("OWNER = 'user'\n")
    script = "import lib.paths, cams_reproduced.lib.paths as p; print(lib.paths.OWNER, p.__name__)"
    run = python("-c", script, cwd=tmp_path)
    assert run.stdout == "user cams_reproduced.lib.paths\n", run.stderr


def test_a_start_of_python_imports_and_says_nothing(python, tmp_path):
    script = (
        "import sys; print(*(name for name in sys.modules if 'cams' in name or 'torch' in name))"
    )
    run = python("-c", script, cwd=tmp_path)
    assert (run.stdout, run.stderr) == ("cams_reproduced\n", "")


# Where results go -------------------------------------------------------------------------------


def test_results_go_where_they_can(monkeypatch, tmp_path):
    cache = pooch.os_cache("cams") / "build"
    monkeypatch.delenv("CAMS_BUILD", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert paths.build_folder() == tmp_path / "build"  # a checkout
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    assert paths.build_folder() == cache  # which cannot be written to
    (tmp_path / "build").mkdir()
    assert paths.build_folder() == tmp_path / "build"  # but for that folder
    monkeypatch.setattr(paths, "_INSTALLED", True)
    assert paths.build_folder() == cache
    monkeypatch.setenv("CAMS_BUILD", "~/elsewhere")
    assert paths.build_folder() == Path.home() / "elsewhere"


def test_data_lie_where_the_user_says(monkeypatch):
    monkeypatch.delenv("CAMS_DATA", raising=False)
    assert paths.data_home() == Path(pooch.os_cache("cams"))
    monkeypatch.setenv("CAMS_DATA", "~/pictures")
    assert paths.data_home() == Path.home() / "pictures"
