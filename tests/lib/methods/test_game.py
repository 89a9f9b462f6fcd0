"""The channels' game: coalitions through columns, against coalitions through the whole head."""

import pytest
import torch

from lib.methods.game import AdditiveGame, HeadGame, game
from lib.nets import context_of
from lib.selectors import SELECTORS, select

from ..networks import CHANNELS, HEADS, NETWORKS, headed, images, non_linear, residual

TARGET = torch.tensor([2])
ADDITIVE = ["hidden", "deep", "one_by_one", "three_by_three", "pool_then_relu", "normalised"]


def made(name):
    return headed(name) if name in HEADS else NETWORKS[name]()


def coalitions(n=20, players=CHANNELS, seed=3):
    return torch.rand(n, players, generator=torch.Generator().manual_seed(seed)) < 0.5


def through_the_head(net, A, kept, selector="logit"):
    """Each coalition on its own."""
    score, out = select(selector), []
    for keep in kept:
        some = torch.where(keep[:, None, None], A, 0.0)
        out.append(score(net.head(some, context_of(A)), TARGET))
    return torch.cat(out)


@pytest.mark.parametrize("name", [*HEADS, *NETWORKS])
def test_which_heads_begin_additively(name):
    net = made(name)
    A = net.features(images(1))
    assert isinstance(
        game(net, A, TARGET), AdditiveGame if name in [*ADDITIVE, "non_linear"] else HeadGame
    )


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("name", [*HEADS, "affine", "non_linear", "residual"])
def test_worth_is_the_heads_score_of_the_kept_channels(name, selector):
    net = made(name)
    A = net.features(images(1))
    want = through_the_head(net, A, coalitions(), selector)
    assert torch.allclose(game(net, A, TARGET, selector).worth(coalitions()), want, atol=1e-10)


@pytest.mark.parametrize("name", [*HEADS, "residual"])
def test_losses_are_differences_of_worth(name):
    net = made(name)
    A = net.features(images(1))
    play = game(net, A, TARGET)
    everyone = torch.ones(1, CHANNELS, dtype=torch.bool)
    want = play.worth(everyone) - play.worth(~torch.eye(CHANNELS, dtype=torch.bool))
    assert torch.allclose(play.losses(), want, atol=1e-10)


@pytest.mark.parametrize("chunk", [1, 2, 5, 6, 13, 1000, None])
@pytest.mark.parametrize("name", ["deep", "one_by_one", "residual"])
def test_gains_are_differences_of_worth_along_each_ordering(name, chunk):
    net = made(name)
    A = net.features(images(1))
    play = game(net, A, TARGET, chunk=chunk)
    orderings = torch.rand(4, CHANNELS, generator=torch.Generator().manual_seed(0)).argsort(1)
    want = torch.zeros(CHANNELS, dtype=A.dtype)
    for ordering in orderings:
        kept = torch.zeros(1, CHANNELS, dtype=torch.bool)
        for player in ordering:
            before = through_the_head(net, A, kept)
            kept[0, player] = True
            want[player] += (through_the_head(net, A, kept) - before)[0] / 4
    assert torch.allclose(play.gains(orderings), want, atol=1e-10)


def test_a_channel_of_zeros_is_no_player():
    net = non_linear()
    A = net.features(images(1)).clone()
    A[:, [1, 4]] = 0
    assert game(net, A, TARGET).players.tolist() == [0, 2, 3, 5]


@pytest.mark.parametrize("network", [non_linear, residual])
def test_with_no_player_nothing_is_gained_or_lost(network):
    net = network()
    A = net.features(images(1)) * 0
    play = game(net, A, TARGET)
    assert play.losses().shape == play.gains(torch.zeros(3, 0, dtype=torch.long)).shape == (0,)


def test_the_game_leaves_its_activation_alone():
    net = headed("one_by_one")
    A = net.features(images(1))
    before = A.clone()
    play = game(net, A, TARGET)
    play.losses(), play.worth(coalitions()), play.gains(torch.arange(CHANNELS)[None])
    assert torch.equal(A, before)


def test_a_chunk_is_at_least_one_coalition():
    with pytest.raises(ValueError, match="chunk is at least 1, got 0"):
        game(non_linear(), None, TARGET, chunk=0)
