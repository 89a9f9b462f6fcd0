r"""The coalition game of LIFT-CAM, section 3: the players are the channels of the target layer.

A coalition's value is its logit, $v(a') = F^c(h_A(a'))$, where $h_A(a')$ keeps the channels of $A$
with $a'_k = 1$ and zeroes the others. SHAP-CAM, LIME-CAM and Ablation-CAM all use this game.
"""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from ..checks import check_count
from ..nets.activation import Context, rows
from ..selectors import select


def coalition_game(
    net, A: Tensor, context: Context, target: Tensor, selector="logit", chunk: int | None = None
) -> "CoalitionGame":
    """The game of one image and class.

    Where the head begins additively (see `nets.additive_head`), a coalition is a sum of columns,
    and only the layers after the first mixing layer run; otherwise the head runs on the kept
    channels. Of the last hidden layer, only what the logit reads is computed; see `nets.one_logit`.

    Args:
        A, context: the result of `net.cut` for the image, A (1, K, h, w).
        target: the class, (1,).
        selector: the score that is a coalition's value; see `SELECTORS`.
        chunk: coalitions per pass, chosen for the device if None. It changes no result.
    """
    check_count("chunk", chunk)
    logit = net.one_logit(int(target), A) if selector == "logit" else None
    additive = logit.additive if logit else net.additive_head
    if additive is None:
        return CoalitionGame(net, A, context, target, selector, chunk, logit)
    return AdditiveGame(net, A, context, target, selector, chunk, logit, additive)


def ask_each_game(
    net, A: Tensor, context: Context, target: Tensor, ask: Callable, **options
) -> Tensor:
    """Coefficients (B, K) from the game of each image.

    `ask(game, i)` gives the coefficients of the players of image i. A channel of zeros is not a
    player; its coefficient is zero.

    Args:
        options: `selector` and `chunk`, as for `coalition_game`.
    """
    alpha = torch.zeros(A.shape[:2], device=A.device, dtype=A.dtype)
    for i in range(len(A)):
        one = slice(i, i + 1)
        game = coalition_game(net, A[one], rows(context, one), target[one], **options)
        alpha[i, game.players] = ask(game, i).to(A)
    return alpha


class CoalitionGame:
    """The game of one image. A state represents a coalition on its way through the head.

    In this class a state is the activation with the absent channels at zero: the whole head runs.
    """

    def __init__(
        self, net, A: Tensor, context: Context, target: Tensor, selector: str, chunk, logit=None
    ):
        self.net, self.A, self.context, self.target = net, A, context, target
        self.selector, self.logit = selector, logit
        self.players = (A[0] != 0).any(2).any(1).nonzero()[:, 0]  # a channel of zeros adds nothing
        budget = 2 ** (21 if A.device.type == "cpu" else 27)  # elements of states per pass
        self.chunk = chunk or max(1, budget // self.nobody.numel())

    def value(self, coalitions: Tensor) -> Tensor:
        """The values (n,) of coalitions (n, players), True where a player takes part."""
        return torch.cat([self._value(self._kept(some)) for some in coalitions.split(self.chunk)])

    def drops(self) -> Tensor:
        """The drop in the value of the full coalition when each player leaves it, (players,)."""
        each = torch.arange(len(self.players), device=self.A.device)
        if len(each) == 0:
            return each.to(self.A)
        without = [self._value(self._without(some)) for some in each.split(self.chunk)]
        return self.value(torch.ones_like(each, dtype=torch.bool)[None]) - torch.cat(without)

    def marginal_contributions(self, orderings: Tensor) -> Tensor:
        """What each player adds when it joins, averaged over orderings (n, players): (players,)."""
        n, P = orderings.shape
        total = torch.zeros(P, dtype=torch.float64)
        if P == 0:
            return total.to(self.A)
        nobody = self._value(self.nobody.clone())
        for some in orderings.split(max(1, self.chunk // P)):
            order = some.T  # (players, m)
            state = self.nobody.expand(len(some), *self.nobody.shape[1:])
            before, added = nobody.expand(1, len(some)), []
            for joining in order.split(self.chunk):  # (s, m)
                states = self._joined(state, joining)  # (s, m, ...)
                state = states[-1].clone()
                after = self._value(states.flatten(0, 1)).unflatten(0, joining.shape)
                added.append(after - torch.cat([before, after[:-1]]))
                before = after[-1:]
            by_player = torch.cat(added).gather(0, order.argsort(0))
            total += by_player.sum(1).cpu().double()
        return (total / n).to(self.A)

    @cached_property
    def nobody(self) -> Tensor:
        """The state of the empty coalition, (1, ...)."""
        return torch.zeros_like(self.A)

    def _kept(self, coalitions: Tensor) -> Tensor:
        """The states (n, ...) of coalitions (n, players)."""
        keep = self.A.new_zeros(len(coalitions), self.A.shape[1])
        keep[:, self.players] = coalitions.to(keep)
        return self.A * keep[..., None, None]

    def _without(self, players: Tensor) -> Tensor:
        """The states (n, ...) of the full coalition without each of these players (n,)."""
        everybody = torch.arange(len(self.players), device=players.device)
        return self._kept(players[:, None] != everybody)

    def _joined(self, state: Tensor, players: Tensor) -> Tensor:
        """The states (s, m, ...) after each of the players (s, m) has joined `state` (m, ...)."""
        states = state.repeat(len(players), 1, 1, 1, 1)  # (s, m, K, h, w)
        ordering = torch.arange(len(state), device=state.device)
        for step, joining in enumerate(self.players[players]):  # (m,)
            states[step:, ordering, joining] = self.A[0, joining]
        return states

    def _value(self, states: Tensor) -> Tensor:
        """The values (n,) of states (n, ...). The states may be overwritten."""
        if self.logit is not None:
            return self.logit(self.logit.hidden.forward(states))
        image = torch.zeros(len(states), dtype=torch.long, device=states.device)
        return self._score(self.net.head(states, rows(self.context, image)))

    def _score(self, y: Tensor) -> Tensor:
        return select(self.selector)(y, self.target.expand(len(y)))


class AdditiveGame(CoalitionGame):
    """The game with pre-activations of the first mixing layer as states: a player adds a column."""

    def __init__(self, net, A, context, target, selector, chunk, logit, additive):
        self.additive = additive
        super().__init__(net, A, context, target, selector, chunk, logit)

    @cached_property
    def nobody(self) -> Tensor:
        return self.additive.lead(torch.zeros_like(self.A))

    @cached_property
    def _everyone(self) -> Tensor:
        return self.additive.lead(self.A)

    @cached_property
    def _columns(self) -> Tensor:
        return self.additive.columns(self.A, self.players)  # (players, ...)

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

    def _value(self, states: Tensor) -> Tensor:
        h = self.additive.middle(states)
        if self.logit is not None:
            return self.logit(h)
        return self._score(self.additive.end(h))
