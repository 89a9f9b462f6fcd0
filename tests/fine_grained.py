"""Fine-grained datasets in their own layouts, two classes and a few images each, of 10 x 20 pixels."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import Flowers102

from lib.data.cub import LOOKS

CLASSES = 2
EACH = 3  # images of a class in each split

CUB_PARTS = (
    *("back", "beak", "belly", "breast", "crown", "forehead", "left eye", "left leg", "left wing"),
    *("nape", "right eye", "right leg", "right wing", "tail", "throat"),
)


def _image(path: Path, target: int, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 10), (255 * target, 20 * number, 0)).save(path)


def _write(path: Path, lines) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def cub(root: Path, count: int = CLASSES, each: int = EACH) -> None:
    """With masks; the left half of each image is the bird, its beak is seen and its tail is not."""
    home = root / "CUB_200_2011"
    classes = ["001.Black_footed_Albatross", "002.Laysan_Albatross"]
    classes += [f"{i:03}.Albatross_{i}" for i in range(3, count + 1)]
    names = [f"{name}/{name[4:]}_{i:04}.jpg" for name in classes for i in range(2 * each)]
    targets = [t for t in range(count) for _ in range(2 * each)]
    ids = range(1, len(names) + 1)
    for i, name, target in zip(ids, names, targets):
        _image(home / "images" / name, target, i)
        mask = (home / "segmentations" / name).with_suffix(".png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        grey = np.zeros((10, 20), dtype=np.uint8)
        grey[:, :10], grey[:, 10:12] = 255, 102  # two of five people saw it in two more columns
        Image.fromarray(grey).save(mask)
    _write(home / "images.txt", (f"{i} {name}" for i, name in zip(ids, names)))
    _write(home / "image_class_labels.txt", (f"{i} {t + 1}" for i, t in zip(ids, targets)))
    _write(home / "train_test_split.txt", (f"{i} {i % 2}" for i in ids))
    _write(home / "bounding_boxes.txt", (f"{i} 1.0 2.0 9.0 8.0" for i in ids))
    _write(home / "classes.txt", (f"{i} {name}" for i, name in enumerate(classes, 1)))
    _write(home / "parts/parts.txt", (f"{i} {name}" for i, name in enumerate(CUB_PARTS, 1)))
    seen = {"beak": "4.0 3.0 1", "left eye": "6.0 2.0 1"}
    _write(
        home / "parts/part_locs.txt",
        (
            f"{i} {part} {seen.get(name, '0.0 0.0 0')}"
            for i in ids
            for part, name in enumerate(CUB_PARTS, 1)
        ),
    )


# What differs between two species: one of these for each digit in which their binary numbers differ.
TELLING = ("crown_color", "bill_color", "eye_color")


def attributes(root: Path, count: int = CLASSES) -> None:
    """Two attributes of each group, a line for each species, and one rare crown."""
    groups = sorted({group for of_part in LOOKS.values() for group in of_part})
    names = [f"has_{group}::{colour}" for group in groups for colour in ("red", "grey")]
    names.append("has_crown_color::blue")
    _write(root / "attributes.txt", (f"{number} {name}" for number, name in enumerate(names, 1)))
    table = root / "CUB_200_2011/attributes/class_attribute_labels_continuous.txt"
    rows = []
    for species in range(count):
        greys = {f"has_{g}::grey" for bit, g in enumerate(TELLING) if species >> bit & 1}
        rows.append([60.5 if n.endswith("red") else 20.0 + 50 * (n in greys) for n in names])
    _write(table, (" ".join(map(str, row)) for row in rows))


def aircraft(root: Path) -> None:
    home = root / "fgvc-aircraft-2013b/data"
    variants = ["707-320", "ATR-42"]
    _write(home / "variants.txt", variants)
    for number, split in enumerate(("train", "val", "test")):
        lines = []
        for target, name in enumerate(variants):
            for i in range(EACH):
                image = f"{number}{1 - target}{i:05}"  # not in the order of the classes
                _image(home / f"images/{image}.jpg", target, i)
                lines.append(f"{image} {name}")
        _write(home / f"images_variant_{split}.txt", lines)
    train, val = ((home / f"images_variant_{s}.txt").read_text() for s in ("train", "val"))
    (home / "images_variant_trainval.txt").write_text(train + val)


def food101(root: Path) -> None:
    home = root / "food-101"
    for number, split in enumerate(("train", "test")):
        names = {
            dish: [f"{dish}/{number}{i:04}" for i in range(EACH)]
            for dish in ("waffles", "apple_pie")  # not in the order of the classes
        }
        for dish, of_dish in names.items():
            for i, name in enumerate(of_dish):
                _image(home / f"images/{name}.jpg", int(dish == "waffles"), i)
        _write(home / f"meta/{split}.json", [json.dumps(names)])


def flowers102(root: Path) -> None:
    """Its lists are told by their checksums: see `without_checksums`."""
    home = root / "flowers-102"
    labels = np.tile([1, 2], 3 * EACH)  # of image 1, 2, ...
    for i, label in enumerate(labels, 1):
        _image(home / f"jpg/image_{i:05}.jpg", label - 1, i)
    savemat(home / "imagelabels.mat", {"labels": labels[None]})
    parts = np.arange(1, len(labels) + 1).reshape(3, -1)
    ids = dict(zip(("trnid", "valid", "tstid"), (part[None] for part in parts)))
    savemat(home / "setid.mat", ids)


def without_checksums(monkeypatch) -> None:
    """torchvision takes lists of flowers that are not the published ones."""
    files = {kind: (name, None) for kind, (name, _) in Flowers102._file_dict.items()}
    monkeypatch.setattr(Flowers102, "_file_dict", files)


def stanford_cars(root: Path) -> None:
    home = root / "stanford_cars"
    (home / "devkit").mkdir(parents=True)
    models = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)
    savemat(home / "devkit/cars_meta.mat", {"class_names": models[None]})
    lists = {"train": "devkit/cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}
    kinds = [("class", "O"), ("fname", "O")]
    for split, path in lists.items():
        rows = []
        for i in range(CLASSES * EACH):
            _image(home / f"cars_{split}/{i + 1:05}.jpg", i % 2, i)
            rows.append((i % 2 + 1, f"{i + 1:05}.jpg"))
        savemat(home / path, {"annotations": np.array(rows, dtype=kinds)[None]})


MAKERS = {
    "aircraft": aircraft,
    "cub": cub,
    "flowers102": flowers102,
    "food101": food101,
    "stanford_cars": stanford_cars,
}
