"""Dataset: an immutable sequence of samples made from records, and `load`."""

import dataclasses
import hashlib
import pickle

import pytest
import torch
from PIL import Image

from lib.data import ANNOTATIONS, DATASETS, LOADERS, Dataset, Sample, load
from lib.data.crops import crops
from lib.data.image_file import ImageFile
from lib.errors import UnknownName


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A record that is drawn, not read: an image of one grey level, with its mask."""

    id: str
    target: int
    grey: float
    annotated = frozenset({"mask"})

    def sample(self, size):
        mask = torch.zeros(size, dtype=torch.bool)
        mask[0] = True
        image = torch.full((3, *size), self.grey)
        return Sample(image, self.target, self.id, mask=mask, group="drawn")

    def fingerprint(self):
        return hashlib.sha256(repr(self).encode()).hexdigest()


@pytest.fixture
def data():
    records = tuple(Drawn(f"d{i}", i % 2, i / 10) for i in range(5))
    return Dataset("drawn", records, (4, 6), ("a", "b"))


@pytest.fixture
def flat_folder(tmp_path):
    for i in range(10):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    return tmp_path


def test_every_manifest_has_a_loader_or_a_generator():
    drawn = {name for name, entry in DATASETS.items() if "generator" in entry["source"]}
    assert DATASETS.keys() == LOADERS.keys() | drawn and not LOADERS.keys() & drawn


def test_any_kind_of_record_makes_a_dataset(data):
    assert len(data) == 5
    assert data.ids == ("d0", "d1", "d2", "d3", "d4")
    assert data.targets == (0, 1, 0, 1, 0)
    sample = data[3]
    assert sample.image.shape == (3, 4, 6) and sample.mask.shape == (4, 6)
    assert (sample.target, sample.group) == (1, "drawn")
    assert [s.id for s in data] == list(data.ids)
    assert data[-1].id == "d4"
    with pytest.raises(IndexError):
        data[5]


def test_a_sample_is_its_own_group_by_default():
    assert Sample(torch.zeros(3, 1, 1), None, "one").group == "one"


def test_at_gives_the_same_samples_at_another_size(data):
    assert data.at(8)[1].image.shape == (3, 8, 8)
    assert data.at((3, 5))[1].image.shape == (3, 3, 5)
    assert data.at(8).ids == data.ids
    assert data.at(8).fingerprint(1) == data.fingerprint(1)
    assert data.size == (4, 6), "the original stays as it is"


@pytest.mark.parametrize("size", [0, -1, (4,), (4, 0), (4, 5, 6), 2.5, "224", None, True])
def test_a_bad_size_is_an_error(data, size):
    with pytest.raises(ValueError, match="size is a positive integer or a pair"):
        data.at(size)


def test_subset_and_slice_keep_the_order_asked_for(data):
    assert data.subset([3, 0]).ids == ("d3", "d0")
    assert data[1:4].ids == ("d1", "d2", "d3")
    assert data[::-2].ids == ("d4", "d2", "d0")
    assert data.subset([3]).fingerprint(0) == data.fingerprint(3)


def test_a_dataset_is_immutable_and_picklable(data):
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.size = (1, 1)
    copy = pickle.loads(pickle.dumps(data))
    assert copy == data
    assert torch.equal(copy[2].image, data[2].image)


def test_a_data_loader_batches_it(data):
    loader = torch.utils.data.DataLoader(data, batch_size=2, collate_fn=lambda samples: samples)
    assert [[s.id for s in batch] for batch in loader] == [["d0", "d1"], ["d2", "d3"], ["d4"]]


@pytest.mark.parametrize(
    ("limit", "ids"),
    [(1, "0"), (2, "05"), (3, "036"), (5, "02468"), (10, "0123456789"), (99, "0123456789")],
)
def test_limit_takes_evenly_spaced_samples(flat_folder, limit, ids):
    data = load("folder", root=flat_folder, limit=limit)
    assert data.ids == tuple(f"{i}.png" for i in ids)


@pytest.mark.parametrize("limit", [0, -3, True, 2.5, "2"])
def test_a_limit_is_a_number_of_images(flat_folder, limit):
    with pytest.raises(
        ValueError, match=f"limit is at least 1, got {limit!r}: give a whole number"
    ):
        load("folder", root=flat_folder, limit=limit)


def test_a_root_may_lie_at_home(flat_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(flat_folder.parent))
    assert len(load("folder", root=f"~/{flat_folder.name}")) == 10
    with pytest.raises(FileNotFoundError, match=f"not found at {flat_folder.parent}/absent"):
        load("folder", root="~/absent")


def test_size_is_the_manifests_by_default(flat_folder):
    assert load("folder", root=flat_folder).size == (224, 224)
    assert load("folder", root=flat_folder, size=(5, 7))[0].image.shape == (3, 5, 7)


def test_unknown_names_list_the_valid_ones(flat_folder):
    with pytest.raises(UnknownName, match="did you mean 'imagenet'.*valid: .*folder, .*imagenet, "):
        load("imagnet")
    with pytest.raises(UnknownName, match="split of imagenet 'test'; valid: val, train"):
        load("imagenet", split="test", root=flat_folder)
    with pytest.raises(UnknownName, match="split of folder 'val'; valid: none"):
        load("folder", split="val", root=flat_folder)


def test_having_gives_the_samples_with_an_annotation(data):
    assert data.having("mask") is data and len(data.having("boxes")) == 0
    mixed = dataclasses.replace(data, records=data.records[:2] + load("mnist", limit=2).records)
    assert mixed.having("mask").ids == ("d0", "d1")
    with pytest.raises(UnknownName, match="annotation 'masks' .*'mask'.*valid: boxes, mask, parts"):
        data.having("masks")


HERE = [
    name
    for name, entry in DATASETS.items()
    if "generator" in entry["source"] or "package" in entry["source"]
]


@pytest.mark.parametrize("name", HERE)
def test_groups_are_those_of_the_samples(name):
    data = load(name, limit=3)
    for images in (data, crops(data)):
        assert images.groups == tuple(sample.group for sample in images)


@pytest.mark.parametrize("name", HERE)
def test_records_are_annotated_as_their_samples(name):
    data = load(name, limit=8)
    for record, sample in zip(data.records, data, strict=True):
        empty = sample.boxes is not None and not len(sample.boxes)  # annotated: there is nothing
        given = {key for key in ANNOTATIONS if getattr(sample, key) is not None}
        assert record.annotated == given - ({"boxes", "mask"} if empty else set())


@pytest.fixture
def photographs(tmp_path):
    """Three photographs of class 0, the second doubtful: boxes on 8/16, 9/16 and 16/16 of the image."""
    boxes = [((0, 0, 4, 8),), ((0, 0, 6, 4), (2, 2, 6, 7)), ((-1, 0, 8, 8),)]
    for i in range(3):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    doubted = (None, 0, None)
    records = [
        ImageFile(tmp_path / f"{i}.png", f"p{i}", 0, boxes[i], doubted=doubted[i]) for i in range(3)
    ]
    return Dataset("photographs", tuple(records), (8, 8), ("rug", "window"))


def test_doubtful_labels_are_marked_and_can_be_left_out(photographs, data):
    assert photographs.labels == ("rug", "rug (?)", "rug")
    assert photographs.doubtful == (False, True, False)
    assert [sample.doubtful for sample in photographs] == [False, True, False]
    assert photographs.certain().ids == ("p0", "p2")
    assert data.certain() is data, "records that say nothing are certain"


def test_only_the_datasets_own_class_is_doubtful(photographs):
    other = photographs.relabelled([1, 1, None])
    assert other.labels == ("window", "window", "p2") and other.certain() is other
    assert other.relabelled([0, 0, 0]).doubtful == photographs.doubtful


def test_crops_are_as_doubtful_as_the_whole(photographs):
    several = crops(photographs)
    assert several.doubtful == tuple(sample.doubtful for sample in several)
    assert several.doubtful == (False,) * 6 + (True,) * 6 + (False,) * 6
    assert not any(several.relabelled([1] * 18).doubtful)


@pytest.mark.parametrize(
    ("at_most", "ids"),
    [(1, "012"), (0.9, "01"), (0.5625, "01"), (0.56, "0"), (0.5, "0"), (0.4, "")],
)
@pytest.mark.parametrize("size", [8, 3])
def test_images_whose_boxes_cover_at_most_a_share(photographs, at_most, ids, size):
    found = photographs.at(size).covered(at_most=at_most)
    assert found.ids == tuple(f"p{i}" for i in ids)


def test_a_damaged_image_stays_and_one_without_boxes_goes(photographs, data):
    photographs.records[2].path.write_bytes(b"")
    assert photographs.covered(at_most=0.5).ids == ("p0", "p2")
    mixed = dataclasses.replace(data, records=data.records + photographs.records[:1])
    assert mixed.covered(at_most=1).ids == ("p0",)


@pytest.mark.parametrize("at_most", [-0.1, 80])
def test_a_share_is_between_0_and_1(photographs, at_most):
    with pytest.raises(ValueError, match=f"share between 0 and 1, got {at_most}"):
        photographs.covered(at_most=at_most)


def test_relabelled_images_stay_the_same(data):
    other = data.relabelled([1, 1, 1, None, 0])
    assert other.targets == (1, 1, 1, None, 0) and data.targets == (0, 1, 0, 1, 0)
    assert other.ids == data.ids and torch.equal(other[2].image, data[2].image)
    assert other.fingerprint(0) != data.fingerprint(0)
    with pytest.raises(ValueError, match="shorter"):
        data.relabelled([0, 1])


def test_labels_are_classes_or_ids(data):
    assert data.labels == ("a", "b", "a", "b", "a")
    assert data.relabelled([0, None, 1, 1, 1]).labels == ("a", "d1", "b", "b", "b")
    assert dataclasses.replace(data, classes=None).labels == data.ids
