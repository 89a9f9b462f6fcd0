"""Random numbers seeded by an image or a name: the same on every device and in every batch."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def quantised(image: Tensor) -> Tensor:
    """The image (3, H, W) in 8 bits on the CPU, the same for every precision."""
    return (image.detach() * 255).round().to(torch.uint8).cpu()


def seed_of(image: Tensor, seed: int) -> int:
    """A seed made of an image (3, H, W) and of `seed`."""
    pixels = quantised(image).contiguous().numpy().tobytes()
    digest = hashlib.sha256(seed.to_bytes(8, "little", signed=True) + pixels).digest()
    return int.from_bytes(digest[:7], "little")


def generator(image: Tensor, seed: int) -> torch.Generator:
    """A generator on the CPU, seeded by the image and `seed`."""
    return torch.Generator().manual_seed(seed_of(image, seed))


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator for one name and seed; every other name or seed has different numbers."""
    return np.random.default_rng([seed, *name.encode()])


@contextmanager
def seeded_globally(image: Tensor, seed: int) -> Iterator[None]:
    """Seeds the global generators of torch (on the CPU) and NumPy by the image and `seed`, and
    restores them at the end. For libraries that draw from the global generators."""
    state = np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would also seed the accelerators
            torch.default_generator.manual_seed(seed_of(image, seed))
            np.random.seed(seed_of(image, seed) % 2**32)
            yield
    finally:
        np.random.set_state(state)
