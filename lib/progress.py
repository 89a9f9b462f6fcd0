"""The progress of an evaluation: a bar on the terminal, or calls of a function."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Told = Callable[[str, int, int], None]  # of the method's label, the images done, and their total


class Progress:
    """The number of images explained, counted over all methods; a context manager.

    Args:
        title: the title of the bar.
        total: the number of methods times the number of images.
        shown: whether to show a bar; None shows one on a terminal. Or a function that is called as
            `shown(label, done, total)` at each advance instead.
    """

    def __init__(self, title: str, total: int, shown: bool | Told | None = None):
        self.done, self.total = 0, total
        self._tell = shown if callable(shown) else None
        hidden = True if self._tell else None if shown is None else not shown
        self._bar = tqdm(total=total, unit=" image", desc=title, disable=hidden)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error) -> None:
        self._bar.close()

    @contextmanager
    def part(self, label: str, images: int) -> Iterator[Callable[[int], None]]:
        """The part of one method: gives a function to call with the number of images just done.

        Images that it is never told of, such as unreadable ones, count at the end.
        """
        end = self.done + images
        self._bar.set_postfix_str(label)

        def advance(images: int) -> None:
            # An image that is explained for two classes is reported twice.
            images = min(images, end - self.done)
            if images:
                self.done += images
                self._bar.update(images)
                if self._tell:
                    self._tell(label, self.done, self.total)

        yield advance
        advance(end - self.done)
