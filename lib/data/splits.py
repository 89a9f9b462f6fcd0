"""Splits of datasets that have none of their own."""

from collections.abc import Iterable

from ..seeding import stream

SHARES = {"test": 0.10, "val": 0.09}  # of the images, as for DiffCAM's radiographs


def part(names: Iterable[str], what: str, split: str) -> list[str]:
    """The names in "test", "val" or "train" (the rest), sorted. They are shuffled with a seed made
    from `what` alone, and then cut."""
    names = sorted(names)
    order = stream(0, what).permutation(len(names))
    test, val = (int(len(names) * share + 0.5) for share in SHARES.values())
    first, last = {"test": (0, test), "val": (test, test + val), "train": (test + val, None)}[split]
    return sorted(names[i] for i in order[first:last])
