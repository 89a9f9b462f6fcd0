"""Images and networks that this project has never seen, and a notebook run on them."""

import os
from dataclasses import dataclass
from pathlib import Path

import jupytext
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image
from traitlets.config import Config

from lib import data
from lib.classes import imagenet_indices
from lib.paths import ROOT

LAYOUTS = ("flat", "class_folders", "imagenet")
NETWORKS = {
    "planned": {},
    "cnn": {"network": "resnet18", "weights": "random"},
    "vit": {"network": "vit_tiny_patch16_224", "weights": "random"},
    "own": {},  # see `own_network`
}

# A network of five classes, as somebody would write it.
FIVE_CLASSES = '''
from torch import nn


def build():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 5),
    )
    return model, {
        "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25), "input_size": 64,
        "classes": ("bull mastiff", "folding chair", "beaker", "buckeye", "strawberry"),
    }
'''  # fmt: skip


def photographs(folder: Path, layout: str, classes: int = 5) -> Path:
    """A folder of photographs in a layout: two of each class, one of them grey, and one file that is no
    image."""
    found = data.load("imagenet_embedded")
    wnids = {index: wnid for wnid, index in imagenet_indices().items()}
    rows = []
    for i in range(classes):
        for j, sample in enumerate((found[i], found[classes + i])):
            target, shown = found.targets[i], Image.open(found.records[(i, classes + i)[j]].path)
            wnid = wnids[target]
            place = {
                "flat": Path(f"{i}_{j}.png"),
                "class_folders": Path(found.labels[i]) / f"{j}.png",
                "imagenet": Path("val") / wnid / f"ILSVRC2012_val_{2 * i + j:08}.JPEG",
            }[layout]
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            (shown.convert("L") if (i, j) == (1, 0) else shown.convert("RGB")).save(path)
            box = " ".join(f"{side:.0f}" for side in (sample.boxes[0] * shown.width / 224).tolist())
            rows.append(f"{path.stem},{wnid} {box}\n")
    if layout == "imagenet":
        (folder / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "".join(rows))
        damaged = next((folder / "val").iterdir()) / "ILSVRC2012_val_00049999.JPEG"
        with (folder / "LOC_val_solution.csv").open("a") as file:
            file.write(f"{damaged.stem},{damaged.parent.name} 1 1 9 9\n")
    else:
        damaged = next(folder.rglob("*.png")).parent / "damaged.png"
    damaged.write_bytes(b"no image")
    return folder


def own_network(folder: Path) -> dict[str, str]:
    """The parameters of a network of five classes in a file, with weights beside it."""
    script, weights = folder / "mine.py", folder / "mine.pth"
    script.write_text(FIVE_CLASSES)
    scope: dict = {}
    exec(FIVE_CLASSES, scope)
    torch.manual_seed(0)
    torch.save(scope["build"]()[0].state_dict(), weights)
    return {"network": f"{script}:build", "weights": str(weights)}


@dataclass
class Outcome:
    """The outcome of a notebook: the sentence that stopped it, if any, and everything that it showed."""

    stopped: str = ""
    cell: int = -1
    error: BaseException | None = None
    shown: str = ""


def run(page: str, **parameters) -> Outcome:
    """A notebook's cells in this process, with parameters as papermill injects them."""
    path = ROOT / "notebooks" / f"{page}.py"
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    declared = cells[0].source
    given = {name: value for name, value in parameters.items() if f"\n{name}: " in f"\n{declared}"}
    injected = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in given.items())
    sources = [declared, injected, *(cell.source for cell in cells[1:])]
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.showtraceback = lambda *_, **__: None
    before = Path.cwd()
    os.chdir(path.parent)
    outcome = Outcome()
    try:
        with capture_output() as captured:
            for n, source in enumerate(sources):
                result = shell.run_cell(source, store_history=True)
                if error := result.error_before_exec or result.error_in_exec:
                    rendered = getattr(error, "_render_traceback_", None)
                    outcome.stopped = rendered()[0] if rendered else ""
                    outcome.cell, outcome.error = n, error
                    break
        outcome.shown = captured.stdout + "\n".join(map(repr, captured.outputs))
    finally:
        os.chdir(before)
        InteractiveShell.clear_instance()
    return outcome
