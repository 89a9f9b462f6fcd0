"""A classifier cut at its target layer."""

import hashlib
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UnknownName
from . import split as splits
from .activation import Activation, Context, Grid, attach, plain, rows
from .stages import Stages


class Classifier(nn.Module):
    """A frozen network in eval mode, as features and head: f(x) = head(features(x)).

    Images are float RGB in [0, 1], (B, 3, H, W); the classifier normalises inside, on its own
    device and dtype. A = features(x) is (B, K, h, w) after the layer's own non-linearity; head(A)
    runs only the layers after it and gives logits (B, C). Gradients flow to images and
    activations, never to parameters. No hook stays, and no call leaves a trace for the next.

    Args:
        model: the bare network; it is put in eval mode and frozen (see `nets.wrap` for a copy).
        layer: a module's path, or the name of a step between modules (as `net.layer` gives it);
            `path#i` for a module's i-th call, else its last; None for the paper's choice: the last convolutional activation before pooling, or the first LayerNorm of the
            last transformer block.
        mean, std: of each colour channel, subtracted and divided inside.
        input_size: height (and width) that the network was trained for.
        name: for tables.

    Raises:
        UnknownName: no such layer; lists the layers.
        ValueError: the network cannot be cut there, with the reason.

    Example:
        >>> net = nets.load("tf_efficientnet_lite0")
        >>> A = net.features(torch.rand(2, 3, 224, 224))
        >>> A.shape, net.head(A).shape
        (torch.Size([2, 1280, 7, 7]), torch.Size([2, 1000]))
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str | None = None,
        *,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        input_size: int = 224,
        name: str = "network",
        compile: bool = False,
    ):
        super().__init__()
        model = model.eval().requires_grad_(False)
        parameter = next(model.parameters(), torch.empty(0))
        device = parameter.device
        for key, value in (("mean", mean), ("std", std)):
            self.register_buffer(key, torch.tensor(value).to(parameter).view(1, -1, 1, 1))
        self.name, self.input_size = name, input_size
        self.model = model.to(memory_format=torch.channels_last)
        self._recipe = dict(layer=layer, mean=mean, std=std, input_size=input_size, name=name)
        self.cpu()._cut(layer)  # where convolutions have full precision: CUDA's default to TF32
        self.layer = self._split.layer
        self._halves = nn.ModuleList(self._split.modules())  # so that .to() reaches them
        self.to(device).eval()
        if compile:
            self._logits = torch.compile(self._logits)

    # ------------------------------------------------------------------------------------ use

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C) of images (B, 3, H, W)."""
        return self._logits(self._normalise(x))

    def features(self, x: Tensor) -> Tensor:
        """A (B, K, h, w), the target layer's activation. What else the head needs rides along."""
        raw, context = self._split.features(self._normalise(x))
        A, prefix = self._grid.split(raw, x.shape[2:])
        if not self.needs_context:
            return A
        return attach(A, (prefix, context))

    def head(self, A: Tensor, context: Context = None) -> Tensor:
        """Logits (B, C) of activations (B, K, h, w).

        Args:
            context: what `features` gave beside A, for networks where skip connections or class
                tokens cross the cut. A result of `features` carries it by itself; for a batch that
                repeats images, pass `context_of(A, index)`.
        """
        if self.needs_context:
            context = getattr(A, "context", None) if context is None else context
            if context is None:
                raise ValueError(
                    f"the head of {self.name} after {self.layer!r} needs more than A {tuple(A.shape)}: "
                    "pass context=context_of(features, index), with the image of each row"
                )
        prefix, extra = context if self.needs_context else (None, ())
        A = plain(A) if isinstance(A, Activation) else A
        return self._split.head(self._guard(self._grid.join(A, prefix)), self._guard(extra))

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    def dtype(self) -> torch.dtype:
        return self.mean.dtype

    def batch_hint(self, x: Tensor) -> int:
        """How many images of this size make a pass that suits the device: in cache on a CPU."""
        per_pass = 8 if self.device.type == "cpu" else 256
        return max(1, round(per_pass * 224**2 / (x.shape[2] * x.shape[3])))

    @property
    def affine_head(self) -> bool:
        """Whether the head is known to be affine, so that perturbations of A have closed forms."""
        return self._split.affine

    @cached_property
    def stages(self) -> Stages | None:
        """The head in stages, where it begins additively over channels; None where not known."""
        if self.needs_context or self.affine_head:
            return None
        probe = torch.zeros(1, 3, self.input_size, self.input_size, device=self.device)
        with torch.no_grad():
            return self._split.stages(self.features(probe))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what decides the logits and the maps: architecture, weights, layer, scaling."""
        digest = hashlib.sha256(repr((self.model, self.layer)).encode())
        for name, tensor in [
            *self.model.state_dict().items(),
            ("mean", self.mean),
            ("std", self.std),
        ]:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def like(self, model: nn.Module) -> "Classifier":
        """Another model of the same architecture, cut, scaled and named as this one."""
        recipe = self._recipe | {"layer": self.layer, "name": self.name}
        return Classifier(model, **recipe).to(self.device, self.dtype)

    def train(self, mode: bool = True) -> "Classifier":
        """Explanations are of the network in eval mode: it stays there."""
        return super().train(False)

    def _apply(self, fn, recurse=True):
        self.__dict__.pop("stages", None)  # of the old device and dtype
        return super()._apply(fn, recurse)

    def __reduce__(self) -> tuple:
        return _restore, (self.model, self._recipe)

    # ------------------------------------------------------------------------------- construction

    def _normalise(self, x: Tensor) -> Tensor:
        x = x.to(self.mean)  # device and dtype
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def _logits(self, x: Tensor) -> Tensor:
        return self._split.head(*self._split.features(x))

    def _guard(self, tree: Any) -> Any:
        """Copies of what an in-place head would overwrite."""
        if not self._in_place:
            return tree
        return torch.utils._pytree.tree_map_only(Tensor, Tensor.clone, tree)

    @torch.no_grad()
    def _cut(self, layer: str | None) -> None:
        """Cut by the graph if that reproduces the network, else by replaying."""
        generator = torch.Generator().manual_seed(0)
        probe = torch.rand(2, 3, self.input_size, self.input_size, generator=generator)
        x = self._normalise(probe)
        logits = self.model(x.clone())
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            what = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(
                f"{self.name} gives {what}; a classifier gives logits (B, C): wrap it in one that does"
            )
        self.num_classes = logits.shape[1]
        if layer is None:
            layer = splits.default_transformer_layer(self.model)
        reasons = []
        for kind in (splits.GraphSplit, splits.ReplaySplit):
            try:
                self._split = kind(self.model, layer, x)
                self._check(x, logits)
                return
            except UnknownName:
                raise
            except (
                Exception
            ) as error:  # tracing runs the network's own code, which may raise anything
                reasons.append(f"{kind.__name__}: {type(error).__name__}: {error}")
        raise ValueError(
            f"{self.name} cannot be cut at layer {layer or 'its default'!r}:\n  "
            + "\n  ".join(reasons)
        )

    def _check(self, x: Tensor, logits: Tensor) -> None:
        """head(features(x)) is the network, on the probe and on a batch that repeats its images."""
        raw, context = self._split.features(x)
        prefix_tokens = getattr(self.model, "num_prefix_tokens", None)
        self._grid = Grid(raw.shape, tuple(x.shape[2:]), prefix_tokens, self._split.layer)
        A, prefix = self._grid.split(raw, x.shape[2:])
        self.needs_context = prefix is not None or len(context) > 0
        again = torch.tensor([1, 0, 1], device=x.device)
        A_again, prefix_again, context_again = rows((A, prefix, context), again)  # copies
        raw, versions = self._grid.join(A, prefix), _versions((raw, context))
        out = self._split.head(raw, context)
        self._in_place = _versions((raw, context)) != versions
        with torch.enable_grad():
            raw = self._grid.join(A_again.requires_grad_(), prefix_again)
            repeated = self._split.head(*self._guard((raw, context_again)))
        if not repeated.requires_grad:
            raise ValueError(f"layer {self._split.layer!r} has no influence on the logits")
        tolerance = 1e-5 if x.dtype in (torch.float32, torch.float64) else 5e-2
        for name, got, want in (
            ("head(features(x))", out, logits),
            ("a repeated batch", repeated, logits[again]),
        ):
            error = ((got - want).abs().max() / want.abs().max().clamp_min(1e-12)).item()
            if not error <= tolerance:
                raise ValueError(
                    f"{name} differs from the network by {error:.1e} of its largest logit"
                )


def _versions(tree: Any) -> list[int]:
    """How often each tensor of a tree has been overwritten."""
    return [t._version for t in torch.utils._pytree.tree_leaves(tree) if isinstance(t, Tensor)]


def _restore(model: nn.Module, recipe: dict) -> Classifier:
    return Classifier(model, **recipe)
