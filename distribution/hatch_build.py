"""The wheel: `lib`, `testbeds` and `book`, with the manifests, in one package `cams_reproduced`.

A top-level `lib` in a wheel would overwrite another distribution's. What else the wheel has lies
beside this file.
"""

import ast
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "cams_reproduced"
PACKAGES = ("lib", "testbeds", "book")
KINDS = (".py", ".yaml")  # not the hand-written pages of `book`
_ACROSS = re.compile(rf"^(\s*from )(?=(?:{'|'.join(PACKAGES)})[. ])", re.MULTILINE)


class BuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # the checkout itself is on the path
            return
        self.folder = TemporaryDirectory()
        lay_out(Path(self.root), Path(self.folder.name))
        for path in Path(self.folder.name).iterdir():
            build_data["force_include"][str(path)] = path.name

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self.folder.cleanup()


def lay_out(root: Path, to: Path) -> None:
    """Write to the folder `to` what an installed copy of the checkout at `root` consists of."""
    beside = shutil.ignore_patterns(Path(__file__).name, "__pycache__")
    shutil.copytree(root / "distribution", to, ignore=beside, dirs_exist_ok=True)
    for package in PACKAGES:
        for path in (root / package).rglob("*"):
            if path.suffix in KINDS:
                text = path.read_text("utf-8")
                place = to / NAME / path.relative_to(root)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(renamed(text, path) if path.suffix == ".py" else text, "utf-8")
    shutil.copytree(root / "data_manifests", to / NAME / "lib" / "data_manifests")


def renamed(source: str, path: Path) -> str:
    """A module's source, in which `from lib.x import y` is `from cams_reproduced.lib.x import y`.

    Raises:
        ValueError: it imports one of the packages in another way.
    """
    source = _ACROSS.sub(rf"\g<1>{NAME}.", source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            continue
        if any(name.split(".")[0] in PACKAGES for name in names):
            raise ValueError(f"{path}: write `from {names[0]} import ...`, in a line of its own")
    return source
