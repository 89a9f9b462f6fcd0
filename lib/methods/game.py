r"""The cooperative game of LIFT-CAM, section 3: players are channels, a coalition is worth its logit.

$v(a') = F^c(h_A(a'))$, where $h_A(a')$ keeps the channels of $A$ with $a'_k = 1$ and zeroes the
others. SHAP-CAM, LIME-CAM and Ablation-CAM ask the same game different questions.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

from ..checks import check_count
from ..nets import context_of
from ..selectors import select


def game(
    net, A: Tensor, target: Tensor, selector: str = "logit", chunk: int | None = None
) -> "Game":
    """The game of one image and class.

    Where the head begins additively (see `nets.stages`), a coalition is a sum of columns, and only
    what follows the first mixing layer runs; otherwise the head runs on the kept channels.

    Args:
        A: what `net.features` gave for the image, (1, K, h, w), with its context.
        target: the class, (1,).
        selector: what a coalition is worth; see `SELECTORS`.
        chunk: coalitions a pass; None for what suits the device. It changes no result.
    """
    check_count("chunk", chunk)
    kind = HeadGame if net.stages is None else AdditiveGame
    return kind(net, A, target, selector, chunk)


class Game(ABC):
    """The game, in terms of states: what stands for a coalition on its way through the head."""

    elements: int  # of states a pass, on a CPU

    def __init__(self, net, A: Tensor, target: Tensor, selector: str, chunk: int | None):
        self.net, self.A, self.target, self.selector = net, A, target, selector
        self.players = (A[0] != 0).any(2).any(1).nonzero()[:, 0]  # a channel of zeros adds nothing
        budget = self.elements if A.device.type == "cpu" else 2**27
        self.chunk = chunk or max(1, budget // self.nobody.numel())

    def worth(self, coalitions: Tensor) -> Tensor:
        """The worth (n,) of coalitions (n, players), True where a player takes part."""
        return torch.cat([self._worth(self._kept(some)) for some in coalitions.split(self.chunk)])

    def losses(self) -> Tensor:
        """What everybody together loses when a player leaves, (players,)."""
        everyone = torch.ones(1, len(self.players), dtype=torch.bool, device=self.A.device)
        each = torch.arange(len(self.players), device=self.A.device)
        without = [self._worth(self._without(some)) for some in each.split(self.chunk)]
        return torch.cat(
            [self.worth(everyone) - without for without in without or [each.to(self.A)]]
        )

    def gains(self, orderings: Tensor) -> Tensor:
        """What each player adds on joining, the mean over orderings (n, players): (players,)."""
        n, P = orderings.shape
        total = torch.zeros(P, dtype=torch.float64)
        if P == 0:
            return total.to(self.A)
        nobody = self._worth(self.nobody.clone())
        for some in orderings.split(max(1, self.chunk // P)):
            order = some.T  # (players, m)
            state = self.nobody.expand(len(some), *self.nobody.shape[1:])
            before, gains = nobody.expand(1, len(some)), []
            for joining in order.split(self.chunk):  # (s, m)
                states = self._joined(state, joining)  # (s, m, ...)
                state = states[-1].clone()
                after = self._worth(states.flatten(0, 1)).unflatten(0, joining.shape)
                gains.append(after - torch.cat([before, after[:-1]]))
                before = after[-1:]
            by_player = torch.cat(gains).gather(0, order.argsort(0))
            total += by_player.sum(1).cpu().double()
        return (total / n).to(self.A)

    @cached_property
    @abstractmethod
    def nobody(self) -> Tensor:
        """The state of the empty coalition, (1, ...)."""

    @abstractmethod
    def _kept(self, coalitions: Tensor) -> Tensor:
        """The states (n, ...) of coalitions (n, players)."""

    @abstractmethod
    def _without(self, players: Tensor) -> Tensor:
        """The states (n, ...) of everybody but one of these players (n,)."""

    @abstractmethod
    def _joined(self, state: Tensor, players: Tensor) -> Tensor:
        """The states (s, m, ...) as players (s, m) join those of `state` (m, ...) one by one."""

    @abstractmethod
    def _worth(self, states: Tensor) -> Tensor:
        """The worth (n,) of states (n, ...), which it may overwrite."""


class AdditiveGame(Game):
    """States are pre-activations of the first mixing layer: each player adds its column."""

    elements = 2**21

    @cached_property
    def nobody(self) -> Tensor:
        return self.net.stages.lead(torch.zeros_like(self.A))

    @cached_property
    def _everyone(self) -> Tensor:
        return self.net.stages.lead(self.A)

    @cached_property
    def _columns(self) -> Tensor:
        return self.net.stages.columns(self.A, self.players)  # (players, ...)

    @cached_property
    def _row(self) -> tuple[Tensor, Tensor]:
        return self.net.stages.row(self.nobody, int(self.target))

    def _kept(self, coalitions: Tensor) -> Tensor:
        flat = coalitions.to(self._columns) @ self._columns.flatten(1)
        return self.nobody + flat.unflatten(1, self._columns.shape[1:])

    def _without(self, players: Tensor) -> Tensor:
        return self._everyone - self._columns.index_select(0, players)

    def _joined(self, state: Tensor, players: Tensor) -> Tensor:
        states = self._columns.index_select(0, players.flatten())  # faster than indexing
        states = states.unflatten(0, players.shape)  # (s, m, ...)
        for step in range(len(states)):  # in cache, where this is faster than cumsum
            states[step] += states[step - 1] if step else state
        return states

    def _worth(self, states: Tensor) -> Tensor:
        h = self.net.stages.middle(states)
        if self.selector == "logit":
            weight, bias = self._row
            return h.flatten(1) @ weight.flatten() + bias
        y = self.net.stages.end(h)
        return select(self.selector)(y, self.target.expand(len(y)))


class HeadGame(Game):
    """States are activations, absent channels at zero: the whole head runs."""

    elements = 2**21

    @cached_property
    def nobody(self) -> Tensor:
        return torch.zeros_like(self.A)

    def _kept(self, coalitions: Tensor) -> Tensor:
        keep = torch.zeros(
            len(coalitions), self.A.shape[1], device=self.A.device, dtype=self.A.dtype
        )
        keep[:, self.players] = coalitions.to(keep)
        return self.A * keep[..., None, None]

    def _without(self, players: Tensor) -> Tensor:
        return self._kept(
            players[:, None] != torch.arange(len(self.players), device=players.device)
        )

    def _joined(self, state: Tensor, players: Tensor) -> Tensor:
        states = state.repeat(len(players), 1, 1, 1, 1)  # (s, m, K, h, w)
        ordering = torch.arange(len(state), device=state.device)
        for step, joining in enumerate(self.players[players]):  # (m,)
            states[step:, ordering, joining] = self.A[0, joining]
        return states

    def _worth(self, states: Tensor) -> Tensor:
        image = torch.zeros(len(states), dtype=torch.long, device=states.device)
        y = self.net.head(states, context_of(self.A, image))
        return select(self.selector)(y, self.target.expand(len(y)))
