"""The game of the channels: its fast computation against each coalition through the whole head."""

import pytest
import torch

from lib.methods.coalition_game import AdditiveGame, CoalitionGame, coalition_game
from lib.selectors import SELECTORS, select

from ..networks import CHANNELS, HEADS, NETWORKS, headed, images, non_linear, residual

TARGET = torch.tensor([2])
ADDITIVE = ["hidden", "deep", "one_by_one", "three_by_three", "pool_then_relu", "normalised"]


def made(name):
    return headed(name) if name in HEADS else NETWORKS[name]()


def coalitions(n=20, players=CHANNELS, seed=3):
    return torch.rand(n, players, generator=torch.Generator().manual_seed(seed)) < 0.5


def through_the_head(net, A, context, kept, selector="logit"):
    """The scores of the coalitions, each computed alone."""
    score, out = select(selector), []
    for keep in kept:
        some = torch.where(keep[:, None, None], A, 0.0)
        out.append(score(net.head(some, context), TARGET))
    return torch.cat(out)


@pytest.mark.parametrize("name", [*HEADS, *NETWORKS])
def test_which_heads_begin_additively(name):
    net = made(name)
    A, context = net.cut(images(1))
    kind = AdditiveGame if name in [*ADDITIVE, "non_linear"] else CoalitionGame
    assert type(coalition_game(net, A, context, TARGET)) is kind


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("name", [*HEADS, "affine", "non_linear", "residual"])
def test_the_value_is_the_heads_score_of_the_kept_channels(name, selector):
    net = made(name)
    A, context = net.cut(images(1))
    want = through_the_head(net, A, context, coalitions(), selector)
    assert torch.allclose(
        coalition_game(net, A, context, TARGET, selector).value(coalitions()), want, atol=1e-10
    )


@pytest.mark.parametrize("name", [*HEADS, "residual"])
def test_drops_are_differences_of_values(name):
    net = made(name)
    A, context = net.cut(images(1))
    game = coalition_game(net, A, context, TARGET)
    everyone = torch.ones(1, CHANNELS, dtype=torch.bool)
    want = game.value(everyone) - game.value(~torch.eye(CHANNELS, dtype=torch.bool))
    assert torch.allclose(game.drops(), want, atol=1e-10)


@pytest.mark.parametrize("chunk", [1, 2, 5, 6, 13, 1000, None])
@pytest.mark.parametrize("name", ["deep", "one_by_one", "residual"])
def test_marginal_contributions_are_differences_of_values_along_each_ordering(name, chunk):
    net = made(name)
    A, context = net.cut(images(1))
    game = coalition_game(net, A, context, TARGET, chunk=chunk)
    orderings = torch.rand(4, CHANNELS, generator=torch.Generator().manual_seed(0)).argsort(1)
    want = torch.zeros(CHANNELS, dtype=A.dtype)
    for ordering in orderings:
        kept = torch.zeros(1, CHANNELS, dtype=torch.bool)
        for player in ordering:
            before = through_the_head(net, A, context, kept)
            kept[0, player] = True
            want[player] += (through_the_head(net, A, context, kept) - before)[0] / 4
    assert torch.allclose(game.marginal_contributions(orderings), want, atol=1e-10)


def test_a_channel_of_zeros_is_no_player():
    net = non_linear()
    A, context = net.cut(images(1))
    A[:, [1, 4]] = 0
    assert coalition_game(net, A, context, TARGET).players.tolist() == [0, 2, 3, 5]


@pytest.mark.parametrize("network", [non_linear, residual])
def test_with_no_player_nothing_is_gained_or_lost(network):
    net = network()
    A, context = net.cut(images(1))
    game = coalition_game(net, 0 * A, context, TARGET)
    assert (
        game.drops().shape
        == game.marginal_contributions(torch.zeros(3, 0, dtype=torch.long)).shape
        == (0,)
    )


def test_the_game_leaves_its_activation_alone():
    net = headed("one_by_one")
    A, context = net.cut(images(1))
    before = A.clone()
    game = coalition_game(net, A, context, TARGET)
    (
        game.drops(),
        game.value(coalitions()),
        game.marginal_contributions(torch.arange(CHANNELS)[None]),
    )
    assert torch.equal(A, before)


def test_a_chunk_is_at_least_one_coalition():
    with pytest.raises(ValueError, match="chunk is at least 1, got 0"):
        coalition_game(non_linear(), None, None, TARGET, chunk=0)
