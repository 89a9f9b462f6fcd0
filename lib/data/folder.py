"""A user's own folder of images, with or without one sub-folder per class."""

import warnings
from pathlib import Path

from .. import manifests
from ..classes import imagenet_indices
from .files import some
from .image_file import SUFFIXES, Images, image_files
from .own_annotations import MASKS, TABLE, find_masks, read_boxes
from .own_image import OwnImage

# Files and folders of operating systems and programs, besides names with the beginnings in _HIDDEN.
_HIDDEN = (".", "__", "@", "#", "$")
_FOLDERS_OF_SYSTEMS = {"lost+found", "system volume information"}
_FILES_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}


def records(entry: manifests.Entry, root: Path, split: str | None) -> Images:
    """The images, sorted by folder and name, and the folders' names as classes.

    If the root is a file, it is one image without a class.
    """
    if root.is_file():
        return [_single(root)], None
    loose = image_files(root)
    folders = {folder.name: image_files(folder) for folder in _class_folders(root)}
    if any(folders.values()):  # a folder with the name of an image is a class
        loose = [path for path in loose if not path.is_dir()]
    classes = tuple(_classes(root, loose, folders))
    targets = {path.name: None for path in loose} | {
        f"{name}/{path.name}": target
        for target, name in enumerate(classes)
        for path in folders[name]
    }
    some(entry, list(targets), root)
    _say_left_out(root, [root / name for name in classes])
    boxes, masks = read_boxes(root, targets), find_masks(root, targets)
    images = [
        OwnImage(root / name, name, target, boxes=boxes.get(name), mask=masks.get(name))
        for name, target in targets.items()
    ]
    return images, classes or None


def _say_left_out(root: Path, classes: list[Path]) -> None:
    """Warns of files that are not images and of folders inside class folders."""
    found = [path for path in root.iterdir() if not path.is_dir() and path.name != TABLE]
    found += [path for folder in classes for path in folder.iterdir()]
    left_out = sorted(
        path.relative_to(root).as_posix()
        for path in found
        if path.suffix.lower() not in SUFFIXES
        and not _is_hidden(path.name)
        and path.name.casefold() not in _FILES_OF_SYSTEMS
    )
    if left_out:
        warnings.warn(
            f"left out of {root}: {len(left_out)} of its files and folders, such as {left_out[0]!r}, "
            "are not read as images; if they are, save them as JPEG or PNG in their class folders"
        )


def _single(path: Path) -> OwnImage:
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{path} is no image that can be read: give a folder, or an image that ends in one of "
            f"{', '.join(sorted(SUFFIXES))}"
        )
    return OwnImage(path, path.name)


def _class_folders(root: Path) -> list[Path]:
    folders = sorted((path for path in root.iterdir() if path.is_dir()), key=lambda path: path.name)
    return [folder for folder in folders if folder.name != MASKS and not _is_hidden(folder.name)]


def _is_hidden(name: str) -> bool:
    return name.startswith(_HIDDEN) or name.casefold() in _FOLDERS_OF_SYSTEMS


def _classes(root: Path, loose: list[Path], folders: dict[str, list[Path]]) -> list[str]:
    """The names of the class folders: all folders or none; an error for a mixture."""
    filled = [name for name, images in folders.items() if images]
    if not filled:
        return []
    if loose:
        raise ValueError(
            f"{root} holds both class folders ({filled[0]}) and images without a class "
            f"({loose[0].name}); move either away"
        )
    if empty := [name for name in folders if name not in filled]:
        # Leaving it out would shift the numbers of all classes after it.
        raise ValueError(
            f"the class folder {empty[0]!r} of {root} holds no images itself; fill it, or remove "
            "it if it is no class"
        )
    _check_alike(filled)
    return filled


def _check_alike(names: list[str]) -> None:
    """Raises an error if only some of the folders are named by WordNet ids, or by indices."""
    kinds = {
        "WordNet id of ImageNet": imagenet_indices().__contains__,
        "class index": str.isdecimal,
    }
    for kind, is_one in kinds.items():
        others = [name for name in names if not is_one(name)]
        if others and len(others) < len(names):
            one = next(filter(is_one, names))
            raise ValueError(
                f"folder {others[0]!r} is no {kind} while {one!r} is one; rename or remove it"
            )
