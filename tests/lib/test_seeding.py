"""Random numbers that depend on the image only."""

import numpy as np
import pytest
import torch

from lib.seeding import generator, quantised, seed_of, seeded_globally

from .networks import images


def states():
    return torch.get_rng_state(), np.random.get_state()[1].copy(), np.random.get_state()[2]


def draw():
    return [*torch.rand(3).tolist(), *np.random.rand(3)]


def test_the_seed_follows_the_pixels_and_the_seed():
    x = images(2)
    assert seed_of(x[0], 0) == seed_of(x[0].float(), 0) == seed_of(x[0].clone().requires_grad_(), 0)
    assert len({seed_of(x[0], 0), seed_of(x[1], 0), seed_of(x[0], 1), seed_of(x[0], -1)}) == 4


def test_generators_repeat():
    x = images(1)[0]
    first, again = (torch.rand(5, generator=generator(x, 3)) for _ in range(2))
    assert torch.equal(first, again)


def test_quantised_is_what_a_file_holds():
    x = torch.tensor([0, 1 / 255, 0.5, 1]).expand(3, 1, 4)
    assert quantised(x)[0, 0].tolist() == [0, 1, 128, 255]


def test_inside_the_global_generators_follow_the_image():
    x = images(2)
    drawn = []
    for image in (x[0], x[0], x[1]):
        draw()
        with seeded_globally(image, 0):
            drawn.append(draw())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("error", [False, True])
def test_outside_they_go_on_as_if_nothing_had_happened(error):
    torch.manual_seed(1), np.random.seed(1)
    before = states()
    try:
        with seeded_globally(images(1)[0], 0):
            draw()
            assert not torch.equal(torch.get_rng_state(), before[0])
            if error:
                raise RuntimeError
    except RuntimeError:
        assert error
    after = states()
    assert torch.equal(after[0], before[0]) and (after[1] == before[1]).all()
    assert after[2] == before[2]
