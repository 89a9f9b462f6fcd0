"""Build a named network and give it weights, from a manifest or a file."""

from difflib import get_close_matches
from pathlib import Path

import timm
import torch
import torchvision.models as tv
from torch import Tensor, nn

from .. import manifests
from ..errors import unknown
from .foreign_weights import read_foreign

TORCHVISION = "torchvision:"
# The networks that are trained here: the place of the recipe of each.
RECIPES = {name: entry["recipe"] for name, entry in manifests.networks().items()}

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RANDOM_SEED = 0


def build(name: str, **options) -> nn.Module:
    """A network with random weights, the same at every call.

    Args:
        name: a timm name, `torchvision:<name>`, or one of a manifest that says its architecture.
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
    """The error for a name that is no network's; lists the project's own and what has weights here."""
    close = get_close_matches(name, timm.list_models(), n=5)
    own = [*RECIPES, *manifests.read("weights")]
    forms = ["any timm name", "torchvision:<name>", "<module>:<function>", "<file>.py:<function>"]
    return unknown("network", name, [*own, *close, *forms])


def load_weights(model: nn.Module, name: str, weights: str | Path | None) -> nn.Module:
    """The network with its weights.

    Args:
        weights: None for the manifest's, "random" for none, else the path of a state dict.

    Raises:
        FileNotFoundError: no manifest describes this network, or its file is not here.
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
    """The tensors of a manifest's file, under the names of the network's own."""
    if "format" in entry:
        return read_foreign(entry, path, own)
    state = read_state(path, entry["name"])
    if entry["tensors"] == "in order":
        return dict(zip(own, state.values(), strict=True))
    return state


def read_state(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a state dict, out of the wrappings that training scripts use."""
    if not path.is_file():
        raise FileNotFoundError(f"weights for {name!r}: no file {str(path)!r}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path}: not a state dict that loads with weights_only=True ({error})"
        ) from error
    for key in ("state_dict", "model", "model_state"):
        state = (
            state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
        )
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise ValueError(
            f"{path} holds no state dict {{name: tensor}}, but a {type(state).__name__}"
        )
    return {key.removeprefix("module."): value for key, value in state.items()}


def _fill_any(model: nn.Module, name: str, state: dict[str, Tensor], path: Path) -> nn.Module:
    """The model with these tensors; its classifier takes their number of classes."""
    heads = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    last = f"{heads[-1]}.weight" if heads else None
    own = model.state_dict()
    if last in state and state[last].shape != own[last].shape:
        model = build(name, num_classes=state[last].shape[0])
    return fill(model, name, state, path)


def fill(model: nn.Module, name: str, state: dict[str, Tensor], path: Path) -> nn.Module:
    """The model with these tensors, all of them and no others."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit {name!r}: {error}") from error
    return model
