"""Image files: exact pixels, boxes that follow the resizing, fingerprints, and damaged files."""

import pytest
import torch
from PIL import Image

from lib.data.image_file import ImageFile, decode, image_files, scale, voc_boxes


@pytest.fixture
def photo(tmp_path):
    """4 x 8 (H x W) pixels: red, but for a blue right half."""
    image = Image.new("RGB", (8, 4), (255, 0, 0))
    image.paste((0, 0, 51), (4, 0, 8, 4))
    image.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_pixels_are_rgb_in_0_1(photo):
    image = ImageFile(photo, "photo").sample((4, 8)).image
    expected = torch.zeros(3, 4, 8)
    expected[0, :, :4] = 1
    expected[2, :, 4:] = 51 / 255
    assert image.dtype == torch.float32 and image.is_contiguous()
    assert torch.equal(image, expected)


def test_the_whole_image_is_resized_without_cropping(photo):
    image = ImageFile(photo, "photo").sample((16, 16)).image
    assert image.shape == (3, 16, 16)
    assert torch.equal(image[0, :, 0], torch.ones(16)), "the left edge is still there"
    assert torch.equal(image[2, :, -1], torch.full((16,), 51 / 255)), "and the right one"


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / "photo.tif"
    Image.new("RGB", (5, 5), "white").convert(mode).save(path)
    assert torch.equal(ImageFile(path, "photo").sample((5, 5)).image, torch.ones(3, 5, 5))


def test_boxes_follow_the_resizing_of_the_image(photo):
    boxes = ((2.0, 1.0, 6.0, 3.0), (0.0, 0.0, 8.0, 4.0))
    sample = ImageFile(photo, "photo", boxes=boxes).sample((8, 24))
    assert sample.boxes.tolist() == [[6, 2, 18, 6], [0, 0, 24, 8]]


def test_boxes_can_be_given_in_a_frame_of_their_own(photo):
    sample = ImageFile(photo, "photo", boxes=((128, 0, 512, 256),), frame=(512, 512)).sample((4, 8))
    assert sample.boxes.tolist() == [[2, 0, 8, 2]]


def test_no_boxes_and_not_annotated_differ(photo):
    assert scale((), (4, 8), (4, 8)).shape == (0, 4)
    assert ImageFile(photo, "photo", boxes=()).sample((4, 8)).boxes.shape == (0, 4)
    assert ImageFile(photo, "photo").sample((4, 8)).boxes is None


def test_a_file_says_its_annotations(photo, tmp_path):
    def annotated(**given):
        return ImageFile(photo, "photo", **given).annotated

    assert annotated() == frozenset()
    assert annotated(boxes=()) == annotated(annotation=tmp_path / "a.xml") == {"boxes"}
    assert annotated(mask=photo) == {"boxes", "mask"}
    assert annotated(question="what?") == {"question"}


def test_published_boxes_are_in_the_frame_of_the_stored_pixels(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    sample = ImageFile(tmp_path / "a.jpg", "a", boxes=((4, 0, 8, 4),)).sample((4, 8))
    assert sample.boxes.tolist() == [[4, 0, 8, 4]]
    assert decode(tmp_path / "a.jpg").size == (8, 4)
    assert decode(tmp_path / "a.jpg", upright=True).size == (4, 8)


def test_fingerprint_depends_on_content_only(photo, tmp_path):
    here = ImageFile(photo, "photo", 3, boxes=((0, 0, 1, 1),))
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere/renamed.png"
    copy.write_bytes(photo.read_bytes())
    assert ImageFile(copy, "renamed", 3, boxes=((0, 0, 1, 1),)).fingerprint() == here.fingerprint()

    copy.write_bytes(photo.read_bytes() + b"\0")
    others = [
        ImageFile(copy, "photo", 3, boxes=((0, 0, 1, 1),)),
        ImageFile(photo, "photo", 4, boxes=((0, 0, 1, 1),)),
        ImageFile(photo, "photo", 3, boxes=((0, 0, 1, 2),)),
        ImageFile(photo, "photo", 3, boxes=((0, 0, 1, 1),), frame=(9, 9)),
        ImageFile(photo, "photo", 3),
    ]
    assert len({here.fingerprint(), *(other.fingerprint() for other in others)}) == 6


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tif", "avif", "gif"])
def test_a_truncated_file_is_named(tmp_path, suffix):
    path = tmp_path / f"half.{suffix}"
    Image.effect_noise((64, 64), 80).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"cannot read the image .*half.{suffix}: .*remove"):
        ImageFile(path, "half").sample((8, 8))


@pytest.mark.parametrize("content", [b"", b"<html>404 not found</html>", b"\xff\xd8\xff"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    (tmp_path / "page.jpg").write_bytes(content)
    with pytest.raises(ValueError, match="cannot read the image .*page.jpg"):
        ImageFile(tmp_path / "page.jpg", "page").sample((8, 8))


def test_a_file_that_has_gone_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.jpg"):
        ImageFile(tmp_path / "gone.jpg", "gone").sample((8, 8))


def test_image_files_are_sorted_and_nothing_else_is_listed(tmp_path):
    for name in ("b.JPEG", "a.png", "c.jpg", "notes.txt", ".hidden.jpg", "._c.jpg"):
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == ["a.png", "b.JPEG", "c.jpg"]


@pytest.mark.parametrize(
    "text",
    [
        "<annotation><object>",
        "<annotation><object><bndbox><xmin>1</xmin></bndbox></object></annotation>",
        "<annotation><object><bndbox><xmin>one</xmin></bndbox></object></annotation>",
    ],
    ids=["cut", "incomplete", "no number"],
)
def test_a_malformed_annotation_is_named(tmp_path, text):
    (tmp_path / "bad.xml").write_text(text)
    with pytest.raises(ValueError, match="cannot read .*bad.xml: .*take the file anew"):
        voc_boxes(tmp_path / "bad.xml")
