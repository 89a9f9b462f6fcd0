"""The localisation protocol's splits, on folders of a few images laid out like the real ones."""

import pytest
import torch

from lib.data import load
from lib.metrics import METRICS

from ...tiny_datasets import BIRDS, PROTOCOL, mask, write_lines, wsol


@pytest.fixture(params=PROTOCOL)
def name(request):
    return request.param


@pytest.fixture
def root(name, tmp_path):
    wsol(tmp_path, name)
    return tmp_path


def test_the_images_of_a_split_in_the_protocols_order(name, root):
    for split in ("train", "val", "test"):
        data = load(name, root=root, split=split, size=8)
        assert data.ids == tuple(f"{split}/{c}/{i}.png" for i, c in enumerate(BIRDS))
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
        assert data.classes == BIRDS


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
    folder = PROTOCOL[name]
    lists = root / "metadata" / folder / "test"
    (root / "dataset" / folder / "test" / BIRDS[1] / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match="(?s)lacks 1 of 1 files, such as 1.png.*Expected"):
        load(name, root=root)
    write_lines(lists / "class_labels.txt", ["test/001.Auk/0.png,0"])
    with pytest.raises(ValueError, match=f"cannot read .*{folder}/test: no key 'test/002"):
        load(name, root=root)
    (lists / "image_ids.txt").unlink()
    with pytest.raises(FileNotFoundError, match="(?s)nothing at .*image_ids.txt.*Take metadata"):
        load(name, root=root)
