import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

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
    r"""Channel weights optimised for each image so that the masked image scores highest.

    $$S(x; u) = \sum_k \mathrm{softmax}(u)_k A^k, \quad
      u^* = \arg\max_u \, g_c\big(f(x \odot n(\mathrm{up}(S(x; u))))\big)$$
    with $A^k$ the channels of the target layer, $g_c(f(x))$ the score of class c, and n and up
    normalisation and upsampling (Opti-CAM eq. (8)-(11)). The settings are the paper's: Adam from
    $u = 0.5$ with learning rate 0.1 runs for at most 100 iterations, and an image stops when its
    loss changes by less than $10^{-10}$.

    The features are computed once, the parameters are frozen, and gradients flow through mask and
    image only. Each image is optimised and stops independently of the others in its batch. For a
    network in half precision, u and the maps are kept in single precision, for Adam's steps, and
    `tolerance` stops no image, since the loss changes in coarser steps.

    Where uniform weights cancel the channels, as after a LayerNorm without a learned scale and
    shift, the first map is flat, n has no gradient there, and the result is a map of zeros. With
    `relu` this does not happen.

    Args:
        objective: "mask", eq. (10); "diff", eq. (19); "iomask", eq. (A1); "iodiff", eq. (A2).
        normalisation: n: "range", $(A - \min A) / (\max A - \min A)$, eq. (16); "max", $A / \max A$,
            eq. (17); "sigmoid", $1 / (1 + e^{-a_{ij}})$, eq. (18). `explain` normalises the final
            map in the same way.
        selector: $g_c$; see `SELECTORS`.
        iterations, learning_rate: of Adam.
        schedule: "constant", or "cosine" decay of the learning rate to zero (not in the paper).
        initial: every $u_k$ at the start; any constant gives uniform weights.
        tolerance: change of the loss below which an image stops (stopping="loss").
        stopping: "loss" as in the paper; with "authors", a check every tenth of the iterations
            stops an image if its loss has risen since the last check, and the image keeps the map
            that was evaluated last, as in the authors' code for one image.
        masking: "pixels" or "normalized"; see `maps.mask`.
        relu: whether the channels pass a ReLU before they are combined, as in the authors' code. It
            changes nothing for activations that are never negative.
        chunk: images optimised together, chosen for the device if None. It changes no result.

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
    """The result of optimising a batch, with its history.

    Attributes:
        map: S(x; u*) (B, h, w).
        w: softmax(u*) (B, K).
        objective: F (T, B) at each iteration; NaN after an image has stopped.
        iterations: the number of iterations of each image (B,).
        path: softmax(u) (T, B, K) after each iteration.
        A: the channels (B, K, h, w) that are combined.
        dtype: the network's, in which the channels were computed.
    """

    map: Tensor
    w: Tensor
    objective: Tensor
    iterations: Tensor
    path: Tensor
    A: Tensor
    dtype: torch.dtype

    def after(self, lengths: Sequence[int]) -> Tensor:
        """The maps (len(lengths), B, h, w) after these numbers of iterations, each at least one.

        They are the maps of shorter runs, except with schedule="cosine" or stopping="authors",
        which depend on the length of a run.

        Example:
            >>> optimise(net, x, target, iterations=100).after([10, 50]).shape
            torch.Size([2, 1, 7, 7])
        """
        ends = [min(t, len(self.path)) - 1 for t in lengths]
        return torch.stack([weighted_sum(self.path[t], self.A, self.dtype) for t in ends])


@outside_inference_mode
def optimise(net, x: Tensor, target: Tensor, **options) -> Optimisation:
    """The optimisation behind `opti_cam`, with its history. It takes the same options but `chunk`.

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
        tolerance = 0.0  # equal losses in half precision do not mean convergence
    # One parameter per image: Adam keeps their moments apart and skips those without a gradient.
    u = [A.new_full((A.shape[1],), initial, requires_grad=True) for _ in x]
    adam = torch.optim.Adam(u, lr=learning_rate)
    history = A.new_full((iterations, len(x)), torch.nan)
    path = A.new_empty((iterations, len(x), A.shape[1]))
    active = list(range(len(x)))  # the images that have not stopped
    index = torch.arange(len(x), device=x.device)  # the same
    for t in range(iterations):
        if schedule == "cosine":
            decay = 1 + math.cos(math.pi * t / iterations)
            adam.param_groups[0]["lr"] = learning_rate * decay / 2
        with torch.enable_grad():
            free = [u[i] for i in active]
            w = torch.stack(free).softmax(1)  # (b, K)
            M = weighted_sum(w, A[index], net.dtype)
            S = normalise(upsample(M, x.shape[2:]), normalisation)
            F = _objective(objective, net, x[index], S, target[index], score, masking,
                           None if y is None else y[index])  # fmt: skip
            adam.zero_grad()
            (-F.sum()).backward(inputs=free)  # only u gets a gradient
        history[t, index] = F.detach().to(history)
        stopped = _stopped(stopping, history[: t + 1, index], tolerance, iterations)
        if stopping == "authors":
            for i in compress(active, stopped):
                u[i].grad = None  # takes no further step
        adam.step()
        path[t] = _weights(u)
        if any(stopped):
            active = [i for i, over in zip(active, stopped) if not over]
            index = torch.tensor(active, device=x.device)
        if not active:
            break
    w, taken = _weights(u), (~history.isnan()).sum(0)
    T = t + 1 if iterations else 0
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


def _stopped(stopping: str, history: Tensor, tolerance: float, iterations: int) -> list[bool]:
    """Which of b images stop, given the values of F so far (t, b). Where none can, the host does not
    wait for them."""
    never = [False] * history.shape[1]
    if stopping == "loss":
        if len(history) < 2 or tolerance <= 0:
            return never
        return ((history[-1] - history[-2]).abs() < tolerance).tolist()
    checks = authors_checks(history, iterations)
    at_check = (len(history) - 1) % max(1, iterations // 10) == 0
    return (checks[-1] < checks[-2]).tolist() if at_check and len(checks) > 1 else never


def authors_checks(history: Tensor, iterations: int) -> Tensor:
    """The values of F (t, ...) that the authors' code checks: one every tenth of the iterations."""
    return history[:: max(1, iterations // 10)]
