import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import check_choice, check_count
from ..maps import in_single, upsample
from ..selectors import select

REWARDS = ("preserve", "delete", "hybrid")
NODES = 32  # of the masks' grid along the shorter side: 7 pixels apart at 224
WIDEST_BLUR = 20 / 224  # of the shorter side
DAMPING = 1e-3  # Adam's eps, far above a gradient's rounding errors, which must not steer the mask
TIE = 1e-5  # values of a mask that differ by less count as equal
WEIGHT, GROWTH = 30.0, 100.0  # lambda at the start, and the factor by which it grows


def extremal_perturbation(
    net,
    x: Tensor,
    target: Tensor,
    *,
    areas: tuple[float, ...] = (0.025, 0.05, 0.1, 0.2),
    reward: str = "preserve",
    selector: str = "logit",
    iterations: int = 800,
    learning_rate: float = 0.01,
    shrink: float = 0.0,
    step: int | None = None,
    sigma: float = 1.0,
    temperature: float = 0.05,
    blur: float | None = None,
    levels: int = 8,
    chunk: int | None = None,
) -> Tensor:
    r"""The smooth mask of a given area that preserves the score best, averaged over areas.

    $$m_a = \arg\max_{m \in \mathcal{M}} \; g_c\big(f(m \otimes x)\big)
      - \lambda \, \big\| \mathrm{vecsort}(m) - r_a \big\|^2, \quad
      S = \tfrac{1}{|a|} \sum_a m_a$$
    with $g_c(f(x))$ the score of class c (Fong et al. 2019, section 3). The perturbed image
    $m \otimes x$ is the image itself where the mask is 1, the image blurred by a wide Gaussian
    where the mask is 0, and blurred less widely in between. The sorted mask should equal the
    template $r_a$: zeros, then a fraction $a$ of ones. The family $\mathcal{M}$ consists of smooth
    maxima of bumps of fixed shape, one at each node of a coarse grid:

    $$m(u) = \mathrm{smax}_v \, k(u - v)\, \bar m(v), \quad
      \mathrm{smax}_v f_v = \frac{\sum_v f_v e^{f_v / T}}{\sum_v e^{f_v / T}}, \quad
      k(u) = e^{-\max(0,\, |u| / \sigma - 1)^2 / 4}.$$

    Departures: the mask is optimised by Adam from $\bar m = 1$, projected to [0, 1]; the paper uses
    gradient ascent with momentum. $\lambda$, which here multiplies the mean over pixels, grows from
    30 to 3000, so that a mask finds its place before its area.

    All areas of all images run in shared passes, and each mask is optimised independently of the
    others. The blurred images are made once. The smooth maximum is taken on the grid and
    interpolated. The penalty needs only the threshold of the area, not a full sort.

    Args:
        areas: the fractions a of the image.
        reward: "preserve" as above; "delete": the lowest score of what the mask leaves,
            $-g_c(f((1 - m) \otimes x))$; "hybrid": the sum of both.
        selector: $g_c$; see `SELECTORS`.
        iterations, learning_rate: of Adam.
        shrink: the share of the iterations in which the area shrinks, geometrically, from the whole
            image to a (not in the paper). It helps when iterations are few.
        step: pixels between the nodes of the grid; None for 32 nodes along the shorter side.
        sigma: the width of the bumps, in steps.
        temperature: T; the smaller it is, the closer smax is to the maximum.
        blur: the standard deviation of the widest Gaussian, in pixels; None for 20 at 224 pixels,
            and in proportion at other sizes.
        levels: the number of images, from sharp to most blurred, between which the perturbation
            interpolates.
        chunk: masks optimised together, chosen for the device if None. It changes no result.

    Returns:
        Raw maps (B, H, W): the mean mask, in [0, 1].

    Example:
        >>> S = explain("extremal_perturbation", net, x, target=243, areas=(0.1,), iterations=100)
    """
    check_choice("reward", reward, REWARDS)
    check_count("iterations", iterations, least=0)
    check_count("levels", levels, least=2)
    check_count("chunk", chunk)
    if not areas or not all(0 < a < 1 for a in areas):
        raise ValueError(f"areas are fractions of the image, between 0 and 1, got {areas}")
    if not 0 <= shrink <= 1:
        raise ValueError(f"shrink is a share of the iterations, in [0, 1], got {shrink}")
    dtype, x = x.dtype, in_single(x)
    family = SmoothMasks(x, step, sigma, temperature)
    image = torch.arange(len(x) * len(areas), device=x.device) // len(areas)
    area = torch.tensor(areas, dtype=torch.float64).repeat(len(x))
    size = net.batch_hint(x) if chunk is None else chunk
    masks = []
    for first in range(0, len(image), size):
        i, a = image[first : first + size], area[first : first + size]
        some = slice(first // len(areas), (first + len(i) - 1) // len(areas) + 1)
        blurred = Pyramid(x[some], levels, blur)
        value = partial(_reward, net, blurred, i - some.start, target[i], reward, select(selector))
        masks.append(optimise(value, family, a, iterations, learning_rate, shrink))
    return torch.cat(masks).unflatten(0, (len(x), len(areas))).mean(1).to(dtype)


def optimise(
    value, family: "SmoothMasks", area: Tensor, iterations: int, learning_rate: float, shrink: float
) -> Tensor:
    """Masks (n, H, W) of the given areas (n,), each with the highest reward that ascent finds.

    Args:
        value: the reward (n,) of masks (n, H, W).
    """
    grid = family.start(len(area)).requires_grad_()
    ascent = torch.optim.Adam([grid], lr=learning_rate, eps=DAMPING, maximize=True)
    for t in range(iterations):
        weight = WEIGHT * GROWTH ** (t / iterations)
        now = area ** min(1.0, (t + 1) / (shrink * iterations)) if shrink else area
        with torch.enable_grad():
            m = family(grid)
            objective = value(m) - weight * area_error(m, now)
            ascent.zero_grad()
            objective.sum().backward(inputs=[grid])  # only the grid gets a gradient
        ascent.step()
        with torch.no_grad():
            grid.clamp_(0, 1)
    with torch.no_grad():
        return family(grid)


def _reward(net, blurred: "Pyramid", image: Tensor, target: Tensor, reward, score, m) -> Tensor:
    """The reward (n,) of masks m (n, H, W), one for each entry of `image` and `target` (n,)."""
    kept = score(net(blurred(image, m)), target) if reward != "delete" else 0
    left = score(net(blurred(image, 1 - m)), target) if reward != "preserve" else 0
    return kept - left


def area_error(m: Tensor, area: Tensor) -> Tensor:
    r"""$\|\mathrm{vecsort}(m) - r_a\|^2$ per pixel, (n,), for masks (n, H, W) and areas (n,).

    Only the threshold is needed, not the order: pixels above it are drawn to 1, pixels below to 0.
    Pixels at the threshold share the rest of the area, so that a flat mask is drawn evenly.
    """
    m = m.flatten(1)
    with torch.no_grad():
        counts = [min(max(1, round(a * m.shape[1])), m.shape[1]) for a in area.tolist()]
        least = [row.topk(k, sorted=False).values.min() for row, k in zip(m, counts)]
        over = m - torch.stack(least)[:, None]
        above, at = over > TIE, over.abs() <= TIE
        share = (torch.tensor(counts).to(m) - above.sum(1)) / at.sum(1)
        r = above.to(m) + share[:, None] * at
    return (m.square() + r * (1 - 2 * m)).mean(1)


class SmoothMasks:
    """Masks (n, H, W) for images of the size of x, as smooth maxima of bumps on grids (n, h, w)."""

    def __init__(self, x: Tensor, step: int | None, sigma: float, temperature: float):
        size = tuple(x.shape[2:])
        step = max(1, round(min(size) / NODES)) if step is None else step
        check_count("step", step)
        if not (sigma > 0 and temperature > 0):
            raise ValueError(f"sigma and temperature are positive, got {sigma} and {temperature}")
        self.size, self.temperature = size, temperature
        self.grid = tuple(math.ceil(n / step) for n in size)
        self.reach = math.ceil(5 * sigma)  # where k is 2 %
        offset = torch.arange(-self.reach, self.reach + 1, dtype=torch.float64)
        distance = torch.cartesian_prod(offset, offset).norm(dim=1)
        self.kernel = torch.exp(-((distance / sigma - 1).relu() ** 2) / 4).to(x)  # (width^2,)

    def start(self, n: int) -> Tensor:
        return self.kernel.new_ones(n, *self.grid)

    def __call__(self, grid: Tensor) -> Tensor:
        # the grid is continued beyond the image by its border, so that a flat grid is a flat mask
        wider = F.pad(grid[:, None], [self.reach] * 4, mode="replicate")
        around = F.unfold(wider, 2 * self.reach + 1)  # (n, width^2, hw)
        f = self.kernel[:, None] * around
        smax = ((f / self.temperature).softmax(1) * f).sum(1).unflatten(1, self.grid)
        return upsample(smax, self.size)


class Pyramid:
    """Images at every degree of blur: `pyramid(i, m)` is $m \\otimes x_i$ for masks m (n, H, W).

    Level l is the image blurred by a Gaussian whose sigma is l / (levels - 1) of the widest. Its
    weights are normalised inside the image. Between the levels the perturbation is linear.
    """

    def __init__(self, x: Tensor, levels: int, blur: float | None):
        H, W = x.shape[2:]
        widest = WIDEST_BLUR * min(H, W) if blur is None else blur
        if not widest > 0:
            raise ValueError(f"blur is positive, got {blur}")
        self.levels, self.size = levels, (H, W)
        sigmas = [widest * i / (levels - 1) for i in range(1, levels)]
        stack = [x] + [_gaussian(H, s).to(x) @ x @ _gaussian(W, s).to(x).T for s in sigmas]
        rows = torch.stack(stack, 1).permute(0, 1, 3, 4, 2)  # (B, levels, H, W, 3)
        self.pixels = rows.reshape(-1, 3)  # (B levels H W, 3)
        self.place = torch.arange(H * W, device=x.device).view(H, W)

    def __call__(self, image: Tensor, m: Tensor) -> Tensor:
        """Perturbed images (n, 3, H, W)."""
        level = (1 - m) * (self.levels - 1)
        lower = level.detach().long().clamp(0, self.levels - 2)
        part = (level - lower)[..., None]  # (n, H, W, 1)
        here = (image.view(-1, 1, 1) * self.levels + lower) * self.place.numel() + self.place
        sharper = F.embedding(here, self.pixels)  # (n, H, W, 3)
        softer = F.embedding(here + self.place.numel(), self.pixels)
        return torch.lerp(sharper, softer, part).permute(0, 3, 1, 2)


def _gaussian(n: int, sigma: float) -> Tensor:
    """The blur of n pixels in a row as a matrix (n, n) whose rows sum to one."""
    u = torch.arange(n, dtype=torch.float64)
    return (-((u[:, None] - u) ** 2) / (2 * sigma**2)).softmax(1)
