"""DICOM files, written as scanners write them."""

import numpy as np
import pytest

from lib.data.dicom import decode_dicom

from ...tiny_datasets import write_dicom

RAMP = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)


def test_eight_bits_stay_as_they_are(tmp_path):
    found = np.array(decode_dicom(write_dicom(tmp_path / "a.dcm", RAMP)))
    assert found.dtype == np.uint8 and (found == RAMP).all()


def test_bone_is_bright_however_it_is_stored(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", 255 - RAMP, "MONOCHROME1")
    assert (np.array(decode_dicom(path)) == RAMP).all()


def test_sixteen_bits_keep_their_order_and_fill_the_range(tmp_path):
    pixels = RAMP.astype(np.uint16) * 200 + 1000
    found = np.array(decode_dicom(write_dicom(tmp_path / "a.dcm", pixels)))
    assert found.min() == 0 and found.max() == 255
    assert np.allclose(found / 255, RAMP / RAMP.max(), atol=0.5 / 255)


def test_a_window_is_applied(tmp_path):
    pixels = RAMP.astype(np.uint16) * 10
    path = write_dicom(tmp_path / "a.dcm", pixels, WindowCenter=1200, WindowWidth=400)
    found = np.array(decode_dicom(path))
    assert (found[pixels < 1000] == 0).all() and (found[pixels > 1400] == 255).all()
    assert 100 < found[pixels == 1200].item() < 155


@pytest.mark.parametrize("content", [b"", b"DICM", b"\0" * 128 + b"DICM\0\0"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot read the image .*a.dcm.*replace or remove it"):
        decode_dicom(path)


def test_several_frames_are_no_radiograph(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", np.stack([RAMP, RAMP]))
    with pytest.raises(ValueError, match=r"\(2, 10, 12\), not one grey image"):
        decode_dicom(path)
