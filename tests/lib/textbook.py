"""A vision transformer written out, one image and one head at a time, with its relevances.

For timm's VisionTransformer and VisionTransformerDistilled without layer scale. Relevances are by
the equations of Chefer et al. 2021, entry by entry, without derivatives.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .networks import normalised


@dataclass
class Block:
    """The values in one block: tokens (N, K), and for each head q, k, v (N, d) and A (N, N)."""

    entering: Tensor
    normed: Tensor
    heads: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]  # q, k, v, A, A v
    joined: Tensor
    attended: Tensor
    middle: Tensor
    normed_2: Tensor
    hidden: Tensor
    active: Tensor
    fed: Tensor
    leaving: Tensor


class Textbook:
    """The forward pass of one image (3, H, W) through the network of a classifier."""

    def __init__(self, net, image: Tensor):
        self.model = model = net.model
        t = model.patch_embed(normalised(net, image[None]))
        t = model.norm_pre(model._pos_embed(t))[0]  # (N, K)
        self.blocks: list[Block] = []
        for block in model.blocks:
            self.blocks.append(self._block(block, t))
            t = self.blocks[-1].leaving
        self.last = model.norm(t)
        self.heads = [model.head] + ([model.head_dist] if hasattr(model, "head_dist") else [])
        self.scores = [head(self.last[i]) for i, head in enumerate(self.heads)]
        self.logits = sum(self.scores) / len(self.scores)

    @staticmethod
    def _block(block, t: Tensor) -> Block:
        attn, n1 = block.attn, block.norm1(t)
        d = attn.head_dim
        qkv = n1 @ attn.qkv.weight.T + attn.qkv.bias  # (N, 3 heads d)
        heads = []
        for h in range(attn.num_heads):
            q, k, v = (qkv[:, (part * attn.num_heads + h) * d :][:, :d] for part in range(3))
            A = (q @ k.T / d**0.5).softmax(1)
            heads.append((q, k, v, A, A @ v))
        joined = torch.cat([o for *_, o in heads], dim=1)
        attended = attn.proj(joined)
        middle = t + attended
        n2 = block.norm2(middle)
        hidden = block.mlp.fc1(n2)
        active = F.gelu(hidden)
        fed = block.mlp.fc2(active)
        return Block(t, n1, heads, joined, attended, middle, n2, hidden, active, fed, middle + fed)

    @property
    def attention(self) -> list[list[Tensor]]:
        """The attention A (N, N) of every head of every block."""
        return [[A for _, _, _, A, _ in block.heads] for block in self.blocks]

    def gradients(self, c: int) -> list[list[Tensor]]:
        """The gradient of the logit with respect to every A."""
        flat = [A for heads in self.attention for A in heads]
        found = iter(torch.autograd.grad(self.logits[c], flat, retain_graph=True))
        return [[next(found) for _ in heads] for heads in self.attention]

    def relevances(self, c: int) -> tuple[list[Tensor], Tensor]:
        """The relevance of every block's A (heads, N, N), first block first, and of the tokens
        (N, K) that enter the first block."""
        R = torch.zeros_like(self.last)
        one = F.one_hot(torch.tensor(c), len(self.logits)).to(self.logits)
        of_scores = [one] if len(self.scores) == 1 else shared(*self.scores, one)
        for i, (head, r) in enumerate(zip(self.heads, of_scores)):
            R[i] += linear(self.last[i][None], head.weight, r[None])[0]
        of_attention = []
        for block, module in zip(self.blocks[::-1], list(self.model.blocks)[::-1]):
            R_middle, R_fed = shared(block.middle, block.fed, R)
            r = linear(block.active, module.mlp.fc2.weight, R_fed)
            R_middle = R_middle + linear(block.normed_2, module.mlp.fc1.weight, r)
            R_entering, R_attended = shared(block.entering, block.attended, R_middle)
            r = linear(block.joined, module.attn.proj.weight, R_attended).chunk(len(block.heads), 1)
            RA, Rv = products([(A, v) for _, _, v, A, _ in block.heads], r)
            Rq, Rk = products([(q / len(q[0]) ** 0.5, k.T) for q, k, *_ in block.heads], RA)
            r = torch.cat([*Rq, *(t.T for t in Rk), *Rv], dim=1)
            R = R_entering + linear(block.normed, module.attn.qkv.weight, r)
            of_attention.insert(0, torch.stack(RA))
        return of_attention, R


def linear(x: Tensor, w: Tensor, R: Tensor) -> Tensor:
    """Section 3.1: x (N, in), w (out, in), R (N, out). Outputs without positive terms pass 0."""
    found = torch.zeros_like(x)
    for n in range(len(x)):
        share = (x[n] * w).clamp(min=0)  # (out, in)
        spoken = share.any(1)
        share = share[spoken] / share[spoken].sum(1, keepdim=True)
        found[n] = (share * R[n, spoken][:, None]).sum(0)
    return found


def shared(u: Tensor, v: Tensor, R: Tensor) -> tuple[Tensor, Tensor]:
    """Section 3.2: relevance in proportion to each summand, then balanced."""
    z = u + v
    [Ru], [Rv] = balanced([u / z * R], [v / z * R], [R])
    return Ru, Rv


def products(pairs: list[tuple[Tensor, Tensor]], R: list[Tensor]) -> tuple[list, list]:
    """Section 3.2: the product u v per head, u (n, m), v (m, d), then balanced over all heads."""
    Ru, Rv = [], []
    for (u, v), r in zip(pairs, R):
        share = u[:, :, None] * v[None] / (u @ v)[:, None] * r[:, None]  # (n, m, d)
        Ru.append(share.sum(2))
        Rv.append(share.sum(0))
    return balanced(Ru, Rv, R)


def balanced(Ru: list[Tensor], Rv: list[Tensor], R: list[Tensor]) -> tuple[list, list]:
    """The normalisation of section 3.2, as printed; zero if there is no relevance to share."""
    u, v, whole = (sum(t.sum() for t in tensors) for tensors in (Ru, Rv, R))
    if whole == 0:
        return [0 * t for t in Ru], [0 * t for t in Rv]
    size = abs(u) + abs(v)
    scaled = [[t * (abs(s) / size) * whole / s for t in side] for side, s in ((Ru, u), (Rv, v))]
    return scaled[0], scaled[1]
