"""The localisation protocol's splits, on folders of a few images laid out like the real ones."""

import numpy as np
import pytest
import torch
from PIL import Image

from lib.data import load
from lib.metrics import METRICS

NAMES = {"wsol_cub": "CUB", "wsol_imagenet": "ILSVRC", "wsol_openimages": "OpenImages"}
CLASSES = ("001.Auk", "002.Bunting")


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def picture(path, grey, size=(40, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (grey,) * 3).save(path)


def mask(path, box, size=(80, 40)):
    """Bright in a box, at twice the size of the image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.zeros(size[::-1], np.uint8)
    x0, y0, x1, y1 = box
    grey[y0:y1, x0:x1] = 255
    Image.fromarray(grey).save(path)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def root(name, tmp_path):
    """Two classes with one image each in every split; the first of val and test has two objects."""
    folder = NAMES[name]
    for split in ("train", "val", "test"):
        lists = tmp_path / "metadata" / folder / split
        ids = [f"{split}/{c}/{i}.png" for i, c in enumerate(CLASSES)]
        write(lists / "image_ids.txt", ids)
        write(lists / "class_labels.txt", [f"{one},{c}" for c, one in enumerate(ids)])
        for i, one in enumerate(ids):
            picture(tmp_path / "dataset" / folder / one, 60 * i)
        if split == "train":
            continue
        write(lists / "image_sizes.txt", [f"{one},40,20" for one in ids])
        if folder != "OpenImages":
            places = [f"{ids[0]},0,0,20,10", f"{ids[0]},30,10,40,20", f"{ids[1]},4,2,8,20"]
        else:
            files = {f"masks/{split}/{n}.png": box for n, box in {
                "0a": (0, 0, 40, 20), "0b": (60, 20, 80, 40), "0": (30, 10, 80, 40), "1": (0, 0, 8, 40)
            }.items()}  # fmt: skip
            for path, box in files.items():
                mask(tmp_path / "dataset" / folder / path, box)
            a, b, ignored, one = files
            places = [f"{ids[0]},{a},{ignored}", f"{ids[0]},{b},", f"{ids[1]},{one},"]
        write(lists / "localization.txt", places)
    return tmp_path


def test_the_images_of_a_split_in_the_protocols_order(name, root):
    for split in ("train", "val", "test"):
        data = load(name, root=root, split=split, size=8)
        assert data.ids == tuple(f"{split}/{c}/{i}.png" for i, c in enumerate(CLASSES))
        assert data.targets == (0, 1)
        assert data[1].image.mean().item() == pytest.approx(60 / 255)
        assert len(data.having("mask")) == (
            0 if split == "train" or name != "wsol_openimages" else 2
        )
        assert len(data.having("boxes")) == (
            0 if split == "train" or name == "wsol_openimages" else 2
        )
    assert load(name, root=root).ids[0].startswith("test/")
    assert len(data.classes) == (1000 if name == "wsol_imagenet" else 2)
    if name != "wsol_imagenet":
        assert data.classes == CLASSES


@pytest.mark.parametrize("name", ["wsol_cub", "wsol_imagenet"], indirect=True)
def test_boxes_are_resized_from_the_files_size(name, root):
    data = load(name, root=root, size=10)
    assert data[0].boxes.tolist() == [[0, 0, 5, 5], [7.5, 5, 10, 10]]
    assert data[1].boxes.tolist() == [[1, 1, 2, 10]]
    accuracy = METRICS["max_box_acc_v2"].accumulator()
    S = torch.zeros(2, 10, 10)
    S[0, :5, :5] = S[1, 1:, 1:2] = 1
    accuracy.update(S, [sample.boxes for sample in data])
    assert accuracy.compute() == 1


@pytest.mark.parametrize("name", ["wsol_openimages"], indirect=True)
def test_masks_are_united_and_what_is_ignored_lies_beside_them(name, root):
    data = load(name, root=root, size=(20, 40))
    first, second = data
    on = torch.zeros(20, 40, dtype=torch.bool)
    on[:10, :20] = on[10:, 30:] = True
    assert torch.equal(first.mask, on) and not (first.ignore & first.mask).any()
    region = torch.zeros_like(on)
    region[5:, 15:] = True
    assert torch.equal(first.ignore, region & ~on)
    assert second.mask[:, :4].all() and second.mask.sum() == 80 and not second.ignore.any()
    area = METRICS["pxap"].accumulator()
    S = torch.stack([(s.mask | s.ignore).float() for s in data])
    area.update(S, mask=[s.mask for s in data], ignore=[s.ignore for s in data])
    assert area.compute() == 1


def test_content_is_known_wherever_it_lies(name, root, tmp_path_factory):
    before = load(name, root=root).fingerprint(0)
    moved = tmp_path_factory.mktemp("elsewhere") / "root"
    root.rename(moved)
    assert load(name, root=moved).fingerprint(0) == before
    if name == "wsol_openimages":
        mask(moved / "dataset/OpenImages/masks/test/0b.png", (0, 0, 2, 2))
        assert load(name, root=moved).fingerprint(0) != before


def test_missing_and_malformed_files_are_named(name, root):
    folder = NAMES[name]
    lists = root / "metadata" / folder / "test"
    (root / "dataset" / folder / "test" / CLASSES[1] / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match="(?s)lacks 1 of 1 files, such as 1.png.*Expected"):
        load(name, root=root)
    write(lists / "class_labels.txt", ["test/001.Auk/0.png,0"])
    with pytest.raises(ValueError, match=f"cannot read .*{folder}/test: no key 'test/002"):
        load(name, root=root)
    (lists / "image_ids.txt").unlink()
    with pytest.raises(FileNotFoundError, match="(?s)nothing at .*image_ids.txt.*Take metadata"):
        load(name, root=root)
