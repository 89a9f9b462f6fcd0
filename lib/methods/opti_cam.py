import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_choice, check_count
from ..inference import outside_inference_mode
from ..maps import NORMALISATIONS, in_single, mask, normalise, upsample
from ..selectors import select
from .combination import weighted_sum

OBJECTIVES = ("mask", "diff", "iomask", "iodiff")
STOPPINGS = ("loss", "authors")
SCHEDULES = ("constant", "cosine")


def opti_cam(
    net,
    x: Tensor,
    target: Tensor,
    *,
    objective: str = "mask",
    normalisation: str = "range",
    selector: str = "logit",
    iterations: int = 100,
    learning_rate: float = 0.1,
    schedule: str = "constant",
    initial: float = 0.5,
    tolerance: float = 1e-10,
    stopping: str = "loss",
    masking: str = "pixels",
    relu: bool = False,
    chunk: int | None = None,
) -> Tensor:
    r"""Channel weights optimised, for each image, so that the masked image scores highest.

    $$S(x; u) = \sum_k \mathrm{softmax}(u)_k A^k, \quad
      u^* = \arg\max_u \, g_c\big(f(x \odot n(\mathrm{up}(S(x; u))))\big)$$
    with $A^k$ the channels of the target layer, $g_c(f(x))$ the score of class c, n and up
    normalisation and upsampling (Opti-CAM eq. (8)-(11)). Adam from $u = 0.5$, as the paper says:
    learning rate 0.1, at most 100 iterations, an image stopping when its loss changes by less than
    $10^{-10}$.

    The features run once, parameters are frozen, and gradients flow through mask and image only. Of a
    network in half precision u and the maps are kept in single, for Adam's steps, and no image stops by
    `tolerance`, for its loss moves in coarser steps.

    Where uniform weights cancel the channels, as behind a LayerNorm without a scale and shift of its own,
    the start is flat, n has no slope there, and the map is zeros; with `relu` it is not.
    Each image optimises and stops on its own: its map never depends on its neighbours.

    Args:
        objective: "mask", eq. (10); "diff", eq. (19); "iomask", eq. (A1); "iodiff", eq. (A2).
        normalisation: n: "range", $(A - \min A) / (\max A - \min A)$, eq. (16); "max", $A / \max A$,
            eq. (17); "sigmoid", $1 / (1 + e^{-a_{ij}})$, eq. (18). The finished map has it too: see
            `explain`.
        selector: $g_c$; see `SELECTORS`.
        iterations, learning_rate: of Adam.
        schedule: "constant", or "cosine" decay of the learning rate to zero (not in the paper).
        initial: every $u_k$ at the start; any constant gives uniform weights.
        tolerance: change of the loss below which an image stops (stopping="loss").
        stopping: "loss" as the paper says; "authors": every tenth of the iterations an image stops
            if its loss has risen since the last such check, and has the map that was tried last, before
            the step that follows, as the authors' code does with one image.
        masking: "pixels" or "normalized"; see `maps.mask`.
        relu: whether channels pass a ReLU before they are combined, as in the authors' code; behind an
            activation that is not negative it changes nothing.
        chunk: images optimised together; None for what suits the device. It changes no result.

    Returns:
        Raw maps (B, h, w): $S(x; u^*)$, without ReLU ($h$ is the identity).

    Example:
        >>> S = explain("opti_cam", net, x, target=243, iterations=25, schedule="cosine")
    """
    options = dict(
        objective=objective, normalisation=normalisation, selector=selector, iterations=iterations,
        learning_rate=learning_rate, schedule=schedule, initial=initial, tolerance=tolerance,
        stopping=stopping, masking=masking, relu=relu,
    )  # fmt: skip
    check_count("chunk", chunk)
    size = net.batch_hint(x) if chunk is None else chunk
    parts = zip(x.split(size), target.split(size))
    return torch.cat([optimise(net, *part, **options).map for part in parts]).to(net.dtype)


@dataclass(frozen=True)
class Optimisation:
    """How the weights of a batch were found.

    Attributes:
        map: S(x; u*) (B, h, w).
        w: softmax(u*) (B, K).
        objective: F (T, B) at each iteration; NaN after an image has stopped.
        iterations: how many each image took (B,).
        path: softmax(u) (T, B, K) after each iteration.
        A: the channels (B, K, h, w) that are combined.
        dtype: of the network, in which they were made.
    """

    map: Tensor
    w: Tensor
    objective: Tensor
    iterations: Tensor
    path: Tensor
    A: Tensor
    dtype: torch.dtype

    def after(self, lengths: Sequence[int]) -> Tensor:
        """The maps (len(lengths), B, h, w) of runs of so many iterations, at least one: those that this
        one passed through. A falling learning rate, or stopping="authors", depends on the length.

        Example:
            >>> optimise(net, x, target, iterations=100).after([10, 50]).shape
            torch.Size([2, 1, 7, 7])
        """
        ends = [min(t, len(self.path)) - 1 for t in lengths]
        return torch.stack([weighted_sum(self.path[t], self.A, self.dtype) for t in ends])


@outside_inference_mode
def optimise(net, x: Tensor, target: Tensor, **options) -> Optimisation:
    """The optimisation behind `opti_cam`, with its history; its options, but for `chunk`.

    Example:
        >>> optimise(net, x, target, iterations=25, schedule="cosine").objective.shape
        torch.Size([25, 1])
    """
    call = inspect.signature(opti_cam).bind(net, x, target, **options)
    call.apply_defaults()
    return _optimise(**{k: value for k, value in call.arguments.items() if k != "chunk"})


def _optimise(
    net, x, target, objective, normalisation, selector, iterations, learning_rate, schedule,
    initial, tolerance, stopping, masking, relu,
) -> Optimisation:  # fmt: skip
    check_count("iterations", iterations, least=0)
    check_choice("objective", objective, OBJECTIVES)
    check_choice("normalisation", normalisation, NORMALISATIONS)
    check_choice("stopping", stopping, STOPPINGS)
    check_choice("schedule", schedule, SCHEDULES)
    score = select(selector)
    with torch.no_grad():
        A = in_single(net.cut(x)[0])
        A = A.relu() if relu else A
        y = score(net(x), target) if "diff" in objective else None
    if A.dtype != net.dtype:
        tolerance = 0.0  # equal losses in half precision are no sign of the end
    # One parameter an image: Adam keeps their moments apart and skips those without a gradient.
    u = [A.new_full((A.shape[1],), initial, requires_grad=True) for _ in x]
    adam = torch.optim.Adam(u, lr=learning_rate)
    history = A.new_full((iterations, len(x)), torch.nan)
    path = A.new_empty((iterations, len(x), A.shape[1]))
    active = torch.arange(len(x), device=x.device)
    for t in range(iterations):
        if schedule == "cosine":
            decay = 1 + math.cos(math.pi * t / iterations)
            adam.param_groups[0]["lr"] = learning_rate * decay / 2
        with torch.enable_grad():
            free = [u[i] for i in active.tolist()]
            w = torch.stack(free).softmax(1)  # (b, K)
            M = weighted_sum(w, A[active], net.dtype)
            S = normalise(upsample(M, x.shape[2:]), normalisation)
            F = _objective(objective, net, x[active], S, target[active], score, masking,
                           None if y is None else y[active])  # fmt: skip
            adam.zero_grad()
            (-F.sum()).backward(inputs=free)  # nothing else gets a gradient
        history[t, active] = F.detach().to(history)
        stopped = _stopped(stopping, history[: t + 1, active], tolerance, iterations)
        if stopping == "authors":
            for i in active[stopped].tolist():
                u[i].grad = None  # takes no further step
        adam.step()
        path[t] = _weights(u)
        active = active[~stopped]
        if len(active) == 0:
            break
    w, taken = _weights(u), (~history.isnan()).sum(0)
    T = int(taken.max())
    M = weighted_sum(w, A, net.dtype)
    return Optimisation(M, w, history[:T], taken, path[:T], A, net.dtype)


def _weights(u: list[Tensor]) -> Tensor:
    """softmax(u) (B, K)."""
    return torch.stack([ui.detach() for ui in u]).softmax(1)


def _objective(objective, net, x, S, target, score, masking, y) -> Tensor:
    """F (b,), to be maximised."""
    inside = score(net(mask(net, x, S, masking)), target)
    if objective == "mask":
        return inside
    if objective == "diff":
        return -(y - inside).abs()
    outside = score(net(mask(net, x, 1 - S, masking)), target)
    return inside - outside if objective == "iomask" else (y - outside).abs() - (y - inside).abs()


def _stopped(stopping: str, history: Tensor, tolerance: float, iterations: int) -> Tensor:
    """Which images (b,) stop after these values of F (t, b)."""
    never = torch.zeros_like(history[0], dtype=torch.bool)
    if stopping == "loss":
        return (history[-1] - history[-2]).abs() < tolerance if len(history) > 1 else never
    checks = authors_checks(history, iterations)
    at_check = (len(history) - 1) % max(1, iterations // 10) == 0
    return checks[-1] < checks[-2] if at_check and len(checks) > 1 else never


def authors_checks(history: Tensor, iterations: int) -> Tensor:
    """Those of the values of F (t, ...) at which the authors' code looks: every tenth of the iterations."""
    return history[:: max(1, iterations // 10)]
