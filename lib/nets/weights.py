"""Builds a network by name and loads its weights, from a manifest or a file."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

import timm
import torch
import torchvision.models as tv
from torch import Tensor, nn

from .. import manifests
from ..errors import unknown
from .accepted import first_line
from .foreign_weights import read_foreign

TORCHVISION = "torchvision:"
# The networks that are trained here, and the "module:name" of each one's recipe.
RECIPES = {name: entry["recipe"] for name, entry in manifests.networks().items()}

# Keys under which training scripts keep the state dict in a checkpoint. Averaged weights come
# first, since they are the ones that such scripts evaluate.
WRAPPINGS = (
    "state_dict_ema",
    "model_ema",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
)
PREFIXES = ("module.", "model.", "net.")  # of DataParallel, Lightning and scripts
INSIDE = (
    "_orig_mod.",
    "_fsdp_wrapped_module.",
    "_checkpoint_wrapped_module.",
)  # of torch's wrappers
COUNTERS = ("total_ops", "total_params", "n_averaged")  # of thop, and of averaged weights

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RANDOM_SEED = 0


def build(name: str, **options) -> nn.Module:
    """A network with random weights, the same at every call.

    Args:
        name: a timm name, `torchvision:<name>`, or the name of a manifest with an `architecture`.
    """
    entry = manifests.read("weights").get(name, {})
    name, options = entry.get("architecture", name), entry.get("options", {}) | options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        if name.startswith(TORCHVISION):
            short = name.removeprefix(TORCHVISION)
            if short not in tv.list_models(module=tv):
                raise unknown("network", name, [TORCHVISION + n for n in tv.list_models(module=tv)])
            return tv.get_model(short, weights=None, **options)
        if not timm.is_model(name):
            raise unknown_network(name)
        return timm.create_model(name, pretrained=False, **options)


def unknown_network(name: str) -> Exception:
    """The error for an unknown network; lists the project's networks and those with a manifest."""
    close = get_close_matches(name, timm.list_models(), n=5)
    own = [*RECIPES, *manifests.read("weights")]
    forms = ["any timm name", "torchvision:<name>", "<module>:<function>", "<file>.py:<function>"]
    return unknown("network", name, [*own, *close, *forms])


def load_weights(model: nn.Module, name: str, weights: str | Path | None) -> nn.Module:
    """The network with its weights.

    Args:
        weights: None for the manifest's, "random" for the initialisation, or the path of a state
            dict.

    Raises:
        FileNotFoundError: no manifest describes this network, or its file is missing.
    """
    if weights == "random":
        return model
    if weights is None:
        entry = manifests.read("weights").get(name)
        if entry is None:
            raise FileNotFoundError(
                f"no weights for {name!r}: no manifest in data_manifests/weights describes them; "
                "give weights='path/of/a/state_dict.pth', or weights='random' for a test"
            )
        path = manifests.locate(entry)
        return fill(model, name, _published(entry, path, model.state_dict()), path)
    return _fill_any(model, name, read_state(Path(weights), name), Path(weights))


def _published(entry: manifests.Entry, path: Path, own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a manifest's file, under the network's names."""
    if "format" in entry:
        return read_foreign(entry, path, own)
    state = read_state(path, entry["name"])
    if entry["tensors"] == "in order":
        return dict(zip(own, state.values(), strict=True))
    return state


def read_state(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a state dict, taken out of the wrappings that training scripts use."""
    if not path.is_file():
        raise FileNotFoundError(f"weights for {name!r}: no file {str(path)!r}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path}: not a state dict that loads with weights_only=True ({first_line(error)})"
        ) from error
    while isinstance(state, dict):
        inner = next((state[key] for key in WRAPPINGS if isinstance(state.get(key), dict)), None)
        if inner is None:
            break
        state = inner
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise ValueError(
            f"{path} holds no state dict {{name: tensor}}, but a {type(state).__name__}"
        )
    return state


def named_as(own: Collection[str], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors under a network's names, without the prefixes of wrappers around the saved
    network and without counters of operations.

    Example:
        >>> named_as(["fc.bias"], {"model._orig_mod.fc.bias": bias, "total_ops": ops}).keys()
        dict_keys(['fc.bias'])
    """
    state = {key: value for key, value in state.items()
             if key in own or key.rpartition(".")[2] not in COUNTERS}  # fmt: skip
    for inside in INSIDE:  # around a part of the network, or all of it
        if not any(inside in key for key in own):
            state = {key.replace(inside, ""): value for key, value in state.items()}
    while prefix := next((p for p in PREFIXES if _stands_before_all(p, own, state)), None):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    for prefix in PREFIXES:  # the network itself may be wrapped, as by `TwoClasses`
        if own and all(key.startswith(prefix) and key not in state for key in own):
            state = {prefix + key: value for key, value in state.items()}
            break
    return state


def _stands_before_all(prefix: str, own: Collection[str], state: Collection[str]) -> bool:
    """Whether a prefix is the file's and not the network's. Other tensors of the file, such as
    those of a loss, may lack it, but none that the network has."""
    if any(key.startswith(prefix) for key in own):
        return False
    others = [key for key in state if not key.startswith(prefix)]
    return len(others) < len(state) and not any(key in own for key in others)


def _fill_any(model: nn.Module, name: str, state: dict[str, Tensor], path: Path) -> nn.Module:
    """The model with these tensors; its classifier gets their number of classes."""
    heads = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    last = f"{heads[-1]}.weight" if heads else None
    own = model.state_dict()
    state = named_as(own, state)
    if last in state and state[last].shape != own[last].shape:
        model = build(name, num_classes=state[last].shape[0])
    return fill(model, name, state, path)


def fill(model: nn.Module, name: str, state: dict[str, Tensor], path: Path) -> nn.Module:
    """The model with these tensors, all of them and no others."""
    own = model.state_dict()
    state = named_as(own, state)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit {name!r}: {_difference(own, state)}") from error
    return model


def _difference(own: dict[str, Tensor], state: dict[str, Tensor]) -> str:
    """A message on how a file's tensors differ from a network's, or on a prefix that differs."""
    missing = [key for key in own if key not in state]
    strange = [key for key in state if key not in own]
    shapes = [f"{key} is {tuple(state[key].shape)} for {tuple(own[key].shape)}" for key in own
              if key in state and getattr(state[key], "shape", None) != own[key].shape]  # fmt: skip
    for one in missing[:1]:
        for other in strange:
            if other.endswith(f".{one}"):
                return f"its names begin with {other.removesuffix(one)!r}: save it without"
            if one.endswith(f".{other}"):
                return f"its names lack {one.removesuffix(other)!r} in front: save it with that"
    said = [("missing", missing), ("not the network's", strange), ("of another shape", shapes)]
    return "; ".join(f"{len(which)} {what} ({_few(which)})" for what, which in said if which)


def _few(names: list[str]) -> str:
    return ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])
