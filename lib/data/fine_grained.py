"""Fine-grained datasets whose lists torchvision reads: aircraft, dishes, flowers and cars."""

from pathlib import Path

from torchvision.datasets import FGVCAircraft, Flowers102, Food101, StanfordCars

from .. import manifests
from .files import check_complete, reading
from .image_file import ImageFile, Images, by_class

# The reader of each dataset, and the name of its folder.
_READERS = {
    "aircraft": (FGVCAircraft, "fgvc-aircraft-2013b"),
    "flowers102": (Flowers102, "flowers-102"),
    "food101": (Food101, "food-101"),
    "stanford_cars": (StanfordCars, "stanford_cars"),
}
_JOINED = {("flowers102", "trainval"): ("train", "val")}


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The images of a split, sorted by class and then by name."""
    reader, name = _READERS[entry["name"]]
    home = root if not (root / name).is_dir() and root.name == name else root / name
    splits = _JOINED.get((entry["name"], split), (split,))
    found = [_read(entry, reader, home, part) for part in splits]
    images = [
        ImageFile(path, path.relative_to(home).as_posix(), int(target))
        for dataset in found
        for path, target in _listed(dataset)
    ]
    check_complete(entry, (image.path for image in images))
    return by_class(images), tuple(found[0].classes)


def _read(entry: manifests.Entry, reader: type, home: Path, split: str):
    """torchvision's dataset, of which only the lists are read; nothing is downloaded."""
    try:
        with reading(home):
            return reader(home.parent, split=split, download=False)
    except FileNotFoundError as error:
        raise _missing(entry, f"nothing at {error.filename}") from error
    except RuntimeError as error:  # torchvision's own error, which names no path
        state = "is not complete, or of another version" if home.is_dir() else "is not there"
        raise _missing(entry, f"{home} {state}") from error


def _missing(entry: manifests.Entry, problem: str) -> FileNotFoundError:
    return FileNotFoundError(f"{entry['name']}: {problem}.\n{manifests.remedy(entry)}")


def _listed(dataset) -> list[tuple[Path, int]]:
    """The files with their classes, which torchvision's datasets store in one of two ways."""
    if isinstance(dataset, StanfordCars):
        return [(Path(path), target) for path, target in dataset._samples]
    return [(Path(path), c) for path, c in zip(dataset._image_files, dataset._labels)]
