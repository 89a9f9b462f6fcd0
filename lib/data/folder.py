"""A user's own folder of images, with or without a sub-folder a class."""

from pathlib import Path

from .. import manifests
from .files import some
from .image_file import ImageFile, Images, image_files
from .imagenet import class_indices, class_names


def records(entry: manifests.Entry, root: Path, split: str | None) -> Images:
    """The images sorted by folder and name, and the names of the classes where they have any."""
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    loose = image_files(root)
    if folders and loose:
        raise ValueError(
            f"{root} holds both class folders ({folders[0].name}) and images without a class "
            f"({loose[0].name}); move either away"
        )
    targets, classes = _classes([folder.name for folder in folders])
    images = [ImageFile(path, path.name) for path in loose] + [
        ImageFile(path, f"{folder.name}/{path.name}", target)
        for folder, target in zip(folders, targets, strict=True)
        for path in image_files(folder)
    ]
    return some(entry, images, root), classes


def _classes(folders: list[str]) -> tuple[list[int], tuple[str, ...] | None]:
    """The class index of each folder, and the names of all classes where they are known."""
    wnids = class_indices()
    if not folders:
        return [], None
    if known := [name for name in folders if name in wnids]:
        if others := [name for name in folders if name not in wnids]:
            raise ValueError(
                f"folder {others[0]!r} is no WordNet id of ImageNet while {known[0]!r} is one; "
                "rename or remove it"
            )
        return [wnids[name] for name in folders], class_names()
    if all(name.isdecimal() for name in folders):
        return [int(name) for name in folders], None
    return list(range(len(folders))), tuple(folders)
