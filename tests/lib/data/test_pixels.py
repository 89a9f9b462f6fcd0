"""The pixels of files in every mode that Pillow has: as bright as they are, or refused."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from lib.data import load
from lib.data.image_file import ImageFile, decode, read_mask
from lib.data.pixels import departs, to_grey, to_rgb

RAMP = np.linspace(0, 1, 256)[None].repeat(2, 0)  # (2, 256), black to white

# What `Image.open` gives of files, and files whose mode Pillow names otherwise than it reads them.
KINDS = {
    "png 8": ("png", lambda: grey(np.uint8, 255)),
    "png 16": ("png", lambda: grey(np.uint16, 65535)),
    "png RGB": ("png", lambda: grey(np.uint8, 255).convert("RGB")),
    "png RGBA": ("png", lambda: grey(np.uint8, 255).convert("RGBA")),
    "png LA": ("png", lambda: grey(np.uint8, 255).convert("LA")),
    "png P": ("png", lambda: grey(np.uint8, 255).convert("P")),
    "tiff 16": ("tif", lambda: grey(np.uint16, 65535)),
    "tiff 16, big-endian": ("tif", lambda: grey(">u2", 65535)),
    "tiff float": ("tif", lambda: grey(np.float32, 1)),
    "tiff CMYK": ("tif", lambda: grey(np.uint8, 255).convert("CMYK")),
    "tiff YCbCr": ("tif", lambda: grey(np.uint8, 255).convert("RGB").convert("YCbCr")),
    "tiff RGBX": ("tif", lambda: grey(np.uint8, 255).convert("RGBX")),
    "gif": ("gif", lambda: grey(np.uint8, 255)),
    "bmp": ("bmp", lambda: grey(np.uint8, 255)),
}


def grey(dtype, white) -> Image.Image:
    values = RAMP * white
    return Image.fromarray((values if white == 1 else values.round()).astype(dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_a_ramp_is_a_ramp_in_every_kind_of_file(kind, tmp_path):
    suffix, make = KINDS[kind]
    make().save(tmp_path / f"ramp.{suffix}")
    shown = np.asarray(decode(tmp_path / f"ramp.{suffix}")).astype(float) / 255
    assert shown.shape == (2, 256, 3)
    assert np.abs(shown - RAMP[..., None]).max() <= 3 / 255  # YCbCr and palettes round twice
    sample = load("folder", root=tmp_path / f"ramp.{suffix}", size=(2, 256))[0]
    assert abs(sample.image.mean() - 0.5) < 0.005
    mask = read_mask(tmp_path / f"ramp.{suffix}", decode(tmp_path / f"ramp.{suffix}"))
    assert abs(np.asarray(mask).mean() / 255 - 0.5) < 0.005


@pytest.mark.parametrize("mode", Image.MODES)
def test_every_mode_is_shown_or_refused_by_name(mode):
    white = {"F": 1.0, "I": 65535, "RGBA": (255,) * 4, "LA": (255, 255)}
    bands = {"I;16": 65535, "I;16L": 65535, "I;16B": 65535, "I;16N": 65535}
    try:
        image = Image.new(mode, (2, 2), (white | bands).get(mode, "white"))
    except (TypeError, ValueError):  # Pillow cannot name white in it
        image = Image.new(mode, (2, 2))
    try:
        assert to_rgb(image, "it").mode == "RGB" and to_grey(image, "it").mode == "L"
        if mode in white | bands:
            assert to_rgb(image, "it").getpixel((0, 0)) == (255, 255, 255)
    except ValueError as error:
        assert str(error).startswith(f"it has pixels in Pillow's mode {mode!r}, which ")
        assert "save it in 8 bits a channel" in str(error)


def test_twelve_bits_and_white_is_zero(tmp_path):
    values = (RAMP * 65535).round().astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tif", tiffinfo={262: 0})
    shown = np.asarray(decode(tmp_path / "a.tif"))[..., 0] / 255
    assert np.abs(shown - (1 - RAMP)).max() < 1 / 255
    narrow = Image.fromarray((RAMP * 4095).round().astype(np.uint16))
    narrow.tag_v2 = {258: (12,)}
    assert np.abs(np.asarray(to_grey(narrow, "it")) / 255 - RAMP).max() < 1 / 255


@pytest.mark.parametrize(
    "values, said",
    [
        (np.float32([[0, 255.0]]), r"'F', which are floats in \[0, 255\], not in \[0, 1\]"),
        (np.float32([[0, np.nan]]), r"'F', which are floats in \[nan, nan\]"),
        (np.int32([[0, 70000]]), "'I', which are whole numbers of which none is said to be white"),
    ],
)
def test_numbers_that_say_not_how_bright_they_are(values, said, tmp_path):
    Image.fromarray(values).save(tmp_path / "a.tif")
    remedy = "save it in 8 bits a channel, as RGB or grey"
    with pytest.raises(ValueError, match=f"the image .*a.tif has pixels .* {said}.*: {remedy}"):
        load("folder", root=tmp_path)[0]
    with pytest.raises(ValueError, match=f"the mask .*a.tif has pixels .* {said}.*: {remedy}"):
        read_mask(tmp_path / "a.tif", Image.new("RGB", (2, 1)))


# Transparency ---------------------------------------------------------------------------------


def transparent(kind: str) -> Image.Image:
    """Black, but transparent at the right, with red under it."""
    rgba = Image.new("RGBA", (8, 4), (0, 0, 0, 255))
    rgba.paste((255, 0, 0, 0), (4, 0, 8, 4))
    if kind == "RGBA":
        return rgba
    if kind == "LA":
        return rgba.convert("LA")
    flat = Image.new("RGB", (8, 4), "black")
    flat.paste("red", (4, 0, 8, 4))
    if kind == "RGB":
        flat.info["transparency"] = (255, 0, 0)
        return flat
    indexed = flat.quantize(4)
    indexed.info["transparency"] = indexed.getpixel((7, 0))
    return indexed


@pytest.mark.parametrize(
    "kind, suffix",
    [("RGBA", "png"), ("LA", "png"), ("RGB", "png"), ("P", "png"), ("P", "gif"), ("RGBA", "webp"),
     ("RGBA", "tif")],
)  # fmt: skip
def test_what_is_transparent_is_white_and_in_a_mask_black(kind, suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    image = transparent(kind)
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    image.save(path, **{key: image.info[key] for key in image.info}, **options)
    shown = np.asarray(decode(path))
    assert (shown[:, :4] == 0).all() and (shown[:, 4:] == 255).all()
    assert not np.asarray(read_mask(path, decode(path)))[:, 4:].any()


def test_half_transparent_is_half_white():
    half = Image.new("RGBA", (1, 1), (0, 0, 255, 128))
    assert to_rgb(half, "it").getpixel((0, 0)) == pytest.approx((127, 127, 255), abs=1)


def test_a_wide_grey_with_a_transparent_value_is_refused():
    wide = Image.new("I;16", (2, 2))
    wide.info["transparency"] = 5
    with pytest.raises(ValueError, match="'I;16', which have a transparent value: save it"):
        to_rgb(wide, "it")


# Fingerprints ---------------------------------------------------------------------------------


def test_what_is_read_otherwise_than_pillow_does_is_known_by_that(tmp_path):
    assert departs(Image.new("L", (1, 1))) == departs(Image.new("CMYK", (1, 1))) == ""
    assert departs(transparent("P")) == departs(transparent("RGBA")) == "transparent"
    assert departs(grey(np.uint16, 65535)) == "wide"
    prints = {}
    for kind in ("png 8", "png 16", "png RGBA"):
        KINDS[kind][1]().save(tmp_path / f"{kind}.png")
        prints[kind] = ImageFile(tmp_path / f"{kind}.png", kind).fingerprint()
    # As they were before, so that what is stored of them is found.
    plain = ImageFile(tmp_path / "png 8.png", "a")
    said = (tmp_path / "png 8.png").read_bytes() + b"[null, null, null, null]"
    assert plain.fingerprint() == hashlib.sha256(said).hexdigest()
    said = (tmp_path / "png 16.png").read_bytes() + b"[null, null, null, null]"
    assert prints["png 16"] != hashlib.sha256(said).hexdigest()
