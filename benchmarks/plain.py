"""The plain loops in which methods usually run, against which `lib` is measured.

The mathematics is that of `lib.methods`.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn
from torch.nn import functional as F

from lib.methods.extremal_perturbation import DAMPING, GROWTH, WEIGHT, Pyramid, SmoothMasks
from lib.metrics.boxes import iou
from lib.metrics.curves import blurred


def opti_cam(
    model: nn.Module, layer: nn.Module, x: Tensor, target: Tensor, iterations: int
) -> Tensor:
    """Raw maps (B, h, w) for images (B, 3, H, W); `model` normalises inside.

    Parameters keep their gradients, a hook on the target layer stays in place, and each iteration is
    a full forward and backward pass.
    """
    seen = []
    hook = layer.register_forward_hook(lambda module, args, out: seen.append(out.detach()))
    model(x)
    A = seen[0]
    u = torch.full(A.shape[:2], 0.5, device=A.device, requires_grad=True)
    adam = torch.optim.Adam([u], lr=0.1)
    for _ in range(iterations):
        S = (u.softmax(1)[..., None, None] * A).sum(1, keepdim=True)
        S = F.interpolate(S, x.shape[2:], mode="bilinear", align_corners=False)
        low, high = S.amin((2, 3), keepdim=True), S.amax((2, 3), keepdim=True)
        loss = -model(x * (S - low) / (high - low)).gather(1, target[:, None]).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    hook.remove()
    return (u.softmax(1)[..., None, None] * A).sum(1)


@torch.no_grad()
def shap_cam(head: nn.Module, A: Tensor, target: int, orderings: Tensor) -> Tensor:
    """LIFT-CAM's algorithm 1 as printed, for A (1, K, h, w): two passes of the head per channel."""
    alpha = torch.zeros(A.shape[1], device=A.device)
    for ordering in orderings:
        kept = torch.zeros_like(A)
        for k in ordering:
            without = kept.clone()
            kept[:, k] = A[:, k]
            alpha[k] += head(kept)[0, target] - head(without)[0, target]
    return alpha / len(orderings)


def extremal_perturbation(
    model: nn.Module, x: Tensor, target: Tensor, areas: tuple[float, ...], iterations: int
) -> Tensor:
    """Raw maps (B, H, W): one image, one area, one step per pass; `model` normalises inside.

    Parameters keep their gradients; each step blurs the image and sorts all pixels anew.
    """
    means = []
    for image, c in zip(x.split(1), target.tolist()):
        smooth, masks = SmoothMasks(image, None, 1.0, 0.05), []
        for a in areas:
            grid = torch.ones(1, *smooth.grid, device=x.device, requires_grad=True)
            ascent = torch.optim.Adam([grid], lr=0.01, eps=DAMPING)
            template = (
                torch.arange(image[0, 0].numel()).flip(0) < round(a * image[0, 0].numel())
            ).to(x)
            for t in range(iterations):
                m = smooth(grid)
                logit = model(Pyramid(image, 8, None)(torch.tensor([0], device=x.device), m))[0, c]
                error = (m.flatten().sort().values - template).square().mean()
                ascent.zero_grad()
                (WEIGHT * GROWTH ** (t / iterations) * error - logit).backward()
                ascent.step()
                grid.data.clamp_(0, 1)
            masks.append(smooth(grid).detach())
        means.append(torch.cat(masks).mean(0))
    return torch.stack(means)


@torch.no_grad()
def curve(
    model: nn.Module, start: Tensor, end: Tensor, target: int, S: Tensor, step: int
) -> Tensor:
    """The area under one curve of insertion or deletion, for one image, one step per pass."""
    order = S.flatten().argsort(descending=True, stable=True)
    image, p = start.clone(), []
    for i in range(0, len(order) + step, step):
        p.append(model(image).softmax(1)[0, target])
        now = order[i : i + step]
        image.flatten(2)[..., now] = end.flatten(2)[..., now]
    steps = torch.tensor([*range(0, len(order), step), len(order)]) / len(order)
    return torch.trapezoid(torch.stack(p).double(), steps.to(S).double())


def insertion_and_deletion(
    net, model: nn.Module, x: Tensor, target: Tensor, S: Tensor, step: int
) -> tuple[Tensor, Tensor]:
    """Both areas (B,) of images (B, 3, H, W): one image, one step per pass."""
    pairs = [
        (
            curve(model, blurred(net, image), image, c, s, step),
            curve(model, image, torch.zeros_like(image), c, s, step),
        )
        for image, c, s in zip(x.split(1), target.tolist(), S)
    ]
    inserted, deleted = zip(*pairs)
    return torch.stack(inserted), torch.stack(deleted)


@torch.no_grad()
def aopc(
    model: nn.Module, x: Tensor, target: Tensor, S: Tensor, patch: int = 14, regions: int = 10
) -> Tensor:
    """Areas over the perturbation curves (B,): one image, one black patch per pass."""
    found = []
    for image, c, s in zip(x.clone().split(1), target.tolist(), S):
        sums = F.avg_pool2d(s[None, None].double(), patch, ceil_mode=True, divisor_override=1)[0, 0]
        p = [model(image).softmax(1)[0, c]]
        for place in sums.flatten().argsort(descending=True, stable=True)[:regions].tolist():
            i, j = divmod(place, sums.shape[1])
            image[..., i * patch : (i + 1) * patch, j * patch : (j + 1) * patch] = 0
            p.append(model(image).softmax(1)[0, c])
        found.append((p[0] - torch.stack(p)).mean())
    return torch.stack(found)


def fisher_direction(z: Tensor, references: Tensor, among: Tensor) -> Tensor:
    """Directions (B, K), one image at a time, by a covariance matrix of all channels and a solve."""
    found = []
    for one, chosen in zip(z, among):
        few = references[chosen]
        S, _ = ledoit_wolf(few.cpu().numpy())
        S = torch.from_numpy(S).to(z)
        mean_variance = S.trace() / len(S)
        found.append(mean_variance * torch.linalg.solve(S, one - few.mean(0)))
    return torch.stack(found)


def box_overlaps(S: Tensor, boxes: Sequence[Tensor]) -> Tensor:
    """The best overlap (B, 255) of any component's box: one map, one threshold, one labelling at a time."""
    found = []
    for one, object_boxes in zip((S.double() * 255).int().cpu().numpy().astype(np.uint8), boxes):
        height, width = one.shape
        truth = object_boxes.floor().double()
        for threshold in range(255):
            mask = (one > threshold).astype(np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
            x, y, w, h = stats[1:, :4].T if len(stats) > 1 else np.zeros((4, 1), int)
            x1, y1 = np.minimum(x + w, width - 1), np.minimum(y + h, height - 1)
            predicted = torch.from_numpy(np.stack([x, y, x1, y1], 1))
            found.append(iou(predicted, truth, plus=1).max())
    return torch.stack(found).view(len(S), 255).to(S.device)


def precision_and_recall(S: Tensor, mask: Tensor, thresholds: int = 1000) -> float:
    """The area under the curve of pixels: one threshold at a time."""
    area, last = 0.0, 0.0
    for k in range(thresholds, -1, -1):
        above = S.double() >= k / thresholds
        hits, marked = (above & mask).sum(), above.sum()
        recall = (hits / mask.sum()).item()
        area, last = area + (hits / marked.clamp_min(1)).item() * (recall - last), recall
    return area
