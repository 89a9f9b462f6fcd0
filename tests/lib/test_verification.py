"""What is on the disk, against its manifest."""

import io
from zipfile import ZipFile

import pytest

from lib import manifests, verification
from lib.data.kvasir import CLASSES
from lib.paths import MANIFESTS
from lib.verification import all_verified, verified

RESNET = "torchvision:resnet50"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMS_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def kvasir(home, monkeypatch):
    """The folder of a tiny Kvasir, as `fetch` unpacks it."""
    stream = io.BytesIO()
    with ZipFile(stream, "w") as file:
        for name in CLASSES:
            for i in range(8):
                file.writestr(f"kvasir-dataset-v2/{name}/{i}.jpg", f"{name} {i}")
    monkeypatch.setattr(
        "lib.manifests.fetching.download", lambda url, part, **_: _write(part, stream.getvalue())
    )
    return manifests.fetch("kvasir")


def _write(part, content):
    part.write_bytes(content)
    part.with_name(f"{part.name}.version").touch()


def texts(lines):
    return [line.text for line in lines]


def test_a_sound_dataset(kvasir):
    lines = [*verified("kvasir")]
    assert texts(lines) == [
        f"{kvasir}: no published checksum",
        f"{kvasir}: 64 file(s) as unpacked",
        "kvasir, split test: 8 samples",
        "kvasir, split train: 48 samples",
        "kvasir, split val: 8 samples",
    ]
    assert not any(line.wrong for line in lines)


def test_each_unpacked_file_that_changed_is_named(kvasir):
    folder = kvasir / "kvasir-dataset-v2/polyps"
    (folder / "0.jpg").write_text("another")
    (folder / "1.jpg").unlink()
    first, second, third, last, *_ = verified("kvasir")
    assert not first.wrong and second.wrong and third.wrong and last.wrong
    assert second.text.startswith(f"wrong checksum of {folder}/0.jpg: expected SHA-256 ")
    assert third.text == f"no file {folder}/1.jpg"
    assert last.text == (
        f"{kvasir}: 2 of 64 unpacked file(s) differ; python -m lib data fetch kvasir replaces them"
    )
    manifests.fetch("kvasir")
    assert not any(line.wrong for line in verified("kvasir"))


def test_a_dataset_put_there_by_hand_has_its_layout(home):
    folder = home / "datasets/kvasir"
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        (folder / name / "0.jpg").touch()
    first, *splits = verified("kvasir")
    assert first.text == f"{folder}: no published checksum"
    assert [line.wrong for line in splits] == [True, False, False], "one image is for training"
    (folder / "polyps/0.jpg").unlink()
    (folder / "polyps").rmdir()
    _, test, *_ = verified("kvasir")
    assert test == (f"kvasir, split test: nothing at {folder}/polyps.", True)


def test_a_later_split_may_be_absent(home):
    place = home / "datasets/voc/VOCdevkit/VOC2007"
    for name in ("ImageSets/Main", "JPEGImages", "Annotations"):
        (place / name).mkdir(parents=True)
    (place / "ImageSets/Main/test.txt").write_text("000001\n")
    (place / "JPEGImages/000001.jpg").touch()
    (place / "Annotations/000001.xml").write_text("<annotation></annotation>")
    _, test, *others = verified("voc")
    assert test == ("voc, split test: 0 samples", False)
    assert [line.wrong for line in others] == [False] * 3 and "nothing at" in others[0].text
    (place / "Annotations/000001.xml").write_text("<annotation>")
    _, test, *_ = verified("voc")
    assert test.wrong and "cannot read" in test.text


def test_a_folder_may_be_there_for_another_dataset(home):
    (home / "datasets/wsol").mkdir(parents=True)
    for name in ("wsol_cub", "wsol_imagenet", "wsol_openimages"):
        lines = [*verified(name)]
        assert not any(line.wrong for line in lines) and "split test: " in lines[1].text


def test_a_drawn_dataset_has_no_files():
    assert [*verified("birds")] == [("birds: drawn here, from no files", False)]


def test_embedded_data_and_weights():
    *places, layout = texts(verified("imagenet_embedded"))
    assert [place.rpartition(": ")[2] for place in places] == [
        "20 file(s) as published",
        "100 file(s) as published",
    ]
    assert layout == "imagenet_embedded: 120 samples"
    assert [line.text.rpartition(": ")[2] for line in verified("tf_efficientnet_lite0")] == [
        "1 file(s) as published"
    ]


def test_what_is_not_here_is_an_error_that_says_how_to_get_it(home):
    with pytest.raises(FileNotFoundError, match=f"(?s)not found.*data fetch {RESNET}"):
        [*verified(RESNET)]


def test_of_all_what_is_not_here_is_not_wrong_but_what_is_damaged_is(home, monkeypatch):
    monkeypatch.setattr(verification.data, "load", lambda name, split=None: [0])
    assert not any(line.wrong for line in all_verified())
    (home / "weights").mkdir()
    (home / "weights/resnet50-0676ba61.pth").write_bytes(b"damaged")
    (home / "datasets/coco").mkdir(parents=True)
    (home / "datasets/coco/.unfinished").touch()
    lines = [*all_verified()]
    wrong = texts(line for line in lines if line.wrong)
    assert len(wrong) == 2 and "\n" not in "".join(texts(lines))
    assert wrong[0] == f"coco: {home}/datasets/coco is not completely unpacked."
    assert wrong[1].startswith(f"wrong checksum of {home}/weights/resnet50-0676ba61.pth")
    names = {path.stem for path in (MANIFESTS / "datasets").glob("*.yaml")}
    assert len(lines) >= len(names)
    assert f"cub: not found at {home}/datasets/cub." in texts(lines)
