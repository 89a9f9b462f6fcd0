import torch
from torch import Tensor

from ..checks import check_choice, check_count
from ..data import Dataset
from ..reference import ReferenceSet, as_reference_set
from ..rival import Rival, rivals_of
from .combination import combination
from .fisher import fisher_direction

QUESTIONS = ("why", "why not")


@combination
def diff_cam(
    net,
    x: Tensor,
    target: Tensor,
    *,
    reference: ReferenceSet | Dataset | Tensor | None = None,
    question: str = "why",
    rival: Rival | None = None,
    k: int | None = 50,
    shrinkage: str | float = "ledoit_wolf",
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by the direction that separates an image from a set of reference images.

    $$w \propto S_v^{-1} (z - \hat\mu), \quad S = \mathrm{ReLU}(\sum_k w_k A^k)$$
    with $z = \mathrm{GAP}(A)$ of the image, $\hat\mu$ and $S_v$ the mean and the covariance of the
    same features of the references (DiffCAM, eq. (8)-(10)). The method uses neither gradients nor
    scores: only the features are computed, so it also explains a backbone without a classifier. The
    paper does not say how it inverts $S_v$, which is singular when there are fewer references than
    channels; see `fisher_direction`.

    A reference with the same features as the image is the image itself and is left out.

    Args:
        target: the class (B,) of each image, in the reference's numbering; -1 where it has none.
        reference: the reference images or their features. There is no default.
        question: "why" compares the image with the `k` nearest references of other classes (of all
            references if their classes are unknown); "why not" with all references of the `rival`.
        rival: for "why not": one class, or {class: its rival}, or (B,) classes, one per image.
        k: the greatest number of references for "why", the nearest by features; None for all.
        shrinkage: of the covariance: "ledoit_wolf", "oas", or a strength in [0, 1].

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Raises:
        ValueError: there is no reference, it belongs to another network, or it has no image of the
            classes asked for.

    Example:
        >>> S = explain("diff_cam", net, x, target=243, reference=reference_set(net, photographs))
    """
    check_choice("question", question, QUESTIONS)
    check_count("k", k)
    with torch.no_grad():
        A, _ = net.cut(x)
        z = A.mean((2, 3))
        R = as_reference_set(net, reference, tuple(x.shape[2:]))
        references = R.z.to(z)
        if references.shape[1] != z.shape[1]:
            raise ValueError(
                f"the reference has {references.shape[1]} channels, and {net.name} has {z.shape[1]} "
                f"after {net.layer!r}: take features of this network and layer"
            )
        distance = torch.cdist(z.double(), references.double())  # (B, n)
        itself = distance <= 1e-5 * z.double().norm(dim=1, keepdim=True)
        among = _asked_about(R, question, rival, target) & ~itself
        if question == "why":
            among = _nearest(distance, among, k)
        _check_found(among, question, target)
        return fisher_direction(z, references, among, shrinkage), A


def _asked_about(R: ReferenceSet, question: str, rival: Rival | None, target: Tensor) -> Tensor:
    """Which references (B, n) are of other classes, or of the rival; all if classes are unknown."""
    if R.classes is None:
        return torch.ones(len(target), len(R), dtype=torch.bool, device=target.device)
    classes = R.classes.to(target.device)
    if question == "why":
        return classes != target[:, None]
    if rival is None:
        raise ValueError('question "why not" needs a rival: pass rival=..., the other class')
    return classes == rivals_of(rival, target)[:, None]


def _nearest(distance: Tensor, candidates: Tensor, k: int | None) -> Tensor:
    """Which of the candidates (B, n) are the k nearest; ties go to the first."""
    if k is None or k >= distance.shape[1]:
        return candidates
    order = distance.masked_fill(~candidates, torch.inf).argsort(dim=1, stable=True)[:, :k]
    return torch.zeros_like(candidates).scatter(1, order, True) & candidates


def _check_found(among: Tensor, question: str, target: Tensor) -> None:
    found = among.any(1).tolist()
    if not all(found):
        i = found.index(False)
        wanted = "a class other than" if question == "why" else "the rival of"
        raise ValueError(
            f"image {i} of the batch: the reference has no image of {wanted} class {target[i]}: give "
            "reference images of it"
        )
