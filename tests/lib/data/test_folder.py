"""A user's own folder: its classes, and the boxes and masks that lie in it."""

import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from lib.data import load
from lib.data.crops import crops

ORIENTATION = 0x0112  # the EXIF tag


@pytest.fixture
def folder(tmp_path):
    """A function that writes small images at the given paths, and gives their root."""

    def write(*paths, size=(4, 4)):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(tmp_path / path)
        return tmp_path

    return write


@pytest.fixture
def dog(folder):
    """A flat folder with dog.png (8 wide, 4 high) and cat.png."""
    return folder("dog.png", "cat.png", size=(8, 4))


def table(root, *rows, header="image,x0,y0,x1,y1"):
    (root / "boxes.csv").write_text("\n".join([header, *rows, ""]))
    return root


def mask(root, path, pixels):
    place = root / "masks" / path
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(place)
    return root


LEFT = np.repeat([[255] * 2 + [0] * 6], 4, axis=0)  # the two columns at the left


# ------------------------------------------------------------------------------------- classes


@pytest.mark.parametrize(
    ("first", "second", "third"),
    [("7up", "ant", "zebra"), ("007", "243", "9"), ("n02123045", "n02124075", "n15075141")],
)
def test_folders_are_classes_in_sorted_order(folder, first, second, third):
    root = folder(f"{third}/a.jpg", f"{first}/b.png", f"{first}/a.jpg", f"{second}/a.jpg")
    data = load("folder", root=root)
    assert data.ids == (f"{first}/a.jpg", f"{first}/b.png", f"{second}/a.jpg", f"{third}/a.jpg")
    assert data.targets == (0, 0, 1, 2)
    assert data.classes == (first, second, third)


def test_an_empty_class_folder_would_shift_the_others(folder):
    root = folder("ant/a.jpg", "zebra/a.jpg")
    (root / "bee").mkdir()
    with pytest.raises(ValueError, match="class folder 'bee' of .* no images itself; fill it"):
        load("folder", root=root)


def test_an_empty_folder_beside_images_is_none_of_theirs(folder):
    root = folder("a.jpg")
    (root / "results").mkdir()
    assert load("folder", root=root).targets == (None,)


def test_a_flat_folder_has_no_classes(folder):
    data = load("folder", root=folder("b.jpg", "a.jpeg"))
    assert data.ids == ("a.jpeg", "b.jpg")
    assert data.targets == (None, None)
    assert data.classes is None
    assert data[0].target is None and data[0].boxes is None and data[0].mask is None


def test_one_image_is_a_dataset(folder):
    data = load("folder", root=folder("a.jpg", "b.jpg") / "a.jpg")
    assert data.ids == ("a.jpg",) and data.targets == (None,) and data.classes is None
    assert data[0].image.shape == (3, 224, 224)


def test_one_file_that_is_no_image_is_an_error(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="notes.txt is no image .* ends in one of .*.jpg"):
        load("folder", root=tmp_path / "notes.txt")


@pytest.mark.parametrize(
    "name",
    [
        *(".thumbnails", "__MACOSX", "@eaDir", "lost+found"),
        *("System Volume Information", "$RECYCLE.BIN", "#recycle"),
    ],
)
def test_hidden_and_system_folders_are_left_out(folder, name):
    assert load("folder", root=folder("a.jpg", f"{name}/a.jpg")).ids == ("a.jpg",)
    (folder("b/a.jpg") / "a.jpg").unlink()
    assert load("folder", root=folder("b/a.jpg")).classes == ("b",)


def test_a_damaged_file_costs_only_its_sample(folder):
    root = folder("ant/a.jpg", "bee/b.jpg")
    (root / "ant/a.jpg").write_text("no image")
    data = load("folder", root=root)
    with pytest.raises(ValueError, match="ant/a.jpg"):
        data[0]
    assert data[1].target == 1


def test_a_folder_named_as_an_image_costs_only_its_sample(folder):
    root = folder("a.jpg", "b.jpg")
    (root / "crops.png").mkdir()
    data = load("folder", root=root)
    assert data.ids == ("a.jpg", "b.jpg", "crops.png") and data.readable().ids == data.ids[:2]
    for ask in (data.__getitem__, data.fingerprint):
        with pytest.raises(ValueError, match="crops.png: it is a folder; replace or remove it"):
            ask(2)


def test_or_is_a_class_among_others(folder):
    data = load("folder", root=folder("ant/a.jpg", "crops.png/b.jpg"))
    assert data.classes == ("ant", "crops.png") and data.targets == (0, 1)


def test_a_table_or_an_image_that_links_to_nothing(folder):
    root = folder("a.jpg")
    (root / "b.jpg").symlink_to("nowhere.jpg")
    data = load("folder", root=root)
    with pytest.raises(FileNotFoundError, match="the image .*b.jpg: it links to nothing"):
        data[1]
    assert data.readable().ids == ("a.jpg",)
    (root / "boxes.csv").symlink_to("nowhere.csv")
    with pytest.raises(ValueError, match="the table .*boxes.csv: it links to nothing"):
        load("folder", root=root)


@pytest.mark.parametrize(
    ("other", "one", "kind"),
    [
        ("n0212304", "n15075141", "WordNet id of ImageNet"),
        ("cat", "n15075141", "WordNet id of ImageNet"),
        ("7", "n15075141", "WordNet id of ImageNet"),
        ("cat", "7", "class index"),
    ],
)
def test_a_typing_error_among_ids_is_an_error(folder, other, one, kind):
    with pytest.raises(ValueError, match=f"'{other}' is no {kind} while '{one}' is one; rename"):
        load("folder", root=folder(f"{one}/a.jpg", f"{other}/a.jpg"))


def test_images_beside_class_folders_are_an_error(folder):
    with pytest.raises(ValueError, match=r"class folders \(ant\) and images .* \(a.jpg\)"):
        load("folder", root=folder("a.jpg", "ant/a.jpg"))


def test_missing_or_empty_root_prints_the_layout(tmp_path):
    for root in (tmp_path / "absent", tmp_path):
        message = rf"(?s){root}.*<class>/\*.jpg.*boxes.csv.*pass its path as root"
        with pytest.raises(FileNotFoundError, match=message):
            load("folder", root=root)


def test_the_readable_samples(folder):
    root = folder("a.png", "b.png", "c.png")
    whole = load("folder", root=root)
    assert whole.readable() is whole
    (root / "a.png").write_bytes(b"no image")
    assert load("folder", root=root).readable().ids == ("b.png", "c.png")
    assert load("folder", root=root).readable(1).ids == ("b.png",)


# ------------------------------------------------------------------------------------- pixels


@pytest.mark.parametrize(
    "suffix", ["gif", "jfif", "avif", "png", "webp", "jp2", "ppm", "tga", "apng", "jpe", "JPG"]
)
def test_many_kinds_of_files_are_read(folder, suffix):
    if suffix == "avif" and ".avif" not in Image.registered_extensions():
        pytest.skip("Pillow is built without AVIF")
    path = folder() / f"a.{suffix}"
    Image.new("RGB", (8, 8), "white").save(path, format="JPEG" if suffix == "jfif" else None)
    assert load("folder", root=path.parent, size=8)[0].image.mean() > 0.99


def test_a_radiograph_is_one_of_them():
    from lib.data.image_file import SUFFIXES

    assert ".dcm" in SUFFIXES and ".pdf" not in SUFFIXES and ".mpg" not in SUFFIXES


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a.heic"], "1 of its files and folders, such as 'a.heic'"),
        (["b.svg", "noname", ".hidden", "Thumbs.db", "desktop.ini"], "2 of .* such as 'b.svg'"),
        (["boxes.csv", ".DS_Store", "Thumbs.db"], None),
    ],
)
def test_what_is_no_image_is_left_out_with_a_warning(folder, files, said):
    for name in files:
        (folder("a.jpg") / name).write_text("image,x0,y0,x1,y1\n")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert load("folder", root=folder()).ids == ("a.jpg",)
    texts = [str(one.message) for one in warned]
    assert (len(texts) == 1 and re.search(said, texts[0])) if said else not texts


def test_what_lies_deeper_than_class_folders_is_left_out_with_a_warning(folder):
    with pytest.warns(UserWarning, match="1 of its files and folders, such as 'cat/more', are not"):
        assert load("folder", root=folder("cat/a.jpg", "cat/more/b.jpg")).ids == ("cat/a.jpg",)


def test_of_an_animation_the_first_frame_is_read(folder):
    path = folder() / "a.gif"
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert load("folder", root=path, size=8)[0].image[0].mean() > 0.99


def test_an_image_is_turned_as_the_camera_noted(folder):
    image = Image.new("RGB", (8, 4), "black")
    image.paste("white", (0, 0, 4, 4))  # at the left of the pixels as they are stored
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by 90 degrees clockwise: what is left comes to the top
    image.save(folder() / "a.png", exif=exif)
    root = table(folder(), "a.png,0,0,4,4")
    mask(root, "a.png", [[255] * 4] * 4 + [[0] * 4] * 4)
    sample = load("folder", root=root, size=(8, 4))[0]
    assert sample.image[:, :4].min() == 1 and sample.image[:, 4:].max() == 0
    assert sample.boxes.tolist() == [[0, 0, 4, 4]] and sample.mask[:4].all()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_kind_of_file(folder, suffix, orientation):
    upright = Image.new("RGB", (32, 16), "black")
    upright.paste("white", (0, 0, 16, 8))  # at the left of the top
    flips = {
        2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
        7: "TRANSVERSE", 8: "ROTATE_270",
    }  # fmt: skip
    flip = flips.get(orientation)  # undone by what the camera notes
    stored = upright if flip is None else upright.transpose(Image.Transpose[flip])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(folder() / f"a.{suffix}", exif=exif)
    (folder() / "masks").mkdir()
    stored.convert("L").save(folder() / f"masks/a.{suffix}", exif=exif)
    sample = load("folder", root=table(folder(), f"a.{suffix},0,0,16,8"), size=(16, 32))[0]
    assert sample.image[:, 1:7, 1:15].min() > 0.9 and sample.image[:, 10:].max() < 0.1
    assert sample.image[:, :, 18:].max() < 0.1
    assert sample.mask[:8, :16].all() and sample.mask.sum() == 8 * 16


# -------------------------------------------------------------------------------- annotations


def test_boxes_of_ones_own(dog):
    table(dog, "dog.png,0,0,2,4", "dog.png,4,1,8.5,3")
    data = load("folder", root=dog, size=(8, 16))
    assert data.ids == ("cat.png", "dog.png")
    assert data[0].boxes is None and data[1].boxes.tolist() == [[0, 0, 4, 8], [8, 2, 17, 6]]
    assert data.having("boxes").ids == ("dog.png",) and len(data.having("mask")) == 0
    assert pickle.loads(pickle.dumps(data))[1].boxes.shape == (2, 4)


def test_boxes_of_images_in_class_folders(folder):
    root = table(folder("cat/1.png", "dog/1.png"), ".\\dog\\1.png,0,0,2,2", "cat/1.png,1,1,2,2")
    data = load("folder", root=root, size=4)
    assert [sample.boxes.tolist() for sample in data] == [[[1, 1, 2, 2]], [[0, 0, 2, 2]]]


def test_a_table_as_spreadsheets_write_it(dog):
    lines = "\ufeffimage, x0,y0,x1,y1,note", "", "dog.png, 0,0,2,4,a dog", ""
    (dog / "boxes.csv").write_text("\r\n".join(lines), encoding="utf-8")
    assert load("folder", root=dog, size=(4, 8))[1].boxes.tolist() == [[0, 0, 2, 4]]


def test_masks_of_ones_own_with_their_tight_boxes(dog):
    mask(dog, "dog.bmp", LEFT)
    data = load("folder", root=dog, size=(8, 16))
    assert data.classes is None and data.ids == ("cat.png", "dog.png")
    assert data[0].mask is None and data[0].boxes is None
    assert data[1].mask[:, :4].all() and not data[1].mask[:, 4:].any()
    assert data[1].boxes.tolist() == [[0, 0, 4, 8]]
    assert data.having("mask").ids == data.having("boxes").ids == ("dog.png",)


def test_a_table_goes_before_the_box_of_a_mask(dog):
    table(mask(dog, "dog.png", LEFT), "dog.png,1,1,8,4")
    sample = load("folder", root=dog, size=(4, 8))[1]
    assert sample.boxes.tolist() == [[1, 1, 8, 4]] and sample.mask.sum() == 8


def test_masks_of_images_in_class_folders(folder):
    root = mask(folder("cat/1.jpg", "dog/1.jpg"), "dog/1.png", [[0, 255]] * 2)
    data = load("folder", root=root, size=4)
    assert data.classes == ("cat", "dog") and data.having("mask").ids == ("dog/1.jpg",)


def test_a_mask_without_an_object_has_no_box(dog):
    mask(dog, "dog.png", np.zeros((4, 8)))
    sample = load("folder", root=dog, size=(4, 8))[1]
    assert sample.boxes.shape == (0, 4) and not sample.mask.any()


@pytest.mark.parametrize("shape", [(2, 4), (8, 16), (40, 81), (3, 5)])
def test_a_mask_of_another_size_but_the_same_shape_is_resized(dog, shape):
    mask(dog, "dog.png", np.full(shape, 255))
    assert load("folder", root=dog, size=(4, 8))[1].mask.all()


@pytest.mark.parametrize("shape", [(8, 4), (30, 100), (4, 4)])
def test_a_mask_of_another_shape_is_an_error(dog, shape):
    mask(dog, "dog.png", np.full(shape, 255))
    data = load("folder", root=dog)
    sizes = f"dog.png is {shape[1]} x {shape[0]} pixels and its image 8 x 4 pixels"
    with pytest.raises(ValueError, match=f"{sizes}, of another shape: give a mask"):
        data[1]
    assert data[0].mask is None


def test_a_mask_of_faint_numbers_is_an_error(dog):
    mask(dog, "dog.png", LEFT // 255)
    with pytest.raises(ValueError, match=r"dog.png shows no object, .* 1: paint .* \(255\)"):
        load("folder", root=dog)[1]


def test_a_mask_of_no_image_is_an_error(dog):
    mask(dog, "dgo.png", LEFT)
    with pytest.raises(ValueError, match="masks/dgo.png is the mask of no image .* rename"):
        load("folder", root=dog)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("dog.png,1,2,x,4", "line 3: x1 is 'x', which is no number; give pixels"),
        ("dog.png,1,2,nan,4", "line 3: x1 is 'nan', which is no number"),
        ("dog.png,1,2,3", "line 3: y1 is '', which is no number"),
        ("dog.png,3,0,3,4", "line 3: the box 3,0,3,4 is empty; x1 must be more than x0"),
        ("dog.png,0,4,3,1.5", "line 3: the box 0,4,3,1.5 is empty; .* corners"),
        ("dgo.png,0,0,1,1", "line 3: no image 'dgo.png' is in the folder; .* such as 'dog.png'"),
        (",0,0,1,1", "line 3: no image '' is in the folder; give its path"),
    ],
)
def test_a_malformed_line_is_named(dog, row, message):
    table(dog, "cat.png,0,0,1,1", row)
    with pytest.raises(ValueError, match=f"boxes.csv, {message}"):
        load("folder", root=dog)


@pytest.mark.parametrize("header", ["image,x0,y0,x1", "image;x0;y0;x1;y1", ""])
def test_missing_columns_are_named(dog, header):
    missing = "y1" if "," in header else "image"
    with pytest.raises(ValueError, match=f"has no column '{missing}': .* be image,x0,y0,x1,y1"):
        load("folder", root=table(dog, header=header))


def test_a_table_in_another_encoding_is_an_error(dog):
    (dog / "boxes.csv").write_bytes("image,x0,y0,x1,y1\nBär.png,0,0,1,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match="boxes.csv is not in UTF-8 .*: save it so"):
        load("folder", root=dog)


@pytest.mark.parametrize("box", ["0,0,9.5,4", "0,-2,8,4", "0,0,8,6", "-1.5,0,8,4"])
def test_a_box_that_reaches_out_of_the_image_is_an_error_of_its_sample(dog, box):
    data = load("folder", root=table(dog, f"dog.png,{box}"))
    message = f"the box {box} of .*dog.png reaches out of .* 8 x 4 pixels: .* not of another size"
    with pytest.raises(ValueError, match=message):
        data[1]
    assert data[0].boxes is None


def test_a_pixel_of_imprecision_is_none(dog):
    data = load("folder", root=table(dog, "dog.png,-1,-1,9,5"), size=(4, 8))
    assert data[1].boxes.tolist() == [[-1, -1, 9, 5]]


def test_the_fingerprint_is_of_image_boxes_and_mask(dog):
    def prints():
        return [load("folder", root=dog).fingerprint(i) for i in range(2)]

    found = [prints()]
    for change in (
        lambda: mask(dog, "dog.png", LEFT),
        lambda: mask(dog, "dog.png", 255 - LEFT),
        lambda: table(dog, "dog.png,0,0,2,4"),
        lambda: table(dog, "dog.png,0,0,2,3"),
    ):
        change()
        found.append(prints())
    assert len({dog for _, dog in found}) == 5 and len({cat for cat, _ in found}) == 1
    assert prints() == found[-1]


def test_annotations_follow_into_crops(dog):
    data = crops(load("folder", root=mask(dog, "dog.png", LEFT), size=(4, 8)))
    assert len(data.having("mask")) == 6
    assert all(torch.is_tensor(sample.mask) for sample in data.having("mask"))
