"""Images that are made once, by all cores, and kept."""

import pytest
import torch

from lib import data
from testbeds import image_cache

from . import tiny


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path)
    monkeypatch.setattr(image_cache, "is_drawn", lambda images: True)


def one_by_one(images: data.Dataset) -> torch.Tensor:
    return torch.stack([(sample.image * 255).round().byte() for sample in images])


@pytest.mark.parametrize("per_task", [5, 64], ids=["several processes", "this process"])
def test_they_are_the_datasets_images_in_order(per_task, monkeypatch):
    monkeypatch.setattr(image_cache, "PER_TASK", per_task)
    images = data.load("tiny", split="train")
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    assert torch.equal(image_cache.images(images), one_by_one(images))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_drawn_ones_are_made_once(monkeypatch):
    images = data.load("tiny", split="test")
    first = image_cache.images(images)
    monkeypatch.setattr(image_cache, "_made", lambda data: pytest.fail("made again"))
    assert torch.equal(image_cache.images(images), first)


def test_a_damaged_file_is_made_again_and_named():
    images = data.load("tiny", split="test")
    first = image_cache.images(images)
    [file] = image_cache.FOLDER.glob("*.pt")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=f"{file.name} is damaged"):
        assert torch.equal(image_cache.images(images), first)


@pytest.mark.parametrize(
    "change", [lambda d: d.at(6), lambda d: d.subset([1, 0])], ids=["size", "order"]
)
def test_others_are_other_images(change, tmp_path):
    images = data.load("tiny", split="test")
    image_cache.images(images)
    assert torch.equal(image_cache.images(change(images)), one_by_one(change(images)))
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_images_from_files_are_not_kept_a_second_time(monkeypatch, tmp_path):
    monkeypatch.undo()
    tiny.register(monkeypatch, tmp_path)
    images = data.load("tiny", split="test")
    assert torch.equal(image_cache.images(images), one_by_one(images))
    assert not (tmp_path / "images").exists()
