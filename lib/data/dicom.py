"""Radiographs in DICOM files."""

from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from .files import opening


def decode_dicom(path: Path) -> Image.Image:
    """The file as an 8-bit grey image, with the window that it declares and with bright bones.

    Raises:
        ValueError: the file is missing, damaged, or not one grey image; the message names it.
    """
    with opening(path, "image") as stream:
        file = dcmread(stream)
        pixels = file.pixel_array
        if pixels.ndim != 2:
            raise ValueError(f"its pixels are {pixels.shape}, not one grey image")
        if "WindowWidth" in file or "VOILUTSequence" in file:
            pixels = apply_voi_lut(apply_modality_lut(pixels, file), file)
        elif pixels.dtype == np.uint8:
            return Image.fromarray(_bone_bright(file, pixels))
        low, high = float(pixels.min()), float(pixels.max())
        grey = (pixels - low) / (high - low if high > low else 1.0) * 255  # (H, W)
        return Image.fromarray(_bone_bright(file, grey.round().astype(np.uint8)))


def _bone_bright(file, grey: np.ndarray) -> np.ndarray:
    return 255 - grey if file.PhotometricInterpretation == "MONOCHROME1" else grey
