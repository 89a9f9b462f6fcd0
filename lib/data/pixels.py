"""The pixels of an image file in 8 bits, for every mode that the file may have.

Pillow converts most modes, but clips those of more than 8 bits, and drops transparency, which
reveals hidden colours. Both are handled here.
"""

import numpy as np
from PIL import Image
from PIL.TiffTags import TAGS_V2

_BITS, _PHOTOMETRIC = (
    next(number for number, tag in TAGS_V2.items() if tag.name == name)
    for name in ("BitsPerSample", "PhotometricInterpretation")
)
_WHITE_IS_ZERO = 0
_SIXTEEN_BITS = ("PNG", "PPM")  # formats whose wide greys Pillow may give in 32 bits


def to_rgb(image: Image.Image, what: str) -> Image.Image:
    """The image in 8-bit RGB, white where it is transparent, as viewers show it.

    Greys of 16 bits are divided by 65535 (12 bits: by 4095), and floats are taken in [0, 1].

    Args:
        what: the name of the image in an error message.

    Raises:
        ValueError: floats lie outside [0, 1], or the mode does not define the range of brightness.

    Example:
        >>> to_rgb(Image.open("scan.tif"), "the image scan.tif").mode
        'RGB'
    """
    return _convert(image, "RGB", "white", what)


def to_grey(image: Image.Image, what: str) -> Image.Image:
    """The image in 8-bit grey, as `to_rgb` but black where it is transparent; for masks."""
    return _convert(image, "L", "black", what)


def departs(image: Image.Image) -> str:
    """How pixels are read if not by Pillow's own conversion, else ""; from the file's header."""
    if _is_wide(image):
        return "wide"
    return "transparent" if image.has_transparency_data else ""


def _is_wide(image: Image.Image) -> bool:
    return image.mode[0] in "IF"  # I, I;16, ..., F


def _convert(image: Image.Image, mode: str, ground: str, what: str) -> Image.Image:
    if _is_wide(image):
        return Image.fromarray(_in_8_bits(image, what)).convert(mode)
    try:
        if image.has_transparency_data:
            under = Image.new("RGBA", image.size, ground)
            image = Image.alpha_composite(under, image.convert("RGBA"))
        return image.convert(mode)
    except ValueError as error:  # of Pillow, without a name
        raise _unknown(image, what, f"cannot be shown ({error})") from error


def _in_8_bits(image: Image.Image, what: str) -> np.ndarray:
    """Greys (H, W) of a mode of more than 8 bits."""
    if image.has_transparency_data:
        raise _unknown(image, what, "have a transparent value")
    values = np.asarray(image).astype(np.float64)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "F":
        white = 1
        low, high = values.min(), values.max()
        if not 0 <= low <= high <= 1:  # also where there is NaN
            raise _unknown(image, what, f"are floats in [{low:g}, {high:g}], not in [0, 1]")
    elif image.mode == "I" and image.format not in _SIXTEEN_BITS:
        raise _unknown(image, what, "are whole numbers of which none is said to be white")
    else:
        white = 4095 if tags.get(_BITS) == (12,) else 65535
    values /= white
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 1 - values
    return (values * 255).round().astype(np.uint8)


def _unknown(image: Image.Image, what: str, problem: str) -> ValueError:
    return ValueError(
        f"{what} has pixels in Pillow's mode {image.mode!r}, which {problem}: save it in 8 bits a "
        "channel, as RGB or grey"
    )
