"""Training by a recipe: seeded, and without effect on the caller's random numbers."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR, StepLR
from torch.utils.data import DataLoader
from tqdm import tqdm

from lib.data import Dataset, Record
from lib.errors import unknown

from . import image_cache

if TYPE_CHECKING:
    from .recipe import Recipe  # which trains by this module
from lib.nets.weights import build, load_weights


@dataclass(frozen=True)
class Phase:
    """A part of training: a number of epochs at one peak learning rate.

    Attributes:
        frozen: the submodules that are not trained.
    """

    epochs: int
    learning_rate: float
    frozen: tuple[str, ...] = ()


FASTER = 10  # factor of the learning rate for a recipe's `faster`
EPOCHS_A_STEP = 30  # of the schedule "steps"

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]

OPTIMIZERS = {"adamw": torch.optim.AdamW, "sgd": partial(torch.optim.SGD, momentum=0.9)}


class Trained(NamedTuple):
    """A trained network: the values that rebuild it, and its accuracy.

    Attributes:
        arguments: the arguments of the recipe's `build`.
        state_dict: the weights.
        accuracy: the fraction of test images that it classifies correctly.
        seconds: the time that training took, including the drawing of the images.
    """

    arguments: dict[str, Any]
    state_dict: dict[str, Tensor]
    accuracy: float
    seconds: float


def fit(
    recipe: "Recipe",
    train: Dataset,
    test: Dataset,
    device: str | torch.device,
    validation: Dataset | None = None,
) -> Trained:
    """Trains a network and measures its test accuracy.

    Args:
        validation: the images whose loss chooses the best epoch; None for the last epoch.

    Raises:
        ValueError: the test accuracy is below the recipe's floor; the message gives both.
    """
    device = torch.device("cpu" if recipe.reproducible else device)
    epochs = sum(phase.epochs for phase in (*recipe.before, recipe))
    say(
        f"training {recipe.name}: {epochs} epoch(s) on {len(train):,} samples of "
        f"{recipe.dataset}, on {device}"
    )
    started = time.monotonic()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        arguments = recipe.arguments(train)
        train = permuted(train, recipe.seed) if recipe.permuted else train
        model = start(recipe, arguments).to(device, memory_format=torch.channels_last)
        best = Best(recipe, model, validation, device)
        _optimise(recipe, model, _batches(recipe, model, train, shuffle=True), device, best)
        best.restore()
        accuracy = measure(recipe, model, test, device)
    seconds = time.monotonic() - started
    if not accuracy >= recipe.floor:
        raise ValueError(
            f"{recipe.name} reached a test accuracy of {accuracy:.1%} in {epochs} epoch(s) on "
            f"{len(train):,} samples; its recipe asks for {recipe.floor:.0%}: check the dataset "
            f"{recipe.dataset!r}, or change the recipe in its test bed"
        )
    say(
        f"trained {recipe.name} in {seconds:.0f} s: {accuracy:.1%} of {len(test):,} test samples right"
    )
    state_dict = {
        name: tensor.cpu().contiguous() for name, tensor in model.float().state_dict().items()
    }
    return Trained(arguments, state_dict, accuracy, seconds)


def permuted(data: Dataset, seed: int) -> Dataset:
    """The same images with their labels shuffled: the count of each label stays, its meaning is
    lost.

    (Adebayo et al. 2018, section 4; Opti-CAM appendix G.)
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).tolist()
    return data.relabelled(data.targets[i] for i in order)


def start(recipe: "Recipe", arguments: dict[str, Any]) -> nn.Module:
    """The network before training: seeded random weights, and pretrained submodules."""
    with _default_dtype(recipe.dtype):  # random numbers are drawn in that precision too
        model = untrained(recipe, arguments)
    for path, name in recipe.pretrained:
        part = model.get_submodule(path)
        known = load_weights(build(name), name, None).state_dict()
        own = part.state_dict()
        fitting = {key: known[key] for key in own if known[key].shape == own[key].shape}
        part.load_state_dict(own | fitting)
    return model


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def untrained(recipe: "Recipe", arguments: dict[str, Any]) -> nn.Module:
    """The network with random weights, the same at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return recipe.build(**arguments)


def measure(recipe: "Recipe", model: nn.Module, data: Dataset, device: torch.device) -> float:
    """The fraction of a dataset that a network classifies correctly; leaves it in eval mode."""
    model.eval()
    batches = _batches(recipe, model, data, shuffle=False)
    with torch.no_grad():
        answers = _answers(recipe, model, batches, device)
        right = sum((y.argmax(1) == targets).sum().item() for y, targets in answers)
    return right / len(data)


class Best:
    """Keeps the weights of the epoch with the lowest loss on images for validation, if there are
    any.
    """

    def __init__(
        self, recipe: "Recipe", model: nn.Module, data: Dataset | None, device: torch.device
    ):
        self.recipe, self.model, self.device = recipe, model, device
        self.batches = None if data is None else _batches(recipe, model, data, shuffle=False)
        self.loss, self.state = float("inf"), None

    def look(self) -> None:
        """Looks at the network after an epoch, and leaves it in eval mode."""
        if self.batches is None:
            return
        self.model.eval()
        with torch.no_grad():
            loss = sum(
                F.cross_entropy(y, targets, reduction="sum").item()
                for y, targets in _answers(self.recipe, self.model, self.batches, self.device)
            )
        if loss < self.loss:
            state = self.model.state_dict()
            self.loss, self.state = loss, {name: t.clone() for name, t in state.items()}

    def restore(self) -> None:
        if self.state is not None:
            self.model.load_state_dict(self.state)


def _answers(
    recipe: "Recipe", model: nn.Module, batches: DataLoader, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits and targets of each batch, on the CPU."""
    for batch in batches:
        x = _normalised(recipe, _on(device, batch.images, recipe.dtype))
        yield model(x, *(tensor.to(device) for tensor in batch.questions)).cpu(), batch.targets


def _optimise(
    recipe: "Recipe", model: nn.Module, batches: DataLoader, device: torch.device, best: Best
) -> None:
    for phase in (*recipe.before, recipe):
        _run(phase, recipe, model, batches, device, best)


def _run(
    phase: Phase,
    recipe: "Recipe",
    model: nn.Module,
    batches: DataLoader,
    device: torch.device,
    best: Best,
) -> None:
    """Runs one phase of training, with its own optimizer."""
    _set_training(model, phase)
    optimizer = _optimizer(phase, recipe, model)
    schedule = _schedule(phase, recipe, optimizer, len(batches))
    for _ in tqdm(range(phase.epochs), desc=recipe.name, unit="epoch", leave=False, disable=None):
        for batch in batches:
            x = _normalised(recipe, _augmented(recipe, _on(device, batch.images, recipe.dtype)))
            questions = (tensor.to(device) for tensor in batch.questions)
            loss = _loss(recipe, model, x, batch.targets.to(device), *questions)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        best.look()
        _set_training(model, phase)


def _loss(
    recipe: "Recipe", model: nn.Module, x: Tensor, targets: Tensor, *questions: Tensor
) -> Tensor:
    if recipe.loss is not None:
        return recipe.loss(model, x, targets)
    logits = model(x, *questions)
    return F.cross_entropy(logits, targets, label_smoothing=recipe.label_smoothing)


def _set_training(model: nn.Module, phase: Phase) -> None:
    model.requires_grad_(True).train()
    for path in phase.frozen:
        model.get_submodule(path).requires_grad_(False).eval()


def _optimizer(phase: Phase, recipe: "Recipe", model: nn.Module) -> Optimizer:
    if recipe.optimizer not in OPTIMIZERS:
        raise unknown("optimizer", recipe.optimizer, OPTIMIZERS)
    fast = {p for path in recipe.faster for p in model.get_submodule(path).parameters()}
    learning = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in learning if (p in fast) == is_fast],
            "lr": factor * phase.learning_rate,
        }
        for is_fast, factor in ((False, 1), (True, FASTER))
    ]
    groups = [group for group in groups if group["params"]]
    return OPTIMIZERS[recipe.optimizer](
        groups, lr=phase.learning_rate, weight_decay=recipe.weight_decay
    )


def _schedule(phase: Phase, recipe: "Recipe", optimizer: Optimizer, n: int) -> LRScheduler:
    """The learning rate over the phase's epochs of n batches."""
    if recipe.schedule == "constant":
        return ConstantLR(optimizer, factor=1)
    if recipe.schedule == "steps":
        return StepLR(optimizer, EPOCHS_A_STEP * n, 0.1)
    if recipe.schedule != "cycle":
        raise unknown("schedule", recipe.schedule, ["cycle", "constant", "steps"])
    return OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=phase.epochs * n,
        pct_start=recipe.warmup,
        cycle_momentum=False,
    )


# Images -----------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """B images with their targets; Q = B, or the number of questions about them.

    Attributes:
        images: (B,3,H,W) uint8.
        targets: (Q,).
        questions: for a recipe with questions, their tokens (Q,T) and the image (Q,) of each.
    """

    images: Tensor
    targets: Tensor
    questions: tuple[Tensor, ...]


class _Pictures(torch.utils.data.Dataset):
    """Images, each with all its questions (the samples of one group), or one image per sample."""

    def __init__(self, data: Dataset, questions: bool):
        self.data = data
        groups = defaultdict(list)
        for i, record in enumerate(data.records):
            groups[record.group if questions else i].append(i)
        self.groups = list(groups.values())

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> tuple[Tensor, list[Record]]:
        return image_cache.as_bytes(self.data[self.groups[index][0]]), self.about(index)

    def about(self, index: int) -> list[Record]:
        return [self.data.records[i] for i in self.groups[index]]

    def in_memory(self) -> list[tuple[Tensor, list[Record]]]:
        """All images, each drawn or decoded once."""
        images = image_cache.images(self.data.subset(group[0] for group in self.groups))
        return list(zip(images, map(self.about, range(len(self)))))


def _batches(recipe: "Recipe", model: nn.Module, data: Dataset, shuffle: bool) -> DataLoader:
    pictures = _Pictures(data, recipe.questions)
    workers = 0 if recipe.in_memory else image_cache.PROCESSES
    return DataLoader(
        pictures.in_memory() if recipe.in_memory else pictures,
        recipe.batch_size,
        shuffle,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=partial(_collate, model.encode if recipe.questions else None),
    )


def _collate(
    encode: Callable[[Sequence[str]], Tensor] | None, pictures: list[tuple[Tensor, list[Record]]]
) -> Batch:
    images = torch.stack([image for image, _ in pictures])
    about = [(i, record) for i, (_, records) in enumerate(pictures) for record in records]
    targets = torch.tensor([record.target for _, record in about])
    if encode is None:
        return Batch(images, targets, ())
    tokens = encode([record.question for _, record in about])
    return Batch(images, targets, (tokens, torch.tensor([i for i, _ in about])))


def _on(device: torch.device, images: Tensor, dtype: torch.dtype) -> Tensor:
    """Images in [0, 1]."""
    return images.to(device, non_blocking=True).to(dtype) / 255


def _normalised(recipe: "Recipe", images: Tensor) -> Tensor:
    mean, std = (images.new_tensor(v).view(1, 3, 1, 1) for v in (recipe.mean, recipe.std))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def _augmented(recipe: "Recipe", images: Tensor) -> Tensor:
    """Each image randomly mirrored and shifted; the border continues into the gap."""
    if recipe.flip:
        mirror = torch.rand(len(images), 1, 1, 1) < 0.5
        images = torch.where(mirror.to(images.device), images.flip(3), images)
    if recipe.shift:
        by, (height, width) = recipe.shift, images.shape[2:]
        wide = F.pad(images, (by, by, by, by), mode="replicate")
        places = torch.randint(2 * by + 1, (len(images), 2)).tolist()
        images = torch.stack(
            [image[:, y : y + height, x : x + width] for image, (y, x) in zip(wide, places)]
        )
    return images


def say(line: str) -> None:
    """Prints a line on the terminal; no page of the book shows it."""
    print(line, file=sys.stderr, flush=True)
