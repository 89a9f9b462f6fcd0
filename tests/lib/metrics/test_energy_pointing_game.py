"""Energy-based pointing game: the share of a map in the boxes."""

import pytest
import torch

from lib.metrics import METRICS

from ..networks import affine, images, maps

EPG = METRICS["energy_pointing_game"]


def proportion(S, boxes):
    return EPG.fn(
        affine(), images(len(S)), 0, S, boxes=[torch.tensor(b, dtype=torch.float32) for b in boxes]
    )


def test_by_hand():
    S = torch.zeros(2, 16, 16)
    S[0, 2:4, 5:9] = 0.5  # 8 pixels, of which 2 rows by 3 columns are inside
    S[0, 10, 10] = 1
    S[1] = 1
    got = proportion(S, [[[6, 0, 16, 8]], [[0, 0, 8, 8], [8, 8, 16, 16]]])
    assert got.tolist() == pytest.approx([3 / 5, 0.5])


def test_overlapping_boxes_count_once():
    S = maps(1)
    whole = proportion(S, [[[0, 0, 12, 16], [4, 0, 16, 16]]])
    assert whole.item() == pytest.approx(1)


def test_a_map_of_zeros_points_nowhere():
    assert proportion(torch.zeros(1, 16, 16), [[[0, 0, 16, 16]]]).tolist() == [0]


def test_boxes_are_needed_one_tensor_an_image():
    assert EPG.given == {"boxes": True} and "boxes" not in EPG.options
    with pytest.raises(ValueError, match=r"energy_pointing_game needs boxes: pass boxes=\[...\]"):
        EPG.fn(affine(), images(), 0, maps())
    with pytest.raises(ValueError, match="boxes: 1 for 4 images"):
        EPG.fn(affine(), images(), 0, maps(), boxes=[torch.ones(1, 4)])
