"""A classifier cut at its target layer."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from ..checks import as_autocast
from ..errors import UnknownName
from .accepted import check_alone, check_network, check_output, does_not_run, first_line
from .activation import Context, attach, context_of, rows
from .additive_head import AdditiveHead, additive_head
from .architecture import count_classes, has_class_token, last_block_norm, run_in_order
from .device import check_device
from .graph_cut import GraphCut
from .grid import find_grid
from .one_logit import OneLogit, one_logit
from .replay_cut import ReplayCut
from .target_layer import layer_name


class Classifier(nn.Module):
    """A frozen network in eval mode, as features and head: f(x) = head(features(x)).

    Images are float RGB in [0, 1], (B, 3, H, W); the classifier normalises inside, on its own
    device and dtype. A = features(x) is (B, K, h, w) after the layer's own non-linearity; head(A)
    runs only the layers after it and gives logits (B, C). Gradients flow to images and
    activations, never to parameters. No hooks remain, and calls do not affect each other.

    Args:
        model: the bare network; it is put in eval mode and frozen (see `nets.wrap` for a copy).
        layer: a module or its path, or the name of a step between modules (as in `net.layer`).
            `path#i` is a module's i-th call; without a number its last. None for the paper's
            choice: the last convolutional activation before pooling, or before the convolution that
            gives the classes, or the first LayerNorm of the last transformer block; a model with an
            attribute `target_layer` is cut there.
        mean, std: the values per colour channel that are subtracted and divided by inside.
        input_size: the height and width of the square images on which the network was trained.
            Images of other shapes are not resized, and work if the network takes them.
        name: the name that tables show.
        classes: the names of the classes, in order; None if they are not known.
        compile: whether `forward` runs through torch.compile. It changes logits by rounding alone.
        autocast: None, or "bfloat16" or "float16": the convolutions and matrix products of `forward`
            and `features` run in this precision, and their results are returned in `dtype`. `head`
            stays in full precision. Logits change by up to 0.05 of the largest in bfloat16, and by
            0.005 in float16.

    Attributes:
        layer: the name of the target layer.
        num_classes: C, or 0 for a backbone without a classifier, which has features but raises a
            ValueError if it is asked for logits.
        classes: the names of the C classes, or None.
        architecture: "transformer" if activations are tokens, there is a class token, or the
            network ends in blocks that begin with a LayerNorm; otherwise "CNN".
        affine_head: whether the head is known to be affine, so that perturbations of A have closed
            forms.
        needs_context: whether the head needs more than A.

    Raises:
        UnknownName: there is no such layer; the message lists the layers.
        ValueError: the network cannot be cut at the layer, or cannot be explained (see `accepted`):
            it is TorchScript, does not run on such images, gives one logit, probabilities or NaN,
            or gives logits that depend on other images of the batch; or the number of names is not
            that of the classes.

    Example:
        >>> net = nets.load("tf_efficientnet_lite0")
        >>> A = net.features(torch.rand(2, 3, 224, 224))
        >>> A.shape, net.head(A).shape
        (torch.Size([2, 1280, 7, 7]), torch.Size([2, 1000]))
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str | nn.Module | None = None,
        *,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        input_size: int = 224,
        name: str = "network",
        classes: Sequence[str] | None = None,
        compile: bool = False,
        autocast: str | torch.dtype | None = None,
    ):
        super().__init__()
        check_network(name, model)
        autocast = as_autocast(autocast)
        layer = layer_name(model, layer)
        model = model.eval().requires_grad_(False)
        parameter = next(model.parameters(), torch.empty(0))
        device = parameter.device
        for key, value in (("mean", mean), ("std", std)):
            self.register_buffer(key, _channels(key, value).to(parameter).view(1, -1, 1, 1))
        self.name, self.input_size = name, _side(input_size)
        self.model = model
        self._recipe = dict(
            layer=layer, mean=mean, std=std, input_size=input_size, name=name,
            compile=compile, autocast=autocast,
        )  # fmt: skip
        self.autocast = None  # while it is cut
        self._weights_then: list[int] | None = None
        self.cpu()._find_cut(layer)  # in full precision: convolutions on CUDA default to TF32
        self._halves = nn.ModuleList(self._cut.modules())  # so that .to() reaches them
        self.to(device).eval()
        self._weights_then = _versions(self.model.state_dict())
        self.classes, self.autocast = self._named(classes), autocast
        if compile:
            self._logits = torch.compile(self._logits)

    # ------------------------------------------------------------------------------------ use

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C) of images (B, 3, H, W)."""
        self.need_classes()
        scaled = self.normalise(x)
        with self._naming_the_size("images", x, (self.input_size, self.input_size)):
            with self._autocast():
                logits = self._logits(scaled)
        return logits.to(self.dtype)

    def features(self, x: Tensor) -> Tensor:
        """A (B, K, h, w), the target layer's activation, which carries what else the head needs."""
        A, context = self.cut(x)
        return A if context is None else attach(A, context)

    def cut(self, x: Tensor) -> tuple[Tensor, Context]:
        """A (B, K, h, w) as an ordinary tensor, and its context, which `head` takes as it is.

        Example:
            >>> A, context = net.cut(x)
            >>> y = net.head(torch.zeros_like(A), context)
        """
        scaled = self.normalise(x)
        with self._naming_the_size("images", x, (self.input_size, self.input_size)):
            with self._autocast():
                raw, crossing = self._cut.features(scaled)
            if self.autocast is not None:
                raw, crossing = tree_map_only(Tensor, self._in_full, (raw, crossing))
            A, prefix = self._grid.split(raw, x.shape[2:])
        return A, (prefix, crossing) if self.needs_context else None

    def head(self, A: Tensor, context: Context = None) -> Tensor:
        """Logits (B, C) of activations (B, K, h, w).

        Args:
            context: the second result of `cut`, for networks where skip connections or class tokens
                cross the cut. A result of `features` carries it. For a batch that repeats images,
                pass `context_of(A, index)`.
        """
        self.need_classes()
        return self._head(A, context)

    def _head(self, A: Tensor, context: Context = None) -> Tensor:
        """The logits, or the output of a backbone."""
        prefix, crossing = None, ()
        if self.needs_context:
            context = context_of(A) if context is None else context
            if context is None:
                raise ValueError(
                    f"the head of {self.name} after {self.layer!r} needs more than A {tuple(A.shape)}: "
                    "pass context=context_of(features, index), with the image of each row"
                )
            prefix, crossing = context
        A = A.as_subclass(Tensor)  # an ordinary tensor, in the same autograd graph
        if self._format is torch.contiguous_format:  # the network may need it
            A = A.contiguous()
        with self._naming_the_size("activations", A, self._grid.size):
            return self._cut.head(*self._guard((self._grid.join(A, prefix), crossing)))

    def _autocast(self) -> AbstractContextManager:
        return (
            nullcontext()
            if self.autocast is None
            else torch.autocast(self.device.type, self.autocast)
        )

    def _in_full(self, t: Tensor) -> Tensor:
        return t.to(self.dtype) if t.is_floating_point() else t

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    def dtype(self) -> torch.dtype:
        return self.mean.dtype

    def batch_hint(self, x: Tensor) -> int:
        """The number of images of this size per pass that suits the device (a CPU's cache)."""
        per_pass = 8 if self.device.type == "cpu" else 256
        return max(1, round(per_pass * 224**2 / (x.shape[2] * x.shape[3])))

    @cached_property
    def additive_head(self) -> AdditiveHead | None:
        """The head in additive form; None if it is not known to begin additively over channels."""
        if (
            self.needs_context
            or self.affine_head
            or self._cut.graph is None
            or not self.num_classes
        ):
            return None
        with torch.no_grad():
            return additive_head(self._cut.graph, self.features(self._probe(1)))

    def one_logit(self, target: int, A: Tensor) -> OneLogit | None:
        """The part of the head that the logit of one class reads, for activations of the size of A
        (1, K, h, w); None if the head is affine or not known."""
        if self.needs_context or self.affine_head or self._cut.graph is None:
            return None
        key = (target, *A.shape[2:])
        if key not in self._one_logit:
            with torch.no_grad():
                self._one_logit[key] = one_logit(self._cut.graph, A, target)
        return self._one_logit[key]

    @cached_property
    def _one_logit(self) -> dict[tuple[int, ...], OneLogit | None]:
        return {}

    @property
    def fingerprint(self) -> str:
        """A hash of everything on which logits and maps depend: architecture, weights, layer,
        scaling, and the outputs for an image of noise, so that changed code counts too.

        Raises:
            ValueError: the weights were changed after the network was cut into halves with copies.
        """
        if not self._as_cut():
            raise ValueError(
                f"weights of {self.name} have changed since it was cut: cut it again, as by net.like(net.model)"
            )
        return self._fingerprint

    def _as_cut(self) -> bool:
        """Whether the weights are the same as when the network was cut."""
        then = self._weights_then  # None while it is being cut
        return then is None or then == _versions(self.model.state_dict())

    @cached_property
    def _fingerprint(self) -> str:
        said = self.model, self.layer, self.autocast, self._behaviour()
        digest = hashlib.sha256(repr(said).encode())
        scaling = {"mean": self.mean, "std": self.std}
        for name, tensor in (self.model.state_dict() | scaling).items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def _behaviour(self) -> list[float]:
        """Two numbers of A and two of the logits for an image of noise.

        They are computed in double precision, in which runs with more threads or on another device
        differ by about 1e-13, and rounded to six digits. One network in a million is so close to a
        rounding boundary that its hash could change.
        """
        twin = copy.deepcopy(self).cpu()
        try:
            return _summary(twin.double(), 6)
        except RuntimeError:  # the network's code creates tensors of single precision
            return _summary(twin.to(self.dtype), 2)

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments besides the model."""
        return self._recipe | {"layer": self.layer, "name": self.name, "classes": self.classes}

    def like(self, model: nn.Module) -> "Classifier":
        """Another model of the same architecture, cut, scaled and named like this one."""
        return Classifier(model, **self.settings).to(self.device, self.dtype)

    def to(self, *args, **kwargs) -> "Classifier":
        """As for any module; a ValueError if the device does not exist."""
        device = torch._C._nn._parse_to(*args, **kwargs)[0]
        if device is not None:
            check_device(device)
        return super().to(*args, **kwargs)

    def cuda(self, device: int | torch.device | None = None) -> "Classifier":
        return self.to("cuda" if device is None else torch.device(device))

    def train(self, mode: bool = True) -> "Classifier":
        """Does nothing: the network is explained in eval mode and stays there."""
        return super().train(False)

    def _apply(self, fn, recurse=True):
        for name in ("additive_head", "_one_logit"):  # for the old device and dtype
            self.__dict__.pop(name, None)
        as_cut = self._as_cut()
        super()._apply(fn, recurse)
        if as_cut:
            self._weights_then = _versions(self.model.state_dict())
        return self

    def __reduce__(self) -> tuple:
        recipe = self._recipe | {"name": self.name, "classes": self.classes}
        return partial(Classifier, **recipe), (self.model,)

    # ------------------------------------------------------------------------------- construction

    def _named(self, classes: Sequence[str] | None) -> tuple[str, ...] | None:
        """The names of the classes; an error unless there are as many names as classes."""
        if classes is None:
            return None
        if isinstance(classes, str) or len(classes) != self.num_classes:
            got = repr(classes) if isinstance(classes, str) else f"{len(classes)} names"
            raise ValueError(
                f"classes of {self.name} are {self.num_classes} names, one an output, got {got}"
            )
        return tuple(str(one) for one in classes)

    def need_classes(self) -> None:
        """Raises a ValueError for a backbone, which has no classifier."""
        if not self.num_classes:
            raise ValueError(
                f"{self.name} has no classifier, so no logits: take a method that knows no class, "
                "such as raw_attention, rollout or diff_cam, or another network"
            )

    def normalise(self, x: Tensor) -> Tensor:
        """Images normalised for the bare model."""
        if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point():
            raise ValueError(
                f"images are (B, 3, H, W), float in [0, 1], got {tuple(x.shape)} of {x.dtype}: grey ones "
                "are x.expand(-1, 3, -1, -1), whole numbers x / 255"
            )
        x = x.to(self.mean)  # device and dtype
        return ((x - self.mean) / self.std).contiguous(memory_format=self._format)

    @contextmanager
    def _naming_the_size(self, what: str, given: Tensor, own: tuple[int, int]) -> Iterator[None]:
        """Makes errors on images or activations of another size than the network's say so."""
        try:
            yield
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            h, w = given.shape[2:]
            if (h, w) == own or isinstance(error, torch.OutOfMemoryError):
                raise
            raise ValueError(
                f"{self.name} failed on {what} of {h} x {w}, and is made for {own[0]} x {own[1]}: resize "
                f"the images to {self.input_size} ({first_line(error)})"
            ) from error

    def _logits(self, x: Tensor) -> Tensor:
        return self._cut.head(*self._cut.features(x))

    def _guard(self, tree: Any) -> Any:
        """The tensors of a tree, copied if an in-place head would overwrite them."""
        return tree_map_only(Tensor, torch.clone, tree) if self._in_place else tree

    def _probe(self, n: int) -> Tensor:
        """Images of noise (n, 3, H, W), always the same."""
        generator = torch.Generator().manual_seed(0)
        return torch.rand(n, 3, self.input_size, self.input_size, generator=generator)

    @torch.no_grad()
    def _find_cut(self, layer: str | None) -> None:
        """Cuts the network by its graph if that reproduces it, and otherwise by replaying."""
        logits, calls = self._first_run()
        x = self.normalise(self._probe(2))
        check_output(self.name, self.model, logits, x)
        check_alone(self.name, self.model, x, logits, calls, _tolerance(x))
        self.num_classes = count_classes(self.model, logits)
        last_norm, errors = last_block_norm(self.model, calls), {}
        layer = layer or getattr(self.model, "target_layer", None) or last_norm
        for kind in (GraphCut, ReplayCut):
            try:
                self._cut = kind(self.model, layer, x)
                self._check(x, logits)
                self.layer, self.affine_head = self._cut.layer, self._cut.affine
                tokens = (
                    last_norm
                    or self._grid.layout.startswith("tokens")
                    or has_class_token(self.model)
                )
                self.architecture = "transformer" if tokens else "CNN"
                return
            except UnknownName:
                raise
            except Exception as error:  # it runs the network's own code, which may raise anything
                errors[kind.__name__] = error
        where = repr(layer) if layer else "of its own"
        first, *others = errors.values()
        if all(
            str(other) == str(first) for other in others
        ):  # it lies in the network, not in the way
            raise ValueError(f"{self.name} cannot be cut at layer {where}: {first}") from first
        said = "".join(f"\n  {k}: {type(e).__name__}: {e}" for k, e in errors.items())
        raise ValueError(f"{self.name} cannot be cut at layer {where}:{said}")

    def _first_run(self) -> tuple[Any, dict[str, int]]:
        """The network's output for the probe, and the order of its modules.

        The format is channels last, which is faster, or the usual one if the network runs only so,
        as with `x.view(len(x), -1)`.
        """
        for self._format in (torch.channels_last, torch.contiguous_format):
            x = self.normalise(self._probe(2))
            try:
                self.model.to(memory_format=self._format)
                return run_in_order(self.model, x)
            except Exception as error:  # it runs the network's own code, which may raise anything
                failure = error
        raise does_not_run(self.name, self.model, x, failure) from failure

    def _check(self, x: Tensor, logits: Tensor) -> None:
        """Checks that head(features(x)) equals the network, also on a batch that repeats images."""
        raw, context = self._cut.features(x)
        self._grid = find_grid(
            self.model, self._cut.layer, x, lambda x: self._cut.features(x.clone())[0]
        )
        A, prefix = self._grid.split(raw, x.shape[2:])
        self.needs_context = prefix is not None or len(context) > 0
        again = torch.tensor([1, 0, 1], device=x.device)
        A_again, prefix_again, context_again = rows((A, prefix, context), again)  # copies
        raw, versions = self._grid.join(A, prefix), _versions((raw, context))
        out = self._cut.head(raw, context)
        self._in_place = _versions((raw, context)) != versions
        with torch.enable_grad():
            raw = self._grid.join(A_again.requires_grad_(), prefix_again)
            repeated = self._cut.head(*self._guard((raw, context_again)))
        if not repeated.requires_grad:
            raise ValueError(f"layer {self._cut.layer!r} has no influence on the logits")
        tolerance = _tolerance(x)
        pairs = {"head(features(x))": (out, logits), "a repeated batch": (repeated, logits[again])}
        for name, (got, want) in pairs.items():
            error = ((got - want).abs().max() / want.abs().max().clamp_min(1e-12)).item()
            if not error <= tolerance:
                raise ValueError(
                    f"{name} differs from the network by {error:.1e} of its largest logit"
                )


def _channels(name: str, value: Any) -> Tensor:
    """One number per colour channel, or one for all."""
    try:
        found = torch.tensor(value)
    except (TypeError, ValueError, RuntimeError):
        found = torch.empty(0)
    if found.numel() not in (1, 3):
        raise ValueError(f"{name} is three numbers, one a colour channel, got {value!r}")
    return found


def _side(size: Any) -> int:
    """The side of a square, given as one number or as height and width."""
    sides = {size} if type(size) is int else set(size) if isinstance(size, Sequence) else set()
    if len(sides) != 1 or not all(type(side) is int and side > 0 for side in sides):
        raise ValueError(
            f"input_size is one number, the side of a square, got {size!r}: give the height; images of "
            "another shape need not be resized where the network takes them"
        )
    return sides.pop()


def _tolerance(x: Tensor) -> float:
    """The allowed difference between two computations of the logits, relative to the largest."""
    return 1e-5 if x.dtype in (torch.float32, torch.float64) else 5e-2


def _versions(tree: Any) -> list[int]:
    """The version counter of each tensor of a tree, which counts how often it was overwritten."""
    leaves = tree_leaves(tree)
    return [t._version for t in leaves if isinstance(t, Tensor) and not t.is_inference()]


@torch.no_grad()
def _summary(net: Classifier, digits: int) -> list[float]:
    A, context = net.cut(net._probe(1))
    found = []
    for t in (A.double().flatten(), net._head(A, context).double().flatten()):
        size = t.norm().item()
        along = (t @ torch.arange(len(t)).to(t).cos()).item() / size if size else 0.0
        found += [float(f"{size:.{digits}g}"), round(along, digits)]
    return found
