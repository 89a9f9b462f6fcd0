"""The drawing of scenes: shapes, textures, light, occlusion and masks."""

import numpy as np
import pytest
import torch

from testbeds.drawing import SHAPES, TEXTURES, Background, Object, Scene
from testbeds.drawing import boxes, branches, oklch, pixels, render, scatter, strokes
from lib.seeding import stream

PLAIN = Background("gradient", (oklch(0.95, 0, 0), oklch(0.95, 0, 0)), seed=0)


def draw(*objects, background=PLAIN, size=(64, 64), light=0.0):
    return render(Scene(objects, background, light=light, contrast=0, grain=0), size)


def shape(name, x=0.5, y=0.5, radius=0.3, angle=0.0, colour=(0.8, 0.2, 0.2)):
    return Object(name, colour, x, y, radius, angle)


@pytest.mark.parametrize(
    ("name", "area"),
    [("circle", np.pi * 0.9**2), ("ring", np.pi * (0.94**2 - 0.54**2)), ("square", 1.449**2)],
)
def test_the_mask_has_the_area_of_the_shape(name, area):
    visible = draw(shape(name, angle=0.3), size=(512, 512))[1]
    assert visible.float().mean() == pytest.approx(area * 0.3**2, rel=0.01)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_fits_its_circle_and_turns_with_its_angle(name):
    visible = [draw(shape(name, angle=a), size=(256, 256))[1][0] for a in (0, np.pi / 2)]
    y, x = visible[0].nonzero().T
    reach = (torch.hypot(x + 0.5 - 128, y + 0.5 - 128).max() / 256 / 0.3).item()
    assert 0.85 < reach <= 1.01
    turned = torch.rot90(visible[0], -1)  # clockwise on the screen, where y is down
    assert (turned != visible[1]).float().mean() < 0.001


@pytest.mark.parametrize("name", SHAPES)
def test_distances_are_distances(name):
    """Outside, no shape's distance grows faster than the way; so edges are one pixel wide."""
    y, x = np.mgrid[-1.2:1.2:240j, -1.2:1.2:240j].astype(np.float32)
    distance = SHAPES[name](x, y)
    steepest = max(np.abs(np.diff(distance, axis=axis)).max() for axis in (0, 1)) / (2.4 / 239)
    assert 0.95 < steepest < 1.01


def test_the_one_in_front_hides_the_one_behind():
    back, front = shape("square", x=0.4), shape("circle", x=0.6)
    first, second = draw(back, front)[1]
    assert not (first & second).any()
    assert torch.equal(second, draw(front)[1][0])
    assert torch.equal(first | second, draw(back)[1][0] | second)


def test_an_object_may_leave_the_image():
    _, visible = draw(shape("heart", x=0.0), shape("star", x=1.5, y=-1.0))
    assert visible[0, :, 0].any() and not visible[1].any()
    assert boxes(visible[:1])[0, 0] == 0


@pytest.mark.parametrize("texture", TEXTURES)
def test_textures_vary_with_their_seed_and_stay_between_their_colours(texture):
    dark, bright = (0.2, 0.3, 0.4), (0.6, 0.7, 0.8)
    images = [draw(background=Background(texture, (dark, bright), seed))[0] for seed in (0, 1)]
    assert (images[0] - images[1]).abs().mean() > 0.02
    for image in images:
        assert (image.amin((1, 2)) >= torch.tensor(dark) - 1e-6).all()
        assert (image.amax((1, 2)) <= torch.tensor(bright) + 1e-6).all()
        assert image.std() > 0.03


def test_light_comes_from_its_side():
    image, visible = draw(shape("circle"), light=np.pi)
    brightness = image.mean(0)
    left, right = brightness[:, :32][visible[0][:, :32]], brightness[:, 32:][visible[0][:, 32:]]
    assert left.mean() > right.mean() + 0.02


def test_oklch_gives_known_colours():
    assert oklch(0, 0, 0) == (0, 0, 0)
    assert oklch(1, 0, 0) == (1, 1, 1)
    assert oklch(0.62796, 0.25768, 29.2339) == pytest.approx((1, 0, 0), abs=2e-3)
    assert oklch(0.45201, 0.31321, 264.052) == pytest.approx((0, 0, 1), abs=2e-3)


def test_boxes_of_no_masks():
    assert boxes(torch.zeros(0, 4, 4, dtype=torch.bool)).shape == (0, 4)


def test_streams_differ_by_seed_and_name():
    names = [(0, "test_1"), (1, "test_1"), (0, "test_2"), (0, "train_1"), (0, "test_11")]
    assert len({stream(*name).random() for name in names}) == len(names)
    assert stream(0, "test_1").random() == stream(0, "test_1").random()


def test_scattered_circles_keep_apart():
    rng = stream(0, "scatter")
    radii = [0.15, 0.15, 0.1, 0.05]
    for _ in range(50):
        centres = np.array(scatter(rng, radii, 1, lambda radius: rng.uniform(radius, 1 - radius)))
        distances = np.hypot(*(centres[:, None] - centres).T)
        least = np.add.outer(radii, radii) - np.diag(np.multiply(radii, 2))
        assert (distances >= least - 1e-12).all()


def test_a_stroke_has_the_area_of_a_capsule_at_every_size():
    line = (0.3, 0.4, 0.6, 0.5, 0.1)
    area = 0.1 * np.hypot(0.3, 0.1) + np.pi * 0.05**2
    for size in ((64, 64), (200, 100)):
        assert strokes([line], *pixels(size)).mean() == pytest.approx(area, rel=0.05)


def test_a_stroke_thinner_than_a_pixel_is_fainter():
    line = (0.1, 0.4, 0.9, 0.6, 0.004)
    coarse, fine = (strokes([line], *pixels((n, n))) for n in (32, 512))
    assert coarse.max() < 0.3 and fine.max() > 0.9
    assert coarse.mean() == pytest.approx(fine.mean(), rel=0.1)


def test_strokes_may_leave_the_image():
    lines = [(-0.5, -0.5, -0.1, -0.2, 0.1), (1.2, 0.5, 2.0, 0.5, 0.1), (0.9, 0.5, 1.5, 0.5, 0.1)]
    cover = strokes(lines, *pixels((32, 32)))
    assert not cover[:, :20].any() and cover[16, -1] == 1


def test_branches_are_connected_and_thin_out():
    lines = branches(stream(0, "vessel"), 0.2, 0.3, 0.0, 0.3, 0.02, forks=2)
    assert len(lines) == 2 * (1 + 2 + 4) and lines[0][:2] == (0.2, 0.3)
    ends = {line[2:4] for line in lines}
    assert all(line[:2] in ends for line in lines[1:])
    assert {round(line[4], 6) for line in lines} == {0.02, 0.015, 0.01125}
